/** NewReno as BSD has it: RFC 5681 with bytes counted (RFC 3465, L = 2), and a window that is halved as it stands. */
import { Reno } from './reno.ts';
import type { CongestionControl, Growth, Window } from './types.ts';

/** RFC 3465 §2.2, §2.3: segments that one acknowledgement opens the window by in slow start; after a timeout but one. */
const MOST_AT_ONCE = 2;

export class NewReno extends Reno {
  override readonly name = 'newreno';

  constructor() {
    super(true);
  }

  override grow(window: Window, { segments, afterTimeout }: Growth): void {
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
}

export const newReno = (): CongestionControl => new NewReno();
