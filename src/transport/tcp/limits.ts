/** For how long the sender was busy, and what held it: the other end's window, our buffer (RFC 4898's "SndLimTime..."). */
import type { Duration, Instant } from '../../base/instant.ts';

/** In order of weight: a stop of the buffer outweighs one of the window, and that mere business. */
export const LIMIT = { none: 0, busy: 1, window: 2, buffer: 3 } as const;
export type Limit = (typeof LIMIT)[keyof typeof LIMIT];

export class LimitClock {
  private kind: Limit = LIMIT.none;
  private since: Instant = 0;
  /** Time spent with each reason. */
  private busy: Duration = 0;
  private window: Duration = 0;
  private buffer: Duration = 0;

  /** What weighs most wins. */
  start(now: Instant, kind: Limit): void {
    if (kind > this.kind) this.set(now, kind);
  }

  /** The reason is gone; `busy`: something is still under way. */
  stop(now: Instant, kind: Limit, busy: boolean): void {
    if (kind === this.kind || kind === LIMIT.busy) this.set(now, busy && kind !== LIMIT.busy ? LIMIT.busy : LIMIT.none);
  }

  /** Busy for whatever reason; the others are parts of it. */
  total(now: Instant, kind: Limit): Duration {
    const own = this.spent(kind) + (this.kind === kind ? now - this.since : 0);
    return kind === LIMIT.busy ? own + this.total(now, LIMIT.window) + this.total(now, LIMIT.buffer) : own;
  }

  private set(now: Instant, kind: Limit): void {
    const time = now - this.since;
    if (this.kind === LIMIT.busy) this.busy += time;
    else if (this.kind === LIMIT.window) this.window += time;
    else if (this.kind === LIMIT.buffer) this.buffer += time;
    this.since = now;
    this.kind = kind;
  }

  private spent(kind: Limit): Duration {
    return kind === LIMIT.busy ? this.busy : kind === LIMIT.window ? this.window : this.buffer;
  }
}
