/**
 * Frames that are on their way and will arrive in the order in which they were sent, which nearly all do: a queue and
 * one timer for all of them, where a timer for each would cost more than the rest of a cable.
 */
import { type Instant, NEVER } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Frame, Unit } from './types.ts';

/** Delivered frames are cut off the queue in batches of at least so many. */
const BATCH = 64;

export class Arrivals {
  private readonly scheduler: Scheduler;
  private readonly arrive: (frame: Frame, unit: Unit) => void;
  private readonly batch: (begins: boolean) => void;
  private frames: (Frame | undefined)[] = [];
  private times: Instant[] = [];
  private units: Unit[] = [];
  private head = 0;
  private armed = false;
  private readonly fire = (): void => this.deliver();

  /** `batch`: told around several that arrive at once. */
  constructor(scheduler: Scheduler, arrive: (frame: Frame, unit: Unit) => void, batch: (begins: boolean) => void) {
    this.scheduler = scheduler;
    this.arrive = arrive;
    this.batch = batch;
  }

  add(frame: Frame, when: Instant, unit: Unit): void {
    const { times } = this;
    if (times.length > this.head && when < times[times.length - 1]) {
      // It overtakes: the cable was changed to a faster one, or what is before it was held back.
      this.scheduler.at(when, () => this.arrive(frame, unit));
      return;
    }
    this.frames.push(frame);
    times.push(when);
    this.units.push(unit);
    if (!this.armed) this.arm();
  }

  private arm(): void {
    const when = this.head < this.times.length ? this.times[this.head] : NEVER;
    this.armed = when !== NEVER;
    if (this.armed) this.scheduler.at(when, this.fire);
  }

  /** All that are due and were on their way before: what is sent in answer has to wait for its own turn. */
  private deliver(): void {
    const now = this.scheduler.now();
    const { frames, times, units } = this;
    let end = this.head;
    while (end < frames.length && times[end] <= now) end++;
    const isBatch = end - this.head > 1;
    if (isBatch) this.batch(true);
    while (this.head < end) {
      const frame = frames[this.head] as Frame;
      frames[this.head] = undefined;
      this.arrive(frame, units[this.head++]);
    }
    if (isBatch) this.batch(false);
    if (this.head === frames.length) {
      frames.length = 0;
      times.length = 0;
      units.length = 0;
      this.head = 0;
    } else if (this.head > BATCH && this.head * 2 > frames.length) {
      frames.splice(0, this.head);
      times.splice(0, this.head);
      units.splice(0, this.head);
      this.head = 0;
    }
    this.arm();
  }
}
