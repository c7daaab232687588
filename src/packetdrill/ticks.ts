/**
 * Timers as a kernel has them that counts ticks: they fire at one, those that are further off at every eighth, and at
 * every 64th (the timer wheel of Linux, kernel/time/timer.c: a level for each, and never too early).
 */
import type { Duration, Instant } from '../base/instant.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';

/** Ticks until a timer is due, and the granularity from there on (LVL_START, LVL_GRAN). */
const LEVELS = [
  [4032, 512],
  [504, 64],
  [63, 8],
] as const;

export class TickingScheduler implements Scheduler {
  private readonly inner: Scheduler;
  private readonly tick: Duration;

  constructor(inner: Scheduler, hz: number) {
    this.inner = inner;
    this.tick = 1e9 / hz;
  }

  now(): Instant {
    return this.inner.now();
  }

  at(when: Instant, run: () => void): Timer {
    return this.inner.at(when > this.inner.now() ? this.roundUp(when) : when, run);
  }

  touched(): void {
    this.inner.touched();
  }

  private roundUp(when: Instant): Instant {
    if (when === Number.POSITIVE_INFINITY) return when;
    const due = Math.ceil(when / this.tick);
    const left = due - Math.floor(this.inner.now() / this.tick);
    const unit = LEVELS.find(([from]) => left >= from)?.[1] ?? 1;
    return (Math.floor(due / unit) + 1) * unit * this.tick;
  }
}
