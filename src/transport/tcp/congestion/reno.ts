/** Slow start, congestion avoidance and the window reductions of RFC 5681, with the initial window of RFC 6928. */
import type { Instant } from '../../../base/instant.ts';
import type { Acknowledged, CongestionControl } from '../types.ts';

export class Reno implements CongestionControl {
  readonly name = 'reno';
  cwnd: number;
  /** RFC 5681 §3.1: "SHOULD be set arbitrarily high". */
  ssthresh = 0x7fff_ffff;
  private mss: number;
  private readonly initialSegments: number;
  /** Bytes acknowledged in congestion avoidance that have not yet paid for a segment. */
  private credit = 0;

  constructor(mss: number, initialSegments: number) {
    this.mss = mss;
    this.initialSegments = initialSegments;
    this.cwnd = this.initialWindow;
  }

  /** RFC 6928 §2: min (10*MSS, max (2*MSS, 14600)). */
  private get initialWindow(): number {
    return Math.min(this.initialSegments * this.mss, Math.max(2 * this.mss, this.initialSegments * 1460));
  }

  setMss(mss: number): void {
    const pristine = this.cwnd === this.initialWindow;
    this.mss = mss;
    if (pristine) this.cwnd = this.initialWindow;
  }

  onAck(ack: Acknowledged): void {
    if (!ack.cwndLimited) return;
    if (this.cwnd < this.ssthresh) {
      this.cwnd += Math.min(ack.bytes, this.mss); // RFC 5681 §3.1 (2)
      return;
    }
    // RFC 5681 §3.1: one segment more for each window of data acknowledged.
    this.credit += ack.bytes;
    if (this.credit >= this.cwnd) {
      this.credit -= this.cwnd;
      this.cwnd += this.mss;
    }
  }

  onCongestion(_now: Instant, inFlight: number): void {
    this.halve(inFlight);
    this.cwnd = this.ssthresh;
  }

  onRecovered(): void {
    this.cwnd = this.ssthresh;
  }

  onRto(_now: Instant, inFlight: number, again: boolean): void {
    // RFC 5681 §3.1: "the value of ssthresh is held constant" when the same segment times out again.
    if (!again) this.halve(inFlight);
    this.cwnd = this.mss; // the loss window
  }

  /** RFC 5681 §4.1: after an idle period the window is at most the restart window. */
  onIdle(): void {
    this.cwnd = Math.min(this.initialWindow, this.cwnd);
  }

  /** RFC 5681 eqn. 4. */
  private halve(inFlight: number): void {
    this.ssthresh = Math.max(Math.floor(inFlight / 2), 2 * this.mss);
    this.credit = 0;
  }
}

export const reno = (mss: number, initialSegments: number): CongestionControl => new Reno(mss, initialSegments);
