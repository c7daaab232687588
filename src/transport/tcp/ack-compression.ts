/** Many duplicate ACKs at once say the same: from the fourth on, one for several is enough (RFC 8985 §3.4 allows it). */
import type { Seq } from '../../base/seq32.ts';

/** What fast retransmit needs (RFC 5681 §3.2). */
const NEVER_HELD_BACK = 3;

export class AckCompression {
  private sentAlone = 0;
  /** RCV.NXT that they are duplicates of. */
  private at: Seq | undefined = undefined;
  private heldBack = 0;

  /** Is this one held back? At most `most` are until one goes out. */
  holdsBack(rcvNxt: Seq, most: number): boolean {
    if (this.at !== rcvNxt) {
      this.at = rcvNxt;
      this.sentAlone = 0;
    }
    if (this.sentAlone < NEVER_HELD_BACK || this.heldBack >= most) {
      this.sentAlone++;
      return false;
    }
    this.heldBack++;
    return true;
  }

  acknowledged(): void {
    this.heldBack = 0;
  }
}
