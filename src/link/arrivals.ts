/**
 * Frames that are on their way and will arrive in the order in which they were sent, which nearly all do: a queue and
 * one timer for all of them, where a timer for each would cost more than the rest of a cable.
 */
import { type Instant, NEVER } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Frame } from './types.ts';

/** Delivered frames are cut off the queue in batches of at least so many. */
const BATCH = 64;

export class Arrivals {
  private readonly scheduler: Scheduler;
  private readonly arrive: (frame: Frame) => void;
  private frames: (Frame | undefined)[] = [];
  private times: Instant[] = [];
  private head = 0;
  private armed = false;
  private readonly fire = (): void => this.deliver();

  constructor(scheduler: Scheduler, arrive: (frame: Frame) => void) {
    this.scheduler = scheduler;
    this.arrive = arrive;
  }

  add(frame: Frame, when: Instant): void {
    const { times } = this;
    if (times.length > this.head && when < times[times.length - 1]) {
      // It overtakes: the cable was changed to a faster one, or what is before it was held back.
      this.scheduler.at(when, () => this.arrive(frame));
      return;
    }
    this.frames.push(frame);
    times.push(when);
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
    const { frames, times } = this;
    const end = frames.length;
    while (this.head < end && times[this.head] <= now) {
      const frame = frames[this.head] as Frame;
      frames[this.head++] = undefined;
      this.arrive(frame);
    }
    if (this.head === frames.length) {
      frames.length = 0;
      times.length = 0;
      this.head = 0;
    } else if (this.head > BATCH && this.head * 2 > frames.length) {
      frames.splice(0, this.head);
      times.splice(0, this.head);
      this.head = 0;
    }
    this.arm();
  }
}
