/**
 * Urgent data (RFC 9293 §3.8.5): a pointer into the stream, each way, behind the last octet that the other end's user
 * should hurry to. What he does about it is his; the data stays where it is. RFC 6093 §5: nobody new should use it.
 */
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLt } from '../../base/seq32.ts';
import { type Segment, URG } from '../../wire/tcp.ts';
import type { Tcb } from './tcb.ts';

const FARTHEST = 0xffff;

export class Urgent {
  /** SND.UP and RCV.UP: the octet behind the urgent data. */
  sndUp: Seq | undefined = undefined;
  rcvUp: Seq | undefined = undefined;

  /** There is urgent data of ours that is not acknowledged. */
  isPending({ sndUna }: Tcb): boolean {
    return this.sndUp !== undefined && seqGt(this.sndUp, sndUna);
  }

  /** "The urgent pointer points to the sequence number of the octet following the urgent data", as an offset. */
  mark(segment: Segment, tcb: Tcb): void {
    const { sndUp } = this;
    if (sndUp === undefined || !this.isPending(tcb) || !seqLt(segment.seq, sndUp)) return;
    segment.flags |= URG;
    segment.urgentPointer = Math.min(seqDiff(sndUp, segment.seq), FARTHEST);
  }

  /** Sixth check: "RCV.UP <- max(RCV.UP,SEG.UP)". True when it is ahead of `read`, what the user has read, and news. */
  arrived(segment: Segment, read: Seq): boolean {
    const pointer = segment.urgentPointer;
    if (pointer === 0) return false;
    const up = seqAdd(segment.seq, pointer);
    if (!seqGt(up, read) || (this.rcvUp !== undefined && !seqGt(up, this.rcvUp))) return false;
    this.rcvUp = up;
    return true;
  }

  /** MUST-33: "how much urgent data remains to be read from the connection", bytes. */
  remaining(read: Seq): number {
    return this.rcvUp !== undefined && seqGe(this.rcvUp, read) ? seqDiff(this.rcvUp, read) : 0;
  }
}
