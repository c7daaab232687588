/**
 * Fast recovery as BSD had it before proportional rate reduction (net.inet.tcp.do_prr=0). With SACK the window starts with
 * the one segment that is sent again, and grows to what it was reduced to as what is in flight falls below that (RFC 6675
 * §5 (C) by another way); without SACK every duplicate ACK inflates it (RFC 6582 §3.2 step 3), which leaves so much in
 * flight as it was reduced to.
 */
import { seqDiff } from '../../base/seq32.ts';
import type { Window } from './congestion/types.ts';
import type { Recovery } from './recovery.ts';
import type { Reduction } from './reduction.ts';

/** Segments that one acknowledgement lets out. */
const MOST_AT_ONCE = 2;

export class RegrownWindow implements Reduction {
  private readonly r: Recovery;
  /** Segments of retransmissions and of new data that may be out; 0: nothing was sent again yet. */
  private size = 0;

  constructor(recovery: Recovery) {
    this.r = recovery;
  }

  sent(): void {}

  allow({ ssthresh }: Window, delivered: number, advanced: boolean): number {
    const { queue, tcb } = this.r;
    if (!tcb.sackOn) return Math.max(ssthresh - queue.pipe, 0);
    const step = Math.min(Math.max(delivered, 1), MOST_AT_ONCE);
    if (advanced) this.size = Math.min(this.used + step, ssthresh);
    else if (this.size === 0) this.size = 1;
    else if (queue.pipe < ssthresh) this.size = Math.min(this.size + step, ssthresh);
    return Math.max(this.size - this.used, 0);
  }

  /** What was sent again and is not acknowledged, and what was sent for the first time since recovery began. */
  private get used(): number {
    const { queue, tcb, highSeq } = this.r;
    return queue.resent + Math.ceil(seqDiff(tcb.sndNxt, highSeq) / tcb.mss);
  }
}
