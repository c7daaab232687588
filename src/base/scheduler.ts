import type { Duration, Instant } from './instant.ts';

/** Something that will run at an instant, unless it is cancelled before. Cancelling twice, or too late, does nothing. */
export interface Timer {
  readonly when: Instant;
  cancel(): void;
}

/**
 * The only source of time below the command line. A virtual clock (sim/clock) and the real one (node/real-clock)
 * implement it; two timers of the same instant run in the order in which they were set.
 */
export interface Scheduler {
  now(): Instant;
  at(when: Instant, run: () => void): Timer;
  /** Code of a user's was called, and may have promises to go on with: a virtual clock lets them settle first. */
  touched(): void;
}

/**
 * What a user's code has thrown is for whoever drives the clock, but not in the middle of what the stack was about: it
 * is thrown again as an event of its own, at the same instant.
 */
export function throwLater(scheduler: Scheduler, thrown: unknown): void {
  scheduler.at(scheduler.now(), () => {
    throw thrown;
  });
}

/** Resolves after `duration`, in the scheduler's time. */
export function sleep(scheduler: Scheduler, duration: Duration): Promise<void> {
  return new Promise(resolve => {
    scheduler.at(scheduler.now() + duration, () => {
      scheduler.touched();
      resolve();
    });
  });
}
