/** One segment at a time of which the round trip is measured (RFC 6298 §3), where timestamps do not tell of all (BSD). */
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqGt, seqLt, seqMax } from '../../base/seq32.ts';

export class TimedSegment {
  private seq: Seq | undefined = undefined;
  private at: Instant = 0;
  private sentUpTo: Seq = 0;

  /** New data has been sent as far as `nxt`. */
  sent(now: Instant, una: Seq, nxt: Seq): void {
    if (this.seq === undefined || seqLt(this.seq, una)) {
      this.seq = seqMax(this.sentUpTo, una);
      this.at = now;
    }
    this.sentUpTo = nxt;
  }

  /** Karn's algorithm: something is sent again, and perhaps this. */
  forget(): void {
    this.seq = undefined;
  }

  /** The round trip, where `una` says that it is over. */
  take(now: Instant, una: Seq): Duration | undefined {
    if (this.seq === undefined || !seqGt(una, this.seq)) return undefined;
    this.seq = undefined;
    return now - this.at;
  }
}
