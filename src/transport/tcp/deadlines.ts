/** One named deadline for each purpose; a connection's deadline is the earliest. */
import { type Instant, NEVER } from '../../base/instant.ts';

/**
 * The first four take turns: RFC 8985 §7.2 has the probe timeout in place of the retransmission timeout, not beside it,
 * and while nothing is in flight only the persist timer runs.
 */
export const PURPOSES = [
  'retransmit',
  'probe',
  'reordering',
  'persist',
  'delayedAck',
  'compressedAck',
  'keepAlive',
  'timeWait',
  'finWait2',
  'userTimeout',
  'linger',
  'pace',
] as const;

export type Purpose = (typeof PURPOSES)[number];
export type TransmitPurpose = 'retransmit' | 'probe' | 'reordering' | 'persist';

export class Deadlines {
  private readonly when: Record<Purpose, Instant> = {
    retransmit: NEVER,
    probe: NEVER,
    reordering: NEVER,
    persist: NEVER,
    delayedAck: NEVER,
    compressedAck: NEVER,
    keepAlive: NEVER,
    timeWait: NEVER,
    finWait2: NEVER,
    userTimeout: NEVER,
    linger: NEVER,
    pace: NEVER,
  };
  private least: Instant = NEVER;
  private stale = false;

  get(purpose: Purpose): Instant {
    return this.when[purpose];
  }

  isSet(purpose: Purpose): boolean {
    return this.when[purpose] !== NEVER;
  }

  /** Fractions of a nanosecond, as smoothed estimates have them, are rounded up. */
  set(purpose: Purpose, when: Instant): void {
    this.when[purpose] = Math.ceil(when);
    this.stale = true;
  }

  /** Sets the one transmission timer, for this purpose. */
  setTransmit(purpose: TransmitPurpose, when: Instant): void {
    this.clearTransmit();
    this.when[purpose] = Math.ceil(when);
  }

  clearTransmit(): void {
    this.when.retransmit = NEVER;
    this.when.probe = NEVER;
    this.when.reordering = NEVER;
    this.when.persist = NEVER;
    this.stale = true;
  }

  clear(purpose: Purpose): void {
    if (this.when[purpose] === NEVER) return;
    this.when[purpose] = NEVER;
    this.stale = true;
  }

  clearAll(): void {
    for (const purpose of PURPOSES) this.when[purpose] = NEVER;
    this.stale = true;
  }

  get earliest(): Instant {
    if (this.stale) {
      this.least = NEVER;
      for (const purpose of PURPOSES) if (this.when[purpose] < this.least) this.least = this.when[purpose];
      this.stale = false;
    }
    return this.least;
  }

  /** A purpose whose time has come, its deadline cleared. */
  takeDue(now: Instant): Purpose | undefined {
    for (const purpose of PURPOSES) {
      if (this.when[purpose] <= now) {
        this.clear(purpose);
        return purpose;
      }
    }
    return undefined;
  }
}
