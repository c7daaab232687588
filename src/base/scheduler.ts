import type { Instant } from './instant.ts';

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
}
