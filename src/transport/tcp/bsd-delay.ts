/** BSD's delayed acknowledgement: the first segment starts a timer, the second stops it (DELAY_ACK in tcp_input.c). */
import type { Duration, Instant } from '../../base/instant.ts';
import { type Arrival, FixedDelay } from './ack-policy.ts';

export class BsdDelay extends FixedDelay {
  private atOnce = false;

  /** `mss`: what segments hold at most, until more is known. */
  constructor(delay: Duration, mss: number) {
    super(delay, mss);
  }

  override established(mss: number): void {
    this.largest = mss;
  }

  /** What is larger than a segment, or probes a window that was closed, is not kept waiting. */
  override received(_now: Instant, { length, pieces, window }: Arrival): void {
    this.segments += pieces;
    if (length > this.largest || window === 0) this.atOnce = true;
  }

  override due(now: Instant): Instant {
    return this.atOnce || this.segments >= 2 ? now : now + this.delay;
  }

  override acknowledged(): void {
    super.acknowledged();
    this.atOnce = false;
  }
}
