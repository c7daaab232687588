/** The minimum of a series over a sliding window of time, kept as the best three of its parts. */
import type { Duration, Instant } from '../../base/instant.ts';

// Where the best, the second and the third of them stand, with their times, in an array that needs no box for a number.
const [AT_1, BEST_1, AT_2, BEST_2, AT_3, BEST_3] = [0, 1, 2, 3, 4, 5];
const INFINITE = Number.POSITIVE_INFINITY;

export class MinimumFilter {
  private readonly cells = [0, INFINITE, 0, INFINITE, 0, INFINITE];

  get value(): number {
    return this.cells[BEST_1];
  }

  add(at: Instant, value: number, window: Duration): void {
    const { cells } = this;
    if (value <= cells[BEST_1] || at - cells[AT_3] > window) {
      cells[AT_1] = at;
      cells[AT_2] = at;
      cells[AT_3] = at;
      cells[BEST_1] = value;
      cells[BEST_2] = value;
      cells[BEST_3] = value;
      return;
    }
    if (value <= cells[BEST_2]) {
      this.set(AT_2, at, value);
      this.set(AT_3, at, value);
    } else if (value <= cells[BEST_3]) {
      this.set(AT_3, at, value);
    }
    this.expire(at, value, window);
  }

  private expire(at: Instant, value: number, window: Duration): void {
    const { cells } = this;
    const age = at - cells[AT_1];
    if (age > window) {
      this.shift(at, value);
      if (at - cells[AT_1] > window) this.shift(at, value);
    } else if (cells[AT_2] === cells[AT_1] && age > window / 4) {
      this.set(AT_2, at, value);
      this.set(AT_3, at, value);
    } else if (cells[AT_3] === cells[AT_2] && age > window / 2) {
      this.set(AT_3, at, value);
    }
  }

  /** The best has grown too old: the others move up. */
  private shift(at: Instant, value: number): void {
    const { cells } = this;
    this.set(AT_1, cells[AT_2], cells[BEST_2]);
    this.set(AT_2, cells[AT_3], cells[BEST_3]);
    this.set(AT_3, at, value);
  }

  private set(place: number, at: Instant, value: number): void {
    this.cells[place] = at;
    this.cells[place + 1] = value;
  }
}
