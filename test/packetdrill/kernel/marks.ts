/** What the path and the script's end say of congestion (RFC 3168), honest for the most part. */
import type { Random } from '../../../src/base/random.ts';

const NOT_ECT = '[noecn] ';
const CODEPOINTS = [NOT_ECT, '[ect1] ', '[ect0] ', '[ce] '];

export class Marks {
  private readonly random: Random;
  private agreed = false;
  /** How often the path marks, each way. */
  private readonly share: number;
  private echoes = false;

  constructor(random: Random) {
    this.random = random;
    this.share = this.pick([0.05, 0.2, 0.4]);
  }

  /** A SYN's or a SYN+ACK's codepoint and flags. */
  handshake(flags: 'S' | 'S.'): string {
    const asked = flags === 'S' ? 'SEW' : 'SE.';
    const odd = flags === 'S' ? ['SEWA', 'SE', 'SW', 'S'] : ['S.'];
    const shown = this.random.chance(0.7) ? asked : this.pick(odd);
    this.agreed = shown === asked;
    return `${this.random.chance(0.7) ? NOT_ECT : this.pick(CODEPOINTS)}${shown}`;
  }

  /** Codepoint and flags of what follows. */
  mark(flags: string, length: number): string {
    if (!this.agreed) return this.random.chance(0.9) ? flags : `${this.pick(CODEPOINTS)}${flags}`;
    let codepoint = length > 0 ? CODEPOINTS[2] : NOT_ECT;
    if (this.random.chance(this.share)) codepoint = length > 0 || this.random.chance(0.1) ? CODEPOINTS[3] : NOT_ECT;
    else if (this.random.chance(0.05)) codepoint = this.pick(CODEPOINTS);
    if (this.random.chance(this.share)) this.echoes = !this.echoes;
    const more = `${this.echoes ? 'E' : ''}${length > 0 && this.random.chance(0.2) ? 'W' : ''}`;
    return /[SR]/.test(flags) ? flags : codepoint + flags + more;
  }

  private pick<T>(of: readonly T[]): T {
    return of[this.random.below(of.length)];
  }
}
