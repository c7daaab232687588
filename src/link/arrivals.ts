/**
 * Frames that are on their way and will arrive in the order in which they were sent, which nearly all do: a queue and
 * one timer for all of them, where a timer for each would cost more than the rest of a cable.
 */
import type { Instant } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Frame, FrameSink, Unit } from './types.ts';

class Arrival {
  readonly frame: Frame;
  readonly when: Instant;
  readonly unit: Unit;
  readonly given: boolean;
  next: Arrival | undefined;

  constructor(frame: Frame, when: Instant, unit: Unit, given: boolean) {
    this.frame = frame;
    this.when = when;
    this.unit = unit;
    this.given = given;
  }
}

const NOWHERE: FrameSink = { receive() {} };

export class Arrivals {
  private readonly scheduler: Scheduler;
  sink: FrameSink = NOWHERE;
  private first: Arrival | undefined;
  private last: Arrival | undefined;
  private armed = false;
  private readonly fire = (): void => this.deliver();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  add(frame: Frame, when: Instant, unit: Unit, given: boolean): void {
    const { last } = this;
    if (last !== undefined && when < last.when) {
      // It overtakes: the cable was changed to a faster one, or what is before it was held back.
      return this.addByItself(frame, when, unit, given);
    }
    const added = new Arrival(frame, when, unit, given);
    if (last === undefined) this.first = added;
    else last.next = added;
    this.last = added;
    if (!this.armed) this.arm(added);
  }

  private addByItself(frame: Frame, when: Instant, unit: Unit, given: boolean): void {
    this.scheduler.at(when, () => this.sink.receive(frame, unit, given));
  }

  private arm(first: Arrival): void {
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
      const arrived = this.first as Arrival;
      this.first = arrived.next;
      if (this.first === undefined) this.last = undefined;
      // One that has grown old in a long queue would keep all behind it alive, until the collector looks at the old.
      else arrived.next = undefined;
      sink.receive(arrived.frame, arrived.unit, arrived.given);
    }
    if (count > 1) sink.batch?.(false);
    this.armed = false;
    if (this.first !== undefined) this.arm(this.first);
  }
}
