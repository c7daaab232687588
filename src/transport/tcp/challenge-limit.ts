/** RFC 5961 §7: answers to segments that may be forged are limited, so that they are no amplifier and no side channel. */
import type { Duration, Instant } from '../../base/instant.ts';

/** At most so many in a time, which begins with the first of them; `most` of 0: no limit. */
export interface ChallengeRate {
  most: number;
  within: Duration;
}

export class ChallengeLimit {
  private readonly rate: ChallengeRate;
  /** One in this time; 0: only the rate counts. */
  private readonly interval: Duration;
  private left = 0;
  private since: Instant = Number.NEGATIVE_INFINITY;
  private last: Instant = Number.NEGATIVE_INFINITY;

  constructor(rate: ChallengeRate, interval: Duration) {
    this.rate = rate;
    this.interval = interval;
  }

  allow(now: Instant): boolean {
    if (this.interval > 0) return this.allowByInterval(now);
    const { most, within } = this.rate;
    if (most === 0) return true;
    if (now - this.since >= within) {
      this.since = now;
      this.left = most;
    }
    return this.left-- > 0;
  }

  /** An unacceptable segment that is probably honest is held back only by the interval. */
  allowByInterval(now: Instant): boolean {
    if (this.interval === 0) return true;
    if (now - this.last < this.interval) return false;
    this.last = now;
    return true;
  }
}
