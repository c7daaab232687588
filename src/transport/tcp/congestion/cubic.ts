/** CUBIC (RFC 9438). */
import type { Instant } from '../../../base/instant.ts';
import { type HyStart, newHyStart } from './hystart.ts';
import {
  additiveIncrease,
  type CongestionControl,
  type Growth,
  type RoundTrip,
  slowStart,
  type Window,
} from './types.ts';

/** §4.1, §4.6: C in segments per cubed second, the multiplicative decrease factor. */
const C = 410 / 1024; // 0.4 as a binary fraction, like time below
const TICKS = 1024;
const BETA = 717 / 1024; // 0.7 as a binary fraction
/** §4.3: a Reno-friendly flow with the same average window grows by alpha segments a round trip. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** The target is looked at anew when the window has changed, or after this time. */
const REFRESH = 1e9 / 32;

export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  private readonly hystart: HyStart | undefined;
  /** W_max of §4.1.2: the window when it was last reduced. */
  private wMax = 0;
  /** When the present growth began; undefined: at the next acknowledgement. */
  private epoch: Instant | undefined = undefined;
  private k = 0;
  private origin = 0;
  /** W_est of §4.3, and segments acknowledged that have not yet raised it. */
  private wEst = 0;
  private acked = 0;
  private lastWindow = 0;
  private lastTime: Instant = 0;
  /** Segments that must be acknowledged for one more. */
  private per = 1;
  private minRtt = 0;

  private readonly ofWindow: boolean;

  /** `ofWindow`: the reduction is of cwnd, not of what is in flight (§4.6). */
  constructor(hystart?: HyStart, ofWindow = false) {
    this.hystart = hystart;
    this.ofWindow = ofWindow;
  }

  roundTrip(window: Window, trip: RoundTrip): void {
    if (trip.rtt === undefined || (this.epoch !== undefined && trip.now - this.epoch < 1e9)) return;
    if (this.minRtt === 0 || trip.rtt < this.minRtt) this.minRtt = trip.rtt;
    if (trip.inSlowStart) this.hystart?.roundTrip(window, trip);
  }

  grow(window: Window, growth: Growth): void {
    let left = growth.segments;
    if (window.cwnd < window.ssthresh) {
      left = slowStart(window, this.hystart?.limit(left) ?? left);
      if (left === 0) return;
    }
    this.update(window.cwnd, left, growth.now);
    additiveIncrease(window, this.per, left);
  }

  /** §4.6, with fast convergence (§4.7). */
  reduce(window: Window, flight: number): number {
    const cwnd = this.ofWindow ? window.cwnd : Math.min(flight, window.cwnd);
    this.epoch = undefined;
    this.wMax = cwnd < this.wMax ? Math.floor((cwnd * (1 + BETA)) / 2) : cwnd;
    return Math.max(Math.floor(cwnd * BETA), 2);
  }

  undo(window: Window): number {
    return Math.max(window.cwnd, window.prior);
  }

  /** §4.8: after a timeout everything begins anew. */
  timedOut(): void {
    this.wMax = 0;
    this.epoch = undefined;
    this.lastWindow = 0;
    this.lastTime = 0;
    this.acked = 0;
    this.minRtt = 0;
    this.hystart?.reset();
  }

  /** §5.8: the time in which nothing was sent does not count. */
  restart(now: Instant, idle: number): void {
    if (this.epoch !== undefined && idle > 0) this.epoch = Math.min(this.epoch + idle, now);
  }

  private update(cwnd: number, segments: number, now: Instant): void {
    this.acked += segments;
    if (this.lastWindow === cwnd && now - this.lastTime <= REFRESH) return;
    if (this.epoch === undefined || now !== this.lastTime) {
      this.lastWindow = cwnd;
      this.lastTime = now;
      this.follow(cwnd, segments, now);
    }
    this.befriendReno(cwnd);
    this.per = Math.max(this.per, 2); // §4.2: at most 1.5 times the window in a round trip
  }

  /** §4.2: W_cubic(t + RTT) = C (t - K)^3 + W_max. */
  private follow(cwnd: number, segments: number, now: Instant): void {
    if (this.epoch === undefined) {
      this.epoch = now;
      this.acked = segments;
      this.wEst = cwnd;
      this.k = this.wMax > cwnd ? Math.floor(Math.cbrt((this.wMax - cwnd) / C) * TICKS) / TICKS : 0;
      this.origin = Math.max(this.wMax, cwnd);
    }
    const t = Math.floor(((now - this.epoch + this.minRtt) / 1e9) * TICKS) / TICKS;
    // Whole segments: what is missing to W_max, or exceeds it, is rounded towards it.
    const target = this.origin + Math.trunc(C * (t - this.k) ** 3);
    this.per = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
    // Before the first loss nothing is known of the path, and a crawl would find nothing out.
    if (this.wMax === 0 && this.per > 20) this.per = 20;
  }

  /** §4.3: never slower than Reno would be. */
  private befriendReno(cwnd: number): void {
    const each = Math.floor(cwnd / ALPHA);
    while (each > 0 && this.acked > each) {
      this.acked -= each;
      this.wEst++;
    }
    if (this.wEst > cwnd) this.per = Math.min(this.per, Math.floor(cwnd / (this.wEst - cwnd)));
  }
}

/** With HyStart++ (RFC 9406). */
export const cubic = (): CongestionControl => new Cubic(newHyStart('rfc9406'));
/** With the older HyStart of Linux: trains of acknowledgements and a rise of the delay, without a second opinion. */
export const cubicOfLinux = (): CongestionControl => new Cubic(newHyStart('train'), true);
