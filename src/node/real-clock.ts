/** The real clock: nanoseconds since it was made. One Node timer serves all of ours. */
import { type Instant, NEVER } from '../base/instant.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';
import { TimerQueue } from '../base/timer-queue.ts';

export class RealClock implements Scheduler {
  private readonly began = performance.now();
  private readonly timers = new TimerQueue();
  private armedFor: Instant = NEVER;
  private timeout: NodeJS.Timeout | undefined = undefined;
  private immediate: NodeJS.Immediate | undefined = undefined;

  now(): Instant {
    return Math.round((performance.now() - this.began) * 1e6);
  }

  at(when: Instant, run: () => void): Timer {
    const timer = this.timers.add(when, run);
    this.arm(when);
    return timer;
  }

  touched(): void {}

  /** Timers no longer keep the process alive, and never fire. */
  stop(): void {
    clearTimeout(this.timeout);
    clearImmediate(this.immediate);
    this.armedFor = Number.NEGATIVE_INFINITY;
  }

  private arm(when: Instant): void {
    if (when >= this.armedFor) return;
    this.armedFor = when;
    clearTimeout(this.timeout);
    clearImmediate(this.immediate);
    const wait = (when - this.now()) / 1e6;
    // setTimeout knows milliseconds only; what is due sooner takes the next turn.
    if (wait < 0.5) this.immediate = setImmediate(() => this.fire());
    else this.timeout = setTimeout(() => this.fire(), Math.min(Math.ceil(wait), 2 ** 31 - 1));
  }

  private fire(): void {
    this.armedFor = NEVER;
    const now = this.now();
    try {
      for (let run = this.timers.take(now); run !== undefined; run = this.timers.take(now)) run();
    } finally {
      // What a user has thrown, and perhaps handles as an uncaught exception, does not stop the others' clock.
      this.arm(this.timers.earliest);
    }
  }
}
