/** For how long the sender was busy, and what held it: the other end's window, our buffer (RFC 4898's "SndLimTime..."). */
import type { Duration, Instant } from '../../base/instant.ts';

export type Limit = 'none' | 'busy' | 'window' | 'buffer';

export class LimitClock {
  private kind: Limit = 'none';
  private since: Instant = 0;
  private readonly spent: Record<Limit, Duration> = { none: 0, busy: 0, window: 0, buffer: 0 };

  /** What weighs most wins: a stop of the buffer outweighs one of the window, and that mere business. */
  start(now: Instant, kind: Limit): void {
    if (ORDER[kind] > ORDER[this.kind]) this.set(now, kind);
  }

  /** The reason is gone; `busy`: something is still under way. */
  stop(now: Instant, kind: Limit, busy: boolean): void {
    if (kind === this.kind || kind === 'busy') this.set(now, busy && kind !== 'busy' ? 'busy' : 'none');
  }

  /** Busy for whatever reason; the others are parts of it. */
  total(now: Instant, kind: Limit): Duration {
    const own = this.spent[kind] + (this.kind === kind ? now - this.since : 0);
    return kind === 'busy' ? own + this.total(now, 'window') + this.total(now, 'buffer') : own;
  }

  private set(now: Instant, kind: Limit): void {
    this.spent[this.kind] += now - this.since;
    this.since = now;
    this.kind = kind;
  }
}

const ORDER: Record<Limit, number> = { none: 0, busy: 1, window: 2, buffer: 3 };
