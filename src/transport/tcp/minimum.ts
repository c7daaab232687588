/** The minimum of a series over a sliding window of time, kept as the best three of its parts. */
import type { Duration, Instant } from '../../base/instant.ts';

export class MinimumFilter {
  // The best, the second and the third of them, with their times: fields, as it is asked for every acknowledgement.
  private at1: Instant = 0;
  private best1 = Number.POSITIVE_INFINITY;
  private at2: Instant = 0;
  private best2 = Number.POSITIVE_INFINITY;
  private at3: Instant = 0;
  private best3 = Number.POSITIVE_INFINITY;

  get value(): number {
    return this.best1;
  }

  add(at: Instant, value: number, window: Duration): void {
    if (value <= this.best1 || at - this.at3 > window) {
      this.setFirst(at, value);
      this.setSecond(at, value);
      this.setThird(at, value);
      return;
    }
    if (value <= this.best2) {
      this.setSecond(at, value);
      this.setThird(at, value);
    } else if (value <= this.best3) {
      this.setThird(at, value);
    }
    this.expire(at, value, window);
  }

  private expire(at: Instant, value: number, window: Duration): void {
    const age = at - this.at1;
    if (age > window) {
      this.shift(at, value);
      if (at - this.at1 > window) this.shift(at, value);
    } else if (this.at2 === this.at1 && age > window / 4) {
      this.setSecond(at, value);
      this.setThird(at, value);
    } else if (this.at3 === this.at2 && age > window / 2) {
      this.setThird(at, value);
    }
  }

  /** The best has grown too old: the others move up. */
  private shift(at: Instant, value: number): void {
    this.setFirst(this.at2, this.best2);
    this.setSecond(this.at3, this.best3);
    this.setThird(at, value);
  }

  private setFirst(at: Instant, value: number): void {
    this.at1 = at;
    this.best1 = value;
  }

  private setSecond(at: Instant, value: number): void {
    this.at2 = at;
    this.best2 = value;
  }

  private setThird(at: Instant, value: number): void {
    this.at3 = at;
    this.best3 = value;
  }
}
