/** RFC 5961 §7: answers to segments that may be forged are limited, so that they are no amplifier and no side channel. */
import { type Duration, type Instant, seconds } from '../../base/instant.ts';

/** At most this many in five seconds. */
const MOST = 10;

export class ChallengeLimit {
  /** One in this time; 0: only the number in five seconds counts. */
  private readonly interval: Duration;
  private left = MOST;
  private since: Instant = Number.NEGATIVE_INFINITY;
  private last: Instant = Number.NEGATIVE_INFINITY;

  constructor(interval: Duration) {
    this.interval = interval;
  }

  allow(now: Instant): boolean {
    if (this.interval > 0) return this.allowByInterval(now);
    if (now - this.since >= seconds(5)) {
      this.since = now;
      this.left = MOST;
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
