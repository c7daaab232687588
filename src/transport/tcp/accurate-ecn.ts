/**
 * Accurate ECN (RFC 9768): each end counts the marked packets that it has received, and the bytes by their codepoint. The
 * low bits of the first go back in every segment (the ACE field), the others in an option where there is room.
 */
import type { AccEcnField } from '../../wire/tcp.ts';
import { aceFlags, aceOf, CE, ECT0, ECT1, NOT_ECT } from './ecn-field.ts';

/** §3.1.1, table 2: the ACE field of a SYN+ACK, and §3.2.2.1 of the ACK of one, tells the codepoint of what it answers. */
const HANDSHAKE = [2, 3, 4, 6];
/** §3.1.2: a SYN+ACK with 101 is taken to say that the SYN arrived unchanged. */
const RESERVED = 5;
/** §3.2.1: counters begin at 5 and at 1, so that fields of zeros are no answer. */
const INITIAL_CE = 5;
const BYTES_24 = 0xffffff;
const ACE_MASK = 7;
/** §3.2.2.5.1: marks since the last acknowledgement at which one is due at once ("n SHOULD be 2"). */
const MARKS_TO_ANSWER = 2;

export class AccurateEcn {
  readonly isAccurate = true;
  hasSeen = false;
  /** Something on the way changes the fields that it should leave alone: nothing of ours is ECN-capable then (§3.2.2.3). */
  isMangled = false;
  /** §3.2.1: r.cep without its initial value, r.e0b, r.e1b and r.ceb with theirs. */
  private received = 0;
  private readonly bytes = { e0b: 1, e1b: 1, ceb: 0 };
  /** s.cep and s.ceb, as the other end has told. */
  private told = 0;
  private readonly toldBytes = { e0b: 1, e1b: 1, ceb: 0 };
  /** The other end sends the option, so it gets through. */
  private optionSeen = false;
  private unanswered = 0;
  private last = NOT_ECT;
  /** The codepoint has changed since we acknowledged last. */
  private hasChanged = false;
  /** The fields that have news since the option went last: so many at least are to be told. */
  private fresh = 0;
  private readonly synCodepoint: number;
  private handshakeAce: number | undefined;
  private readonly isLinux: boolean;
  /** Linux: the codepoint of which bytes were told last, where it was one alone; only then are bytes believed. */
  private estimate: AccEcnField['name'] | undefined;

  /**
   * `synCodepoint`: with which the other end's SYN or SYN+ACK came. `feedback`, of a client: the ACE field of the SYN+ACK,
   * which says how our SYN arrived; our next ACK says the same of the SYN+ACK.
   */
  constructor(isLinux: boolean, synCodepoint: number, feedback?: number) {
    this.isLinux = isLinux;
    this.synCodepoint = synCodepoint;
    if (feedback === undefined) this.last = synCodepoint;
    else this.beginAsClient(synCodepoint, feedback);
  }

  private beginAsClient(synCodepoint: number, feedback: number): void {
    this.handshakeAce = HANDSHAKE[synCodepoint];
    // A SYN of ours is never ECN-capable, and nobody may make it so. Linux looks at it where it would count for something.
    const unchanged = feedback === HANDSHAKE[NOT_ECT] || feedback === RESERVED;
    this.isMangled = !unchanged && (synCodepoint === CE || !this.isLinux);
    if (synCodepoint === CE && !this.isMangled) this.received++;
  }

  // --- as receiver

  get synAckFlags(): number {
    return aceFlags(HANDSHAKE[this.synCodepoint]);
  }

  /**
   * §3.2.2.2: all packets count, those without data too; `length`: of data that is new. True: one that is acknowledged
   * (acknowledgements of acknowledgements would never end) is to be so at once (§3.2.2.5.1).
   */
  packetArrived(codepoint: number, length: number, isAcknowledged: boolean): boolean {
    this.hasChanged ||= codepoint !== this.last;
    this.last = codepoint;
    if (codepoint !== NOT_ECT) this.count(codepoint, length);
    return isAcknowledged && (this.hasChanged || this.unanswered >= MARKS_TO_ANSWER);
  }

  /** The ACE field is as the last one: no news. */
  expects(flags: number): boolean {
    return aceOf(flags) === ((this.told + INITIAL_CE) & ACE_MASK);
  }

  private count(codepoint: number, length: number): void {
    this.hasSeen = true;
    if (codepoint === CE) {
      this.received++;
      this.unanswered++;
    }
    if (length === 0) return;
    const name = codepoint === ECT0 ? 'e0b' : codepoint === ECT1 ? 'e1b' : 'ceb';
    this.bytes[name] = (this.bytes[name] + length) & BYTES_24;
    this.fresh = Math.max(this.fresh, codepoint === ECT1 ? 1 : codepoint === CE ? 2 : 3);
  }

  /** The ACE field of a segment that goes out now. */
  get ackFlags(): number {
    const ace = this.handshakeAce ?? this.received + INITIAL_CE;
    this.handshakeAce = undefined;
    this.unanswered = 0;
    this.hasChanged = false;
    return aceFlags(ace & ACE_MASK);
  }

  /** Bytes of the option within `room`, padding reckoned in; `joined`: two of them stand where padding would. */
  optionLength(room: number, joined: boolean): number {
    const fields = this.fieldsWithin(room, joined);
    return fields < 0 ? 0 : paddedLength(fields, joined);
  }

  /** §3.2.3: order 1, as many fields as there is room for and none that would leave news out. */
  option(room: number, joined: boolean, isSynAck: boolean): readonly AccEcnField[] {
    const fields = isSynAck ? 3 : this.fieldsWithin(room, joined);
    if (fields <= 0 || paddedLength(fields, joined) > room) return [];
    this.fresh = 0;
    const { e1b, ceb, e0b } = isSynAck ? { e1b: 1, ceb: 0, e0b: 1 } : this.bytes;
    const all: AccEcnField[] = [
      { name: 'e1b', value: e1b },
      { name: 'ceb', value: ceb },
      { name: 'e0b', value: e0b },
    ];
    return all.slice(0, fields);
  }

  /** Negative: no option. */
  private fieldsWithin(room: number, joined: boolean): number {
    if (!this.optionSeen) return -1;
    for (let fields = 3; fields >= Math.max(this.fresh, 1); fields--)
      if (paddedLength(fields, joined) <= room) return fields;
    return -1;
  }

  // --- as sender

  /** §3.2.2.1, table 4: the ACK of our SYN+ACK tells how that one arrived. */
  thirdAck(flags: number, hasData: boolean): void {
    const ace = aceOf(flags);
    if (ace === 0) this.isMangled = true;
    else if (ace === HANDSHAKE[CE] && !hasData) this.told++;
  }

  /** An option came, on a SYN+ACK or later. */
  optionArrived(option: readonly AccEcnField[]): void {
    // §3.2.3.2.4: a counter of zero, where the first is never zero, was zeroed on the way.
    if (option.length > 0 && option[0].value !== 0) this.optionSeen = true;
  }

  /** True: it tells of marks. `packets` were delivered by it, of `mss` bytes. */
  feedback(flags: number, option: readonly AccEcnField[], packets: number, mss: number): boolean {
    const marks = this.marksOf(aceOf(flags), this.bytesMarked(option), packets, mss);
    this.told += marks;
    return marks > 0;
  }

  /**
   * §3.2.2.5.2: where so much was delivered that the field may have gone round, as many are taken for marked as the
   * field allows, unless the bytes say otherwise.
   */
  private marksOf(ace: number, marked: number | undefined, packets: number, mss: number): number {
    const least = (ace - INITIAL_CE - this.told) & ACE_MASK;
    if (packets <= ACE_MASK) return least;
    const most = packets - ((packets - least) & ACE_MASK);
    if (marked === undefined || marked > least * mss) return most;
    return marked === 0 || marked < (most * mss) / 2 ? least : most;
  }

  /** Bytes marked since the option told of them last; undefined: it does not tell. */
  private bytesMarked(option: readonly AccEcnField[]): number | undefined {
    let marked = this.isLinux && this.estimate === undefined ? undefined : 0;
    let changed: AccEcnField['name'] | undefined;
    for (const { name, value } of option) {
      const more = (value - this.toldBytes[name]) & BYTES_24;
      if (more === 0) continue;
      this.toldBytes[name] = value;
      // Less than before: an older acknowledgement, overtaken. Of more than one codepoint, Linux is not sure.
      const unsure = more > BYTES_24 >> 1 || (this.isLinux && changed !== undefined);
      if (unsure) marked = undefined;
      else if (marked !== undefined && name === 'ceb') marked += more;
      changed = name;
    }
    if (changed !== undefined) this.estimate = changed;
    return option.some(({ name }) => name === 'ceb') ? marked : undefined;
  }
}

/** Kind, length and 24 bits for each field, in whole words; up to two bytes may take the place of no-operations. */
function paddedLength(fields: number, joined: boolean): number {
  const length = 2 + 3 * fields;
  return joined && (length & 3) <= 2 ? length & ~3 : (length + 3) & ~3;
}
