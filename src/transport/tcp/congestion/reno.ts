/** Slow start, congestion avoidance and the halving of RFC 5681. */
import {
  additiveIncrease,
  type Congestion,
  type CongestionControl,
  type Growth,
  slowStart,
  type Window,
} from './types.ts';

export class Reno implements CongestionControl {
  readonly name: string = 'reno';
  private readonly ofWindow: boolean;

  constructor(ofWindow = false) {
    this.ofWindow = ofWindow;
  }

  grow(window: Window, { segments }: Growth): void {
    const left = window.cwnd < window.ssthresh ? slowStart(window, segments) : segments;
    if (left > 0) additiveIncrease(window, window.cwnd, left); // RFC 5681 §3.1: one segment a round trip
  }

  /** RFC 5681 eqn. 4. Linux halves the window instead, which is validated by its use (RFC 7661). */
  reduce(window: Window, flight: number, _cause: Congestion): number {
    return Math.max((this.ofWindow ? window.cwnd : Math.min(flight, window.cwnd)) >> 1, 2);
  }

  undo(window: Window): number {
    return Math.max(window.cwnd, window.prior);
  }
}

export const reno = (): CongestionControl => new Reno();
export const renoOfLinux = (): CongestionControl => new Reno(true);
