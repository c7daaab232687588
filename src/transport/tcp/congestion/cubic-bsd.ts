/**
 * CUBIC as BSD has it (RFC 8312): slow start with bytes counted (RFC 3465), a first reduction by half, since nothing is
 * known yet of what the path holds, and a window that is never less than NewReno's would be.
 */
import type { Duration, Instant } from '../../../base/instant.ts';
import type { TcpSettings } from '../types.ts';
import { NewReno } from './newreno.ts';
import type { Congestion, CongestionControl, Growth, RoundTrip, Window } from './types.ts';

/** Binary fractions: C is 0.4, the multiplicative decrease 0.7, and fast convergence (1 + 0.7) / 2. */
const C = 102 / 256;
const BETA = 179 / 256;
const FAST_CONVERGENCE = 217 / 256;
/** RTT samples before the round-trip time is trusted, and with it the cubic function. */
const SAMPLES = 8;

class CubicOfBsd extends NewReno {
  override readonly name = 'cubic';
  private wMax = 0;
  private k = 0;
  /** When the present growth began. */
  private epoch: Instant = 0;
  /** The window has been reduced before. */
  private hasReduced = false;
  private afterTimeout = false;
  private wasInSlowStart = false;
  private samples = 0;
  /** The time of the last acknowledgement. */
  private now: Instant = 0;
  /** Seconds: the least, and the mean of the epoch before this one; the sum of what makes the next mean. */
  private minRtt = 0;
  private meanRtt = 0;
  private sum = 0;
  private count = 0;

  established(): void {
    this.samples = 1;
  }

  roundTrip(_: Window, { rtt, now }: RoundTrip): void {
    this.now = now;
    if (rtt !== undefined) this.samples++;
  }

  /** What an epoch took for a round trip: the mean of SRTT, or the least there was as long as there is none. */
  private measure(srtt: Duration): void {
    const seconds = srtt / 1e9;
    if (this.minRtt === 0 || seconds < this.minRtt) {
      this.minRtt = seconds;
      this.meanRtt = Math.max(this.meanRtt, seconds);
    }
    this.sum += seconds;
    this.count++;
  }

  override grow(window: Window, growth: Growth): void {
    if (this.samples >= SAMPLES) this.measure(growth.srtt ?? 0);
    const isWhole = this.counts(window, growth);
    if (window.cwnd <= window.ssthresh || this.samples < SAMPLES) {
      this.wasInSlowStart = true;
      this.growInSlowStart(window, growth);
      return;
    }
    this.leaveSlowStart(window, growth.now);
    const before = window.cwnd;
    const cubic = this.target(growth.now);
    this.growInAvoidance(window, isWhole);
    if (cubic >= window.cwnd) window.cwnd = Math.max(before, cubic);
    if (!this.hasReduced && this.wMax < window.cwnd) {
      this.wMax = window.cwnd;
      this.k = this.timeToMax();
    }
  }

  private leaveSlowStart(window: Window, now: Instant): void {
    if (!this.wasInSlowStart) return;
    this.wasInSlowStart = false;
    if (this.afterTimeout) {
      // RFC 8312 §4.7: after a timeout the window of congestion avoidance begins where slow start ends.
      this.afterTimeout = false;
      this.wMax = window.cwnd;
      this.k = 0;
    } else {
      this.k = this.timeToMax();
    }
    this.epoch = now;
  }

  /** §4.1: K = cubic_root(W_max * (1 - beta) / C). */
  private timeToMax(): number {
    return Math.cbrt((this.wMax * (1 - BETA)) / C);
  }

  /** W_cubic(t + RTT), in whole segments more or less than W_max. */
  private target(now: Instant): number {
    const t = (now - this.epoch) / 1e9 + this.meanRtt - this.k;
    return Math.max(0, Math.floor(C * t ** 3) + this.wMax);
  }

  override reduce(window: Window, _flight: number, cause: Congestion): number {
    if (cause === 'timeout') {
      this.hasReduced = true;
      this.afterTimeout = true;
      return Math.max(window.cwnd * BETA, 2);
    }
    const { cwnd } = window;
    const base = cwnd < this.wMax ? cwnd * FAST_CONVERGENCE : cwnd;
    this.wMax = this.hasReduced ? base : base * BETA;
    const ssthresh = this.hasReduced ? base * BETA : base / 2;
    this.hasReduced = true;
    this.k = this.timeToMax();
    this.epoch = this.now;
    return Math.max(ssthresh, 2);
  }

  /** Behind fast recovery; what was measured meanwhile makes the mean of the next epoch. */
  recovered(): number {
    if (this.count > 0) this.meanRtt = this.sum / this.count;
    this.sum = 0;
    this.count = 0;
    return Math.max(this.wMax * BETA, 2);
  }
}

export const cubicOfBsd = (settings: TcpSettings): CongestionControl => new CubicOfBsd(settings);
