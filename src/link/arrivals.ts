/**
 * Packets that are on their way and will arrive in the order in which they were sent, which nearly all do: a queue,
 * chained through the packets themselves, and one timer for all of them, where a timer for each would cost more than the
 * rest of a cable.
 */
import type { Instant } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Packet } from '../wire/packet.ts';
import type { PacketSink } from './types.ts';

const NOWHERE: PacketSink = { deliver() {} };

export class Arrivals {
  private readonly scheduler: Scheduler;
  sink: PacketSink = NOWHERE;
  private first: Packet | undefined = undefined;
  private last: Packet | undefined = undefined;
  private armed = false;
  private readonly fire = (): void => this.deliver();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  add(packet: Packet, when: Instant): void {
    const { last } = this;
    if (last !== undefined && when < last.when) {
      // It overtakes: the cable was changed to a faster one, or what is before it was held back.
      return this.addByItself(packet, when);
    }
    packet.when = when;
    if (last === undefined) this.first = packet;
    else last.next = packet;
    this.last = packet;
    if (!this.armed) this.arm(packet);
  }

  private addByItself(packet: Packet, when: Instant): void {
    this.scheduler.at(when, () => this.sink.deliver(packet));
  }

  private arm(first: Packet): void {
    this.armed = true;
    this.scheduler.at(first.when, this.fire);
  }

  /** All that are due and were on their way before: what is sent in answer has to wait for its own turn. */
  private deliver(): void {
    const now = this.scheduler.now();
    const { sink } = this;
    let count = 0;
    for (let at = this.first; at !== undefined && at.when <= now; at = at.next) count++;
    if (count > 1) sink.batch?.(true);
    for (let left = count; left > 0; left--) {
      const arrived = this.first as Packet;
      this.first = arrived.next;
      if (this.first === undefined) this.last = undefined;
      // It may go on a cable again; and one that has grown old in a long queue would keep all behind it alive.
      else arrived.next = undefined;
      sink.deliver(arrived);
    }
    if (count > 1) sink.batch?.(false);
    this.armed = false;
    if (this.first !== undefined) this.arm(this.first);
  }
}
