/**
 * Time in the whole system: integer nanoseconds since the world began.
 *
 * Nanoseconds, because 64 bytes at 1 Gbit/s take 512 of them; a double holds them exactly for 104 days,
 * and still to within 2 ns for a year.
 */
export type Instant = number;

/** A span of time, integer nanoseconds. */
export type Duration = number;

export const NEVER: Instant = Number.POSITIVE_INFINITY;

export const ns = (n: number): Duration => Math.round(n);
export const us = (n: number): Duration => Math.round(n * 1e3);
export const ms = (n: number): Duration => Math.round(n * 1e6);
export const seconds = (n: number): Duration => Math.round(n * 1e9);
export const minutes = (n: number): Duration => Math.round(n * 60e9);

/** '163.2 ms', '2.500 s', '2 min 0 s': three or four significant figures, as a person reads them. */
export function formatDuration(duration: Duration): string {
  if (duration === NEVER) return 'never';
  if (duration === 0) return '0 ms';
  if (duration < 0) return `-${formatDuration(-duration)}`;
  if (duration < 1e3) return `${duration} ns`;
  if (duration < 1e5) return `${(duration / 1e3).toFixed(1)} µs`;
  if (duration < 1e9) return `${(duration / 1e6).toFixed(1)} ms`;
  if (duration < 120e9) return `${(duration / 1e9).toFixed(3)} s`;
  const total = Math.round(duration / 1e9);
  return `${Math.floor(total / 60)} min ${total % 60} s`;
}
