/** One named deadline for each purpose; a connection's deadline is the earliest. */
import { type Instant, NEVER } from '../../base/instant.ts';

export const PURPOSES = [
  'retransmit',
  'persist',
  'delayedAck',
  'keepAlive',
  'timeWait',
  'finWait2',
  'userTimeout',
  'linger',
] as const;

export type Purpose = (typeof PURPOSES)[number];

export class Deadlines {
  private readonly when: Record<Purpose, Instant> = {
    retransmit: NEVER,
    persist: NEVER,
    delayedAck: NEVER,
    keepAlive: NEVER,
    timeWait: NEVER,
    finWait2: NEVER,
    userTimeout: NEVER,
    linger: NEVER,
  };

  get(purpose: Purpose): Instant {
    return this.when[purpose];
  }

  isSet(purpose: Purpose): boolean {
    return this.when[purpose] !== NEVER;
  }

  set(purpose: Purpose, when: Instant): void {
    this.when[purpose] = when;
  }

  clear(purpose: Purpose): void {
    this.when[purpose] = NEVER;
  }

  clearAll(): void {
    for (const purpose of PURPOSES) this.when[purpose] = NEVER;
  }

  get earliest(): Instant {
    let least = NEVER;
    for (const purpose of PURPOSES) if (this.when[purpose] < least) least = this.when[purpose];
    return least;
  }

  /** A purpose whose time has come, its deadline cleared. */
  takeDue(now: Instant): Purpose | undefined {
    for (const purpose of PURPOSES) {
      if (this.when[purpose] <= now) {
        this.when[purpose] = NEVER;
        return purpose;
      }
    }
    return undefined;
  }
}
