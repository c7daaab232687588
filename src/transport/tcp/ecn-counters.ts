/** AccECN's receiving half (RFC 9768 §3.2): what has arrived by codepoint, and the option that tells of the bytes. */
import type { Duration, Instant } from '../../base/instant.ts';
import type { AccEcnField } from '../../wire/tcp.ts';
import { BYTES_24, CE, ECT0, ECT1, type EcnBytes, initialBytes, NOT_ECT } from './ecn-field.ts';

const MOST_FIELDS = 3;

/** How the option, `fields` of it, and `blocks` SACK blocks share what is left of a header; no fields below 0. */
export interface OptionFit {
  blocks: number;
  fields: number;
}

/** Scratch: read before the next question. */
const FIT: OptionFit = { blocks: 0, fields: -1 };

export class EcnCounters {
  /** §3.2.1: r.cep without its initial value, r.e0b, r.e1b and r.ceb with theirs. */
  packets = 0;
  readonly bytes = initialBytes();
  /** An ECN-capable packet has come. */
  hasSeen = false;
  /** Marks since we acknowledged last. */
  unanswered = 0;
  private last = NOT_ECT;
  /** The codepoint has changed since then. */
  private hasChanged = false;
  /** Acknowledgements that have to carry the option, where not all do. */
  private demand = 0;
  private toldAt: Instant = 0;
  /** The fields that have news since the option went last: so many at least are to be told. */
  private fresh = 0;

  begin(codepoint: number): void {
    this.last = codepoint;
    this.demand = 1;
  }

  /** §3.2.2: all packets count, those without data too. `length`: of data, be it new or not. */
  arrived(codepoint: number, length: number, pieces: number): void {
    const changed = codepoint !== this.last;
    this.hasChanged ||= changed;
    this.last = codepoint;
    if (changed || codepoint === CE) this.demand = 2;
    if (codepoint === NOT_ECT) return;
    this.hasSeen = true;
    if (codepoint === CE) {
      this.packets += pieces;
      this.unanswered += pieces;
    }
    if (length === 0) return;
    const name = codepoint === ECT0 ? 'e0b' : codepoint === ECT1 ? 'e1b' : 'ceb';
    this.bytes[name] = (this.bytes[name] + length) & BYTES_24;
    this.fresh = Math.max(this.fresh, codepoint === ECT1 ? 1 : codepoint === CE ? 2 : 3);
  }

  /** §3.2.2.5.1: a change of codepoint is acknowledged at once, and so are `most` marks. */
  isUrgent(most: number): boolean {
    return this.hasChanged || this.unanswered >= most;
  }

  /** An acknowledgement is on its way. */
  answered(): void {
    this.unanswered = 0;
    this.hasChanged = false;
  }

  /**
   * Is the option wanted on the next acknowledgement, where it is sent only when there is something to tell, and so many
   * times a round trip?
   */
  isWanted(now: Instant, srtt: Duration | undefined, times: number): boolean {
    return this.demand > 0 || (times > 0 && (now - this.toldAt) * times >= (srtt ?? 0));
  }

  /** `room`: bytes of options that are left beside `blocks` SACK blocks, of which one or two may give way to news. */
  fit(room: number, blocks: number): OptionFit {
    const least = this.fresh;
    for (let kept = blocks; ; kept--) {
      const left = room + 8 * (blocks - kept);
      FIT.blocks = kept;
      for (FIT.fields = MOST_FIELDS; FIT.fields >= least; FIT.fields--)
        if (optionLength(FIT.fields, kept > 0) <= left) return FIT;
      if (kept <= 2 || least === 0) break;
    }
    FIT.blocks = blocks;
    FIT.fields = -1;
    return FIT;
  }

  /** §3.2.3: order 1, as many fields as are said. */
  tell(now: Instant, fields: number): readonly AccEcnField[] {
    this.fresh = 0;
    this.toldAt = now;
    if (this.demand > 0) this.demand--;
    return inOrder(this.bytes).slice(0, fields);
  }
}

const inOrder = ({ e1b, ceb, e0b }: EcnBytes): AccEcnField[] => [
  { name: 'e1b', value: e1b },
  { name: 'ceb', value: ceb },
  { name: 'e0b', value: e0b },
];

/** On a SYN+ACK nothing is counted yet. */
export const INITIAL_OPTION: readonly AccEcnField[] = inOrder(initialBytes());

/** Kind, length and 24 bits for each field, in whole words; `joined`: two of its bytes may stand where SACK's padding would. */
export function optionLength(fields: number, joined: boolean): number {
  if (fields < 0) return 0;
  const length = 2 + 3 * fields;
  return joined && (length & 3) <= 2 ? length & ~3 : (length + 3) & ~3;
}
