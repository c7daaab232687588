/** What the path and the script's end say of congestion (RFC 3168, RFC 9768), honest for the most part. */
import type { Random } from '../../../src/base/random.ts';

const NOT_ECT = '[noecn] ';
const CODEPOINTS = [NOT_ECT, '[ect1] ', '[ect0] ', '[ce] '];

export class Marks {
  private readonly random: Random;
  private agreed = false;
  /** How often the path marks, each way. */
  private readonly share: number;
  private echoes = false;
  /** RFC 9768's counters, in the option too where it is told. */
  private readonly accurate: boolean;
  private readonly tellsBytes: boolean;
  private marked = 0;
  private markedBytes = 0;

  constructor(random: Random, accurate: boolean) {
    this.random = random;
    this.accurate = accurate;
    this.tellsBytes = accurate && random.chance(0.6);
    this.share = this.pick([0.05, 0.2, 0.4]);
  }

  /** A SYN's or a SYN+ACK's codepoint and flags. */
  handshake(flags: 'S' | 'S.'): string {
    if (this.accurate) {
      this.agreed = true;
      return `${this.pick(CODEPOINTS)}${this.pick(['SW.', 'SW.', 'SA.', 'SEW.', 'SWA.'])}`;
    }
    const asked = flags === 'S' ? 'SEW' : 'SE.';
    const odd = flags === 'S' ? ['SEWA', 'SE', 'SW', 'S'] : ['S.'];
    const shown = this.random.chance(0.7) ? asked : this.pick(odd);
    this.agreed = shown === asked;
    return `${this.random.chance(0.7) ? NOT_ECT : this.pick(CODEPOINTS)}${shown}`;
  }

  /** Codepoint and flags of what follows. */
  mark(flags: string, length: number): string {
    if (!this.agreed) return this.random.chance(0.9) ? flags : `${this.pick(CODEPOINTS)}${flags}`;
    if (/[SR]/.test(flags)) return flags;
    if (this.accurate) return this.counted(flags);
    let codepoint = length > 0 ? CODEPOINTS[2] : NOT_ECT;
    if (this.random.chance(this.share)) codepoint = length > 0 || this.random.chance(0.1) ? CODEPOINTS[3] : NOT_ECT;
    else if (this.random.chance(0.05)) codepoint = this.pick(CODEPOINTS);
    if (this.random.chance(this.share)) this.echoes = !this.echoes;
    const more = `${this.echoes ? 'E' : ''}${length > 0 && this.random.chance(0.2) ? 'W' : ''}`;
    return codepoint + flags + more;
  }

  private counted(flags: string): string {
    if (this.random.chance(this.share)) {
      const more = this.pick([1, 1, 2, 3]);
      this.marked += more;
      this.markedBytes += more * 1000;
    }
    const ace = (5 + this.marked) & 7;
    const codepoint = this.random.chance(this.share) ? CODEPOINTS[3] : CODEPOINTS[this.random.chance(0.9) ? 2 : 1];
    return `${codepoint}${flags}${ace === 0 ? '' : ace}`;
  }

  /** The option, where it is told: of `acked` bytes that were received. */
  option(acked: number): string {
    if (!this.tellsBytes) return '';
    const ceb = Math.min(this.markedBytes, acked);
    const all = [`e1b 1`, `ceb ${ceb}`, `e0b ${1 + acked - ceb}`];
    const [count, padding] = this.pick([
      [3, ',nop'],
      [3, ',nop'],
      [2, ''],
    ] as const);
    return `ECN ${all.slice(0, count).join(' ')}${padding}`;
  }

  private pick<T>(of: readonly T[]): T {
    return of[this.random.below(of.length)];
  }
}
