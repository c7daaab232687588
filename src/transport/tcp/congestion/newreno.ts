/** NewReno as BSD has it: RFC 5681 with bytes counted (RFC 3465, L = 2), and a window that is halved as it stands. */
import type { CongestionControl, Growth, Window } from './types.ts';

/** RFC 3465 §2.2, §2.3: segments that one acknowledgement opens the window by in slow start; after a timeout but one. */
const MOST_AT_ONCE = 2;

export class NewReno implements CongestionControl {
  readonly name = 'newreno';

  grow(window: Window, { segments, afterTimeout }: Growth): void {
    if (window.cwnd <= window.ssthresh) {
      window.cwnd += Math.min(segments, afterTimeout ? 1 : MOST_AT_ONCE);
      window.credit = 0;
      return;
    }
    window.credit += segments;
    if (window.credit < window.cwnd) return;
    window.credit -= window.cwnd;
    window.cwnd++;
  }

  reduce(window: Window): number {
    return Math.max(window.cwnd >> 1, 2);
  }

  undo(window: Window): number {
    return Math.max(window.cwnd, window.prior);
  }
}

export const newReno = (): CongestionControl => new NewReno();
