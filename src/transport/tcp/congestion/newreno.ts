/**
 * NewReno as BSD has it: RFC 5681 with bytes counted (RFC 3465, L = 2), or acknowledgements as before that, and a window
 * that is halved as it stands. An ECN echo may reduce it by less (RFC 8511).
 */
import type { TcpSettings } from '../types.ts';
import { Reno } from './reno.ts';
import type { Congestion, CongestionControl, Growth, Window } from './types.ts';

/** RFC 8511 §3: "beta_{ecn} = 0.8". */
const ECHO_BETA = 0.8;
/** What rounding has taken of a window that is reckoned as a fraction of segments. */
const EPSILON = 1e-9;

export class NewReno extends Reno {
  override readonly name: string = 'newreno';
  /** Segments that one acknowledgement opens the window by in slow start; 0: acknowledgements are counted, not bytes. */
  private readonly most: number;
  private readonly echoBeta: number;

  constructor({ byteCounting, alternativeBackoff }: TcpSettings) {
    super(true);
    this.most = byteCounting;
    this.echoBeta = alternativeBackoff ? ECHO_BETA : 0.5;
  }

  override grow(window: Window, growth: Growth): void {
    const isWhole = this.counts(window, growth);
    if (window.cwnd <= window.ssthresh) this.growInSlowStart(window, growth);
    else this.growInAvoidance(window, isWhole);
  }

  /** RFC 3465 §2.1: has a window's worth been acknowledged in congestion avoidance? */
  protected counts(window: Window, { segments }: Growth): boolean {
    if (window.cwnd <= window.ssthresh) {
      window.credit = 0;
      return false;
    }
    window.credit += segments;
    if (window.credit + EPSILON < window.cwnd) return false;
    window.credit -= window.cwnd;
    return true;
  }

  protected growInSlowStart(window: Window, { segments, afterTimeout }: Growth): void {
    // RFC 3465 §2.3: L is 1 after a timeout.
    if (this.most === 0) window.cwnd++;
    else window.cwnd += Math.min(segments, afterTimeout ? 1 : this.most);
  }

  protected growInAvoidance(window: Window, isWhole: boolean): void {
    if (this.most === 0)
      window.cwnd += 1 / window.cwnd; // RFC 5681 eqn. 3: "cwnd += SMSS*SMSS/cwnd"
    else if (isWhole) window.cwnd++;
  }

  /** In whole segments. After a timeout `flight` is what the other end's window let out at most. */
  override reduce(window: Window, flight: number, cause: Congestion): number {
    if (cause === 'timeout') return Math.max(Math.floor(flight / 2), 2);
    const beta = cause === 'echo' ? this.echoBeta : 0.5;
    return Math.max(Math.floor(window.cwnd * beta + EPSILON), 2);
  }
}

export const newReno = (settings: TcpSettings): CongestionControl => new NewReno(settings);
