/** Round-trip time and retransmission timeout (RFC 6298). */
import { type Duration, ms, seconds } from '../../base/instant.ts';

/** RFC 6298 §4: the clock's granularity G. Ours is a nanosecond; this keeps the variance term from vanishing. */
const GRANULARITY: Duration = ms(1);

export class RttEstimator {
  /** Smoothed RTT; undefined before the first measurement. */
  srtt: Duration | undefined;
  rttvar: Duration = 0;
  private readonly minRto: Duration;
  private readonly maxRto: Duration;
  private base: Duration;
  private shift = 0;

  constructor(initialRto: Duration, minRto: Duration, maxRto: Duration) {
    this.base = initialRto;
    this.minRto = minRto;
    this.maxRto = maxRto;
  }

  /** The timeout now, backed off. */
  get rto(): Duration {
    return Math.min(this.base * 2 ** this.shift, this.maxRto);
  }

  /** How many times in a row the timer has expired. */
  get backoffs(): number {
    return this.shift;
  }

  sample(rtt: Duration): void {
    if (this.srtt === undefined) {
      this.srtt = rtt;
      this.rttvar = rtt / 2; // §2.2
    } else {
      this.rttvar = 0.75 * this.rttvar + 0.25 * Math.abs(this.srtt - rtt); // §2.3: beta = 1/4 before alpha = 1/8
      this.srtt = 0.875 * this.srtt + 0.125 * rtt;
    }
    const rto = this.srtt + Math.max(GRANULARITY, 4 * this.rttvar);
    this.base = Math.round(Math.min(Math.max(rto, this.minRto), this.maxRto)); // §2.4, §2.5
  }

  /** §5.5: the timer expired. */
  backOff(): void {
    this.shift = Math.min(this.shift + 1, 30);
  }

  /** New data was acknowledged: RFC 6298 §5.3 with §5.7's "recalculated" value. */
  resetBackOff(): void {
    this.shift = 0;
  }

  /** §5.7: the SYN was retransmitted, so nothing is known of the path: 3 seconds once data flows. */
  afterLostSyn(): void {
    if (this.srtt === undefined) this.base = Math.max(this.base, seconds(3));
  }
}
