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
const TRANSMIT = (1 << DUE.retransmit) | (1 << DUE.probe) | (1 << DUE.reordering) | (1 << DUE.persist);
/** Of all that have set none. */
const NONE: Instant[] = [];
/** Copied for the first that is set: quicker than filling an array. */
const ALL_NEVER = new Array<Instant>(COUNT).fill(NEVER);

export class Deadlines {
  /** Where the bit of a purpose is set in `bits`, its deadline. */
  private when = NONE;
  private bits = 0;

  get(purpose: Purpose): Instant {
    return this.isSet(purpose) ? this.when[purpose] : NEVER;
  }

  isSet(purpose: Purpose): boolean {
    return (this.bits & (1 << purpose)) !== 0;
  }

  /** Fractions of a nanosecond, as smoothed estimates have them, are rounded up. */
  set(purpose: Purpose, when: Instant): void {
    if (this.when === NONE) this.when = ALL_NEVER.slice();
    this.when[purpose] = Math.ceil(when);
    this.bits |= 1 << purpose;
  }

  /** Sets the one transmission timer, for this purpose. */
  setTransmit(purpose: TransmitPurpose, when: Instant): void {
    this.bits &= ~TRANSMIT;
    this.set(purpose, when);
  }

  clearTransmit(): void {
    this.bits &= ~TRANSMIT;
  }

  clear(purpose: Purpose): void {
    this.bits &= ~(1 << purpose);
  }

  clearAll(): void {
    this.bits = 0;
  }

  get earliest(): Instant {
    let least = NEVER;
    for (let left = this.bits; left !== 0; left &= left - 1) {
      const when = this.when[31 - Math.clz32(left & -left)];
      if (when < least) least = when;
    }
    return least;
  }

  /** A purpose whose time has come, its deadline cleared. Where none is set, the room for them is given back. */
  takeDue(now: Instant): Purpose | undefined {
    if (this.bits === 0) this.when = NONE;
    for (let purpose = 0; purpose < COUNT; purpose++) {
      if (this.get(purpose as Purpose) > now) continue;
      this.clear(purpose as Purpose);
      return purpose as Purpose;
    }
    return undefined;
  }
}
