/** ICMP errors are limited (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)), by a bucket of 50 that one more fills every 10 ms. */
import { type Instant, ms } from '../base/instant.ts';
import type { Context } from '../trace/events.ts';

const MOST = 50;
const REFILL = ms(10);

export class ErrorLimit {
  private readonly context: Context;
  private tokens = MOST;
  private filledAt: Instant = 0;

  constructor(context: Context) {
    this.context = context;
  }

  /** Takes one; what is refused is counted as a drop. */
  allow(): boolean {
    const now = this.context.scheduler.now();
    this.tokens = Math.min(MOST, this.tokens + (now - this.filledAt) / REFILL);
    this.filledAt = now;
    if (this.tokens < 1) {
      this.context.drop('icmp', 'icmp-rate-limit');
      return false;
    }
    this.tokens -= 1;
    return true;
  }
}
