/** AccECN's sending half (RFC 9768 §3.2.2.5, appendix A): how much of what we sent was marked, by what the other end tells. */
import type { AccEcnField } from '../../wire/tcp.ts';
import { BYTES_24, initialBytes } from './ecn-field.ts';

/** §3.2.1: r.cep begins at 5, so that a field of zeros is no answer. */
export const INITIAL_CE = 5;
export const ACE_MASK = 7;
/** Segments that an acknowledgement stands for on average, from which on it is many because they are thinned out. */
const MANY_AT_ONCE = 4;
const WEIGHT = 1 / 64;

type Counter = AccEcnField['name'];

export class EcnFeedback {
  /** s.cep without its initial value. */
  packets = 0;
  /** s.e0b, s.e1b and s.ceb with their initial values. */
  readonly bytes = initialBytes();
  /** What the first option said of itself; nothing is read of one that was changed on the way (§3.2.3.2.4). */
  option: 'not seen' | 'empty' | 'seen' | 'zeroed' = 'not seen';
  private readonly isLinux: boolean;
  /** Linux: the codepoint of which bytes were told last, where it was one alone; only then are bytes believed. */
  private estimate: Counter | undefined = undefined;
  private average = 0;

  constructor(isLinux: boolean) {
    this.isLinux = isLinux;
  }

  /** An option came, on a SYN+ACK or later: has somebody set its counters to zero, where they never begin so? */
  review(option: readonly AccEcnField[] | undefined): void {
    if (option === undefined || this.option === 'seen' || this.option === 'zeroed') return;
    if (option.length === 0) this.option = 'empty';
    else this.option = option[0].value === 0 || option[2]?.value === 0 ? 'zeroed' : 'seen';
  }

  /** The packets that it tells to be marked. `packets` and `bytes` were delivered by it; `mss`, bytes of one. */
  read(ace: number, option: readonly AccEcnField[] | undefined, packets: number, bytes: number, mss: number): number {
    const before = this.bytes.ceb;
    const isSure = this.takeOption(option, bytes);
    if (packets > 0) this.average += this.average === 0 ? packets : (packets - this.average) * WEIGHT;
    const marked = isSure ? (this.bytes.ceb - before) & BYTES_24 : undefined;
    const marks = this.marksOf(ace, marked, packets, bytes, mss);
    this.packets += marks;
    return marks;
  }

  /**
   * §3.2.2.5.2: where so much was delivered that the field may have gone round, as many are taken for marked as the
   * field allows, unless the bytes say otherwise (appendix A.2).
   */
  private marksOf(ace: number, marked: number | undefined, packets: number, bytes: number, mss: number): number {
    const least = (ace - INITIAL_CE - this.packets) & ACE_MASK;
    if (packets <= ACE_MASK) return least;
    const most = packets - ((packets - least) & ACE_MASK);
    // Acknowledgements that are thinned out all the time say nothing of a field that went round.
    if (marked === undefined) return this.average > MANY_AT_ONCE ? least : most;
    if (marked === 0) return least;
    if (packets > 2 * ACE_MASK + 1) {
      const share = bytes <= marked ? packets : Math.ceil((marked * packets) / bytes);
      return Math.min(most, least + (share & ~ACE_MASK));
    }
    if (marked > least * mss) return most;
    return marked < (most * mss) / 2 ? least : most;
  }

  /** True: what it tells of bytes is clear. */
  private takeOption(option: readonly AccEcnField[] | undefined, delivered: number): boolean {
    if (this.option === 'zeroed') return false;
    const { estimate } = this;
    if (option === undefined) {
      if (!this.isLinux || estimate === undefined) return false;
      this.bytes[estimate] = (this.bytes[estimate] + delivered) & BYTES_24;
      return true;
    }
    let isClear = true;
    let changed: Counter | undefined;
    for (const { name, value } of option) {
      const more = (value - this.bytes[name]) & BYTES_24;
      this.bytes[name] = value;
      if (more === 0) continue;
      // Less than before: an older acknowledgement, overtaken. Of more than one other codepoint, Linux is not sure.
      if (more > BYTES_24 >> 1) isClear = false;
      if (name === estimate) continue;
      if (this.isLinux && changed !== undefined) isClear = false;
      changed ??= name;
    }
    if (!isClear) this.estimate = undefined;
    else if (changed !== undefined) this.estimate = changed;
    // Linux takes bytes for known that the option does not tell of: they have not changed.
    return isClear && (this.isLinux ? estimate !== undefined : option.some(({ name }) => name === 'ceb'));
  }
}
