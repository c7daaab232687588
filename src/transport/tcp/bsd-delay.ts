/** BSD's delayed acknowledgement: the first segment starts a timer, the second stops it (DELAY_ACK in tcp_input.c). */
import type { Instant } from '../../base/instant.ts';
import type { Segment } from '../../wire/tcp.ts';
import { FixedDelay, largestOf, type Received } from './ack-policy.ts';

export class BsdDelay extends FixedDelay {
  private segments = 0;
  private atOnce = false;

  override established(mss: number): void {
    this.largest = mss;
  }

  /** What is larger than a segment, or probes a window that was closed, is not kept waiting. */
  override received(_now: Instant, segment: Segment, { lastOffered }: Received): void {
    this.segments += segment.pieces;
    if (largestOf(segment) > this.largest || lastOffered === 0) this.atOnce = true;
  }

  override due(now: Instant): Instant {
    return this.atOnce || this.segments >= 2 ? now : now + this.delay;
  }

  override acknowledged(): void {
    this.segments = 0;
    this.atOnce = false;
  }
}
