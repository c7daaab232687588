/**
 * NewReno as BSD has it: RFC 5681 with bytes counted (RFC 3465, L = 2), or acknowledgements as before that, and a window
 * that is halved as it stands.
 */
import type { TcpSettings } from '../types.ts';
import { Reno } from './reno.ts';
import type { CongestionControl, Growth, Window } from './types.ts';

export class NewReno extends Reno {
  override readonly name = 'newreno';
  /** Segments that one acknowledgement opens the window by in slow start; 0: acknowledgements are counted, not bytes. */
  private readonly most: number;

  constructor(most: number) {
    super(true);
    this.most = most;
  }

  override grow(window: Window, { segments, afterTimeout }: Growth): void {
    if (window.cwnd <= window.ssthresh) {
      // RFC 3465 §2.3: L is 1 after a timeout.
      window.cwnd += this.most === 0 || afterTimeout ? 1 : Math.min(segments, this.most);
      window.credit = 0;
    } else if (this.most === 0) {
      this.growByAcknowledgement(window);
    } else {
      window.credit += segments;
      if (window.credit < window.cwnd) return;
      window.credit -= window.cwnd;
      window.cwnd++;
    }
  }

  /** RFC 5681 eqn. 3: "cwnd += SMSS*SMSS/cwnd"; the part of a segment that comes of it is kept in `credit`. */
  private growByAcknowledgement(window: Window): void {
    window.credit += 1 / (window.cwnd + window.credit);
    if (window.credit < 1) return;
    window.credit -= 1;
    window.cwnd++;
  }
}

export const newReno = ({ byteCounting }: TcpSettings): CongestionControl => new NewReno(byteCounting);
