/** Round-trip time and retransmission timeout (RFC 6298). */
import { type Duration, type Instant, ms } from '../../base/instant.ts';
import { MinimumFilter } from './minimum.ts';

/** RFC 6298 §4: the clock's granularity G. Ours is a nanosecond; this keeps the variance term from vanishing. */
const GRANULARITY: Duration = ms(1);
/** BSD's table of back-offs ends with 512. */
const MOST_DOUBLINGS = 9;

/**
 * 'rfc6298' is the RFC to the letter. 'windowed' is how Linux has it since 2.4: the minimum applies to the variance
 * term, which rises at once, falls once a window and more slowly when the round-trip time falls.
 */
export type RtoRule = 'rfc6298' | 'windowed';

export interface RttSettings {
  initialRto: Duration;
  minRto: Duration;
  maxRto: Duration;
  rtoRule: RtoRule;
  rtoSlop: Duration;
  rttTrusted: number;
}

export class RttEstimator {
  /** Smoothed RTT; undefined before the first measurement. */
  srtt: Duration | undefined = undefined;
  rttvar: Duration = 0;
  /** The last sample that the congestion control was shown. */
  latest: Duration | undefined = undefined;
  /** The timeout now, backed off. */
  rto: Duration;
  /** How many times in a row it was backed off. */
  backoffs = 0;
  private readonly settings: RttSettings;
  private readonly minimum = new MinimumFilter();
  /** Mean deviation, and its greatest in the present window ('windowed'). */
  deviation = 0;
  private greatest = 0;

  constructor(settings: RttSettings) {
    this.settings = settings;
    this.rto = settings.initialRto;
  }

  /** The least RTT of the last minutes (RFC 8985 §6.2 step 1); Infinity before the first. */
  get min(): Duration {
    return this.minimum.value;
  }

  noteMinimum(now: Instant, rtt: Duration, window: Duration): void {
    this.minimum.add(now, rtt, window);
  }

  /** `newWindow`: everything that was out at the last such call has been acknowledged since. */
  sample(rtt: Duration, newWindow: boolean): void {
    if (this.settings.rtoRule === 'windowed') this.sampleWindowed(rtt, newWindow);
    else this.sampleRfc(rtt);
    this.reset();
  }

  /** RFC 6298 §2.2, §2.3: beta = 1/4 before alpha = 1/8. */
  private sampleRfc(rtt: Duration): void {
    const isForgotten = this.srtt === 0 && this.settings.rttTrusted !== Number.POSITIVE_INFINITY;
    if (this.srtt === undefined || isForgotten) {
      this.srtt = rtt;
      this.rttvar = rtt / 2;
    } else {
      this.rttvar = 0.75 * this.rttvar + 0.25 * Math.abs(this.srtt - rtt);
      this.srtt = 0.875 * this.srtt + 0.125 * rtt;
    }
  }

  private sampleWindowed(rtt: Duration, newWindow: boolean): void {
    const { minRto } = this.settings;
    const floor = minRto / 4;
    if (this.srtt === undefined) {
      this.srtt = rtt;
      this.deviation = rtt / 2;
      this.rttvar = Math.max(this.deviation, floor);
      this.greatest = this.rttvar;
      return;
    }
    const error = rtt - this.srtt;
    this.srtt += error / 8;
    let change = Math.abs(error) - this.deviation;
    if (error < 0 && change > 0) change /= 8;
    this.deviation += change / 4;
    if (this.deviation > this.greatest) {
      this.greatest = this.deviation;
      if (this.greatest > this.rttvar) this.rttvar = this.greatest;
    }
    if (newWindow) {
      if (this.greatest < this.rttvar) this.rttvar -= (this.rttvar - this.greatest) / 4;
      this.greatest = floor;
    }
  }

  /** The timeout without back-off: §2.4, §2.5, and §5.7's "recalculated" value once there is a sample. */
  reset(): void {
    const { maxRto, rtoSlop } = this.settings;
    this.backoffs = 0;
    if (this.srtt !== undefined) this.rto = Math.round(Math.min(this.base + rtoSlop, maxRto));
  }

  /** What is backed off, before a slop is added to it. */
  private get base(): Duration {
    const { initialRto, minRto, rtoRule } = this.settings;
    if (this.srtt === undefined) return initialRto;
    const base = this.srtt + Math.max(GRANULARITY, 4 * this.rttvar);
    return rtoRule === 'windowed' ? base : Math.max(base, minRto);
  }

  /** §5.5: the timer expired. */
  backOff(): void {
    this.backoffs++;
    const { rtoSlop, maxRto } = this.settings;
    // What is added is added once, however far it was backed off.
    const doublings = Math.min(this.backoffs, MOST_DOUBLINGS);
    const backedOff = rtoSlop === 0 ? this.rto * 2 : this.base * 2 ** doublings + rtoSlop;
    this.rto = Math.min(Math.round(backedOff), maxRto);
    if (this.backoffs > this.settings.rttTrusted && this.srtt !== undefined) this.forget(this.srtt);
  }

  /** What is left of SRTT goes into the variance, until there is a new sample: that is then the first (BSD). */
  private forget(srtt: Duration): void {
    this.rttvar += srtt / 16;
    this.srtt = 0;
  }

  /** BSD's interval of window probes, before it is backed off: by SRTT and RTTVAR alone, and generously. */
  get persistence(): Duration {
    return 4 * (this.srtt ?? 0) + 8 * (this.srtt === undefined ? this.settings.initialRto / 4 : this.rttvar);
  }

  /** The timeout as `n` back-offs would make it, for timers that count their own (window probes). */
  backedOff(n: number): Duration {
    return Math.min(this.rto * 2 ** Math.min(n, 30), this.settings.maxRto);
  }

  /** §5.7: the SYN was retransmitted, so nothing is known of the path: 3 seconds once data flows. */
  afterLostSyn(least: Duration): void {
    if (this.srtt === undefined) this.rto = Math.max(this.settings.initialRto, least);
  }
}
