/**
 * Consecutive bytes that are sent, acknowledged and lost together: one segment, or several of equal size (of which the
 * last may be shorter). Cutting a record in two is how it takes part in finer decisions.
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqDiff } from '../../base/seq32.ts';
import { FIN, SYN } from '../../wire/tcp.ts';

export class SendRecord {
  seq: Seq;
  end: Seq;
  /** SYN, FIN and PSH as they go with its last byte (SYN: with its first). */
  flags: number;
  /** The size of its segments. */
  mss: number;
  segments = 1;
  /** The last transmission. */
  sentAt: Instant = 0;
  sacked = false;
  lost = false;
  /** A retransmission of it is thought to be on its way. */
  resent = false;
  everResent = false;
  /** Nothing may be joined to it (a write boundary that the user asked for). */
  boundary = false;
  /** RFC 8985 §6.2 and delivery rate samples: what had been delivered when it was sent last, and when. */
  priorDelivered = 0;
  deliveredAt: Instant = 0;
  firstSentAt: Instant = 0;
  appLimited = false;
  /** Neighbours in the order of transmission; undefined at the ends and outside of that list. */
  earlier: SendRecord | undefined = undefined;
  later: SendRecord | undefined = undefined;
  /** In the list of what may still be found lost by the time of its transmission. */
  timed = false;

  constructor(seq: Seq, end: Seq, flags: number, mss: number) {
    this.seq = seq;
    this.end = end;
    this.flags = flags;
    this.mss = mss;
    if (end !== seq) this.recount(mss);
  }

  /** Data that was sent once, of which nothing has been heard. */
  get isPlain(): boolean {
    return (this.flags & (SYN | FIN)) === 0 && !this.everResent && !this.sacked && !this.lost && !this.resent;
  }

  /** In sequence space: SYN and FIN count. */
  get length(): number {
    return seqDiff(this.end, this.seq);
  }

  /** Bytes of data. */
  get dataLength(): number {
    const { length, flags } = this;
    return (flags & (SYN | FIN)) === 0 ? length : length - (flags & SYN ? 1 : 0) - (flags & FIN ? 1 : 0);
  }

  /** As many segments as its data needs at this size. */
  recount(mss: number): void {
    this.mss = mss;
    const { dataLength } = this;
    this.segments = dataLength <= mss ? 1 : Math.ceil(dataLength / mss);
  }
}
