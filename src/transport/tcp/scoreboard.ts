/**
 * What is sent and not acknowledged, a record for each transmission unit in order of sequence: sent when, how often,
 * selectively acknowledged, thought lost. Loss detection marks, the sender reads `pipe` and `nextLost`.
 */
import type { Instant } from '../../base/instant.ts';
import type { SeqRange } from '../../base/ranges.ts';
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';

export class SentSegment {
  seq: Seq;
  end: Seq;
  readonly syn: boolean;
  readonly fin: boolean;
  /** The last transmission. */
  sentAt: Instant;
  transmissions = 1;
  sacked = false;
  lost = false;
  /** A retransmission of it is on its way. */
  resent = false;

  constructor(seq: Seq, end: Seq, now: Instant, syn = false, fin = false) {
    this.seq = seq;
    this.end = end;
    this.sentAt = now;
    this.syn = syn;
    this.fin = fin;
  }

  /** In sequence space: SYN and FIN count. */
  get length(): number {
    return seqDiff(this.end, this.seq);
  }

  /** Bytes of data. */
  get dataLength(): number {
    return this.length - (this.syn ? 1 : 0) - (this.fin ? 1 : 0);
  }
}

/** What an acknowledgement took away. */
export interface AckedNow {
  bytes: number;
  segments: number;
  /** When the last of them that was sent only once was sent: Karn's algorithm allows it as an RTT sample. */
  sentAt: Instant | undefined;
  /** When the last of them that was sent more than once was sent last. */
  resentAt: Instant | undefined;
}

/** What SACK blocks newly marked, and when the latest of it was sent if that was only once. */
export interface SackedNow {
  bytes: number;
  sentAt: Instant | undefined;
}

export class Scoreboard {
  private list: SentSegment[] = [];
  private outstanding = 0;
  private sackedBytes = 0;
  private lostBytes = 0;
  private resentBytes = 0;
  /** Without SACK every duplicate ACK says that one segment has left the network (RFC 5681 §3.2). */
  private departed = 0;

  get segments(): readonly SentSegment[] {
    return this.list;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  get first(): SentSegment | undefined {
    return this.list[0];
  }

  /** SND.NXT - SND.UNA: RFC 5681's FlightSize. */
  get flightSize(): number {
    return this.outstanding;
  }

  get hasLost(): boolean {
    return this.lostBytes > 0;
  }

  get sacked(): number {
    return this.sackedBytes;
  }

  /** RFC 6675 §4 SetPipe: what is thought to be in the network. */
  get pipe(): number {
    return Math.max(0, this.outstanding - this.sackedBytes - this.lostBytes + this.resentBytes - this.departed);
  }

  push(segment: SentSegment): void {
    this.list.push(segment);
    this.outstanding += segment.length;
  }

  /** Takes back the last record: a window probe that was not accepted. */
  pop(): void {
    const last = this.list.pop();
    if (last === undefined) return;
    this.outstanding -= last.length;
    this.uncount(last, last.length);
  }

  /** SND.UNA moves to `una`. */
  acknowledge(una: Seq): AckedNow {
    const result: AckedNow = { bytes: 0, segments: 0, sentAt: undefined, resentAt: undefined };
    let gone = 0;
    for (const segment of this.list) {
      if (seqLe(segment.end, una)) {
        result.bytes += segment.length;
        result.segments++;
        if (segment.transmissions > 1) result.resentAt = Math.max(result.resentAt ?? 0, segment.sentAt);
        else if (!segment.sacked) result.sentAt = segment.sentAt;
        this.uncount(segment, segment.length);
        gone++;
      } else {
        const part = seqDiff(una, segment.seq);
        if (part > 0) {
          result.bytes += part;
          this.uncount(segment, part);
          segment.seq = una;
        }
        break;
      }
    }
    if (gone > 0) this.list.splice(0, gone);
    this.outstanding -= result.bytes;
    return result;
  }

  /** RFC 2018 §5: marks what the blocks cover, and says what is newly so. */
  sack(blocks: readonly SeqRange[], una: Seq, max: Seq): SackedNow {
    const fresh: SackedNow = { bytes: 0, sentAt: undefined };
    for (const block of blocks) {
      // A block outside of what is outstanding is a D-SACK or nonsense; neither marks anything.
      if (!seqLt(block.start, block.end) || seqLt(block.start, una) || seqGt(block.end, max)) continue;
      for (let at = this.indexOf(block.start); at < this.list.length; at++) {
        const segment = this.list[at];
        if (seqGt(segment.end, block.end)) break;
        if (segment.sacked || seqLt(segment.seq, block.start)) continue;
        this.uncount(segment, segment.length);
        segment.sacked = true;
        segment.lost = false;
        segment.resent = false;
        this.sackedBytes += segment.length;
        fresh.bytes += segment.length;
        if (segment.transmissions === 1) fresh.sentAt = Math.max(fresh.sentAt ?? 0, segment.sentAt);
      }
    }
    return fresh;
  }

  /** RFC 2018 §8: the receiver may have thrown away what it had SACKed. */
  forgetSacks(): void {
    for (const segment of this.list) {
      if (segment.sacked) this.sackedBytes -= segment.length;
      segment.sacked = false;
    }
    this.departed = 0;
  }

  markLost(segment: SentSegment): void {
    if (segment.sacked || segment.lost) return;
    segment.lost = true;
    this.lostBytes += segment.length;
  }

  /** The retransmission timer expired: nothing that was sent is thought to be on its way. */
  markAllLost(): void {
    for (const segment of this.list) {
      if (segment.resent) {
        this.resentBytes -= segment.length;
        segment.resent = false;
      }
      this.markLost(segment);
    }
    this.departed = 0;
  }

  /** The first segment to send again. */
  get nextLost(): SentSegment | undefined {
    if (this.lostBytes === this.resentBytes) return undefined;
    return this.list.find(segment => segment.lost && !segment.resent);
  }

  resent(segment: SentSegment, now: Instant): void {
    segment.sentAt = now;
    segment.transmissions++;
    if (!segment.resent && segment.lost) {
      segment.resent = true;
      this.resentBytes += segment.length;
    }
  }

  /** Cuts a record in two at `length` bytes, for a smaller MSS. */
  split(segment: SentSegment, length: number): void {
    const at = this.list.indexOf(segment);
    const cut = (segment.seq + length) >>> 0;
    const rest = new SentSegment(cut, segment.end, segment.sentAt, false, segment.fin);
    const front = new SentSegment(segment.seq, cut, segment.sentAt, segment.syn, false);
    for (const half of [front, rest]) {
      half.transmissions = segment.transmissions;
      half.lost = segment.lost;
      half.resent = segment.resent;
      half.sacked = segment.sacked;
    }
    this.list.splice(at, 1, front, rest);
  }

  /** Without SACK: a duplicate ACK came, or an ACK covered `segments` of which all but one had been counted so. */
  countDeparted(bytes: number): void {
    this.departed = Math.min(Math.max(0, this.departed + bytes), Math.max(0, this.outstanding - this.lostBytes));
  }

  clearDeparted(): void {
    this.departed = 0;
  }

  /** The first sequence number behind the highest SACKed segment. */
  get highestSacked(): Seq | undefined {
    if (this.sackedBytes === 0) return undefined;
    for (let at = this.list.length - 1; at >= 0; at--) if (this.list[at].sacked) return this.list[at].end;
    return undefined;
  }

  clear(): void {
    this.list = [];
    this.outstanding = 0;
    this.sackedBytes = 0;
    this.lostBytes = 0;
    this.resentBytes = 0;
    this.departed = 0;
  }

  /** The first record that ends behind `seq`. */
  private indexOf(seq: Seq): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqGt(this.list[middle].end, seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private uncount(segment: SentSegment, bytes: number): void {
    if (segment.sacked) this.sackedBytes -= bytes;
    if (segment.lost) this.lostBytes -= bytes;
    if (segment.resent) this.resentBytes -= bytes;
  }

  /** For tests: the counters are what the records say. */
  check(una: Seq, nxt: Seq): string | undefined {
    let at = una;
    const sums = { outstanding: 0, sacked: 0, lost: 0, resent: 0 };
    for (const segment of this.list) {
      if (segment.seq !== at) return `a hole before ${segment.seq}`;
      if (!seqGt(segment.end, segment.seq)) return 'an empty record';
      at = segment.end;
      sums.outstanding += segment.length;
      if (segment.sacked) sums.sacked += segment.length;
      if (segment.lost) sums.lost += segment.length;
      if (segment.resent) sums.resent += segment.length;
    }
    if (at !== nxt || seqGe(una, nxt) !== (this.list.length === 0)) return `records end at ${at}, SND.NXT is ${nxt}`;
    const same =
      sums.outstanding === this.outstanding &&
      sums.sacked === this.sackedBytes &&
      sums.lost === this.lostBytes &&
      sums.resent === this.resentBytes;
    return same ? undefined : 'the counters differ from the records';
  }
}
