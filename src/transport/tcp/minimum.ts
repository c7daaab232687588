/** The minimum of a series over a sliding window of time, kept as the best three of its parts. */
import type { Duration, Instant } from '../../base/instant.ts';

interface Sample {
  at: Instant;
  value: number;
}

const NONE: Sample = { at: 0, value: Number.POSITIVE_INFINITY };

export class MinimumFilter {
  private best: [Sample, Sample, Sample] = [NONE, NONE, NONE];

  get value(): number {
    return this.best[0].value;
  }

  add(at: Instant, value: number, window: Duration): void {
    const sample = { at, value };
    const [first, second, third] = this.best;
    if (value <= first.value || at - third.at > window) {
      this.best = [sample, sample, sample];
      return;
    }
    if (value <= second.value) this.best = [first, sample, sample];
    else if (value <= third.value) this.best = [first, second, sample];
    this.expire(sample, window);
  }

  private expire(sample: Sample, window: Duration): void {
    const [first, second, third] = this.best;
    const age = sample.at - first.at;
    if (age > window) {
      this.best = [second, third, sample];
      if (sample.at - second.at > window) this.best = [third, sample, sample];
    } else if (second.at === first.at && age > window / 4) {
      this.best = [first, sample, sample];
    } else if (third.at === second.at && age > window / 2) {
      this.best = [first, second, sample];
    }
  }
}
