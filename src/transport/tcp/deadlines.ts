/** One named deadline for each purpose; a connection's deadline is the earliest. */
import { type Instant, NEVER } from '../../base/instant.ts';

/**
 * The first four take turns: RFC 8985 §7.2 has the probe timeout in place of the retransmission timeout, not beside it,
 * and while nothing is in flight only the persist timer runs.
 */
export const DUE = {
  retransmit: 0,
  probe: 1,
  reordering: 2,
  persist: 3,
  delayedAck: 4,
  compressedAck: 5,
  keepAlive: 6,
  timeWait: 7,
  finWait2: 8,
  userTimeout: 9,
  linger: 10,
  pace: 11,
} as const;

export type Purpose = (typeof DUE)[keyof typeof DUE];
export type TransmitPurpose = typeof DUE.retransmit | typeof DUE.probe | typeof DUE.reordering | typeof DUE.persist;

const COUNT = 12;

export class Deadlines {
  private readonly when: Instant[] = new Array<Instant>(COUNT).fill(NEVER);
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
    const { when } = this;
    when[DUE.retransmit] = NEVER;
    when[DUE.probe] = NEVER;
    when[DUE.reordering] = NEVER;
    when[DUE.persist] = NEVER;
    this.stale = true;
  }

  clear(purpose: Purpose): void {
    if (this.when[purpose] === NEVER) return;
    this.when[purpose] = NEVER;
    this.stale = true;
  }

  clearAll(): void {
    this.when.fill(NEVER);
    this.stale = true;
  }

  get earliest(): Instant {
    if (this.stale) {
      let least = NEVER;
      for (let purpose = 0; purpose < COUNT; purpose++) if (this.when[purpose] < least) least = this.when[purpose];
      this.least = least;
      this.stale = false;
    }
    return this.least;
  }

  /** A purpose whose time has come, its deadline cleared. */
  takeDue(now: Instant): Purpose | undefined {
    const purpose = this.when.findIndex(when => when <= now);
    if (purpose < 0) return undefined;
    this.clear(purpose as Purpose);
    return purpose as Purpose;
  }
}
