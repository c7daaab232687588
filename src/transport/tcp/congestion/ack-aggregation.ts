/**
 * Acknowledgements that come many at once leave a pause in which the window is all used: so much more is allowed to be
 * out as they have lately brought more than the bandwidth accounts for.
 */
import type { Instant } from '../../../base/instant.ts';

const ROUNDS = 5;
/** Counts begin anew before they say nothing any more. */
const MOST = 1 << 20;

export class AckAggregation {
  private epochAt: Instant = 0;
  private epochAcked = 0;
  /** The most of the present rounds and of those before. */
  private now = 0;
  private before = 0;
  private rounds = 0;

  restart(now: Instant): void {
    this.epochAt = now;
    this.epochAcked = 0;
  }

  /** `isFull`: the pipe is; until then the bandwidth is not known, and each round stands for itself. */
  roundBegins(isFull: boolean): void {
    this.rounds++;
    if (this.rounds < (isFull ? ROUNDS : 1)) return;
    this.rounds = 0;
    this.before = this.now;
    this.now = 0;
  }

  /** `segments` are acknowledged where `rate`, segments per nanosecond, was expected. */
  acknowledged(now: Instant, segments: number, rate: number, cwnd: number): void {
    if (segments <= 0) return;
    let expected = Math.floor(rate * (now - this.epochAt));
    if (this.epochAcked <= expected || this.epochAcked + segments >= MOST) {
      this.restart(now);
      expected = 0;
    }
    this.epochAcked += segments;
    this.now = Math.max(this.now, Math.min(this.epochAcked - expected, cwnd));
  }

  /** Segments, at most so many. */
  extra(most: number): number {
    return Math.floor(Math.min(Math.max(this.now, this.before), most));
  }
}
