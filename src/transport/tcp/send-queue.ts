/**
 * What the user wrote, as records: those in flight, in order of sequence, and behind them those not sent yet. The
 * queue keeps the counts by which RFC 6675's pipe is reckoned, in segments; what a mark on a record means for them is
 * decided here and nowhere else.
 */
import type { Instant } from '../../base/instant.ts';
import { added } from '../../base/lists.ts';
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLe } from '../../base/seq32.ts';
import { FIN, PSH, SYN } from '../../wire/tcp.ts';
import { SendRecord } from './send-record.ts';

/** Shared by all that have none: most connections are idle. */
const NO_RECORDS: SendRecord[] = [];

export class SendQueue {
  private flight = NO_RECORDS;
  private waiting = NO_RECORDS;
  private waitingHead = 0;
  /** Segments in flight, of any fate. */
  out = 0;
  /** Segments that are SACKed; without SACK, as many as duplicate ACKs have told of. */
  sacked = 0;
  lost = 0;
  resent = 0;
  private countedAgain = 0;
  /** All that were ever marked lost. */
  everLost = 0;
  private oldest: SendRecord | undefined = undefined;
  private newest: SendRecord | undefined = undefined;

  /** RFC 6675 §4 SetPipe, in segments: what is thought to be in the network. */
  get pipe(): number {
    return this.out - this.sacked - this.lost + this.resent;
  }

  get records(): readonly SendRecord[] {
    return this.flight;
  }

  /** The first in flight. */
  get first(): SendRecord | undefined {
    return this.flight[0];
  }

  /** The first, where it is the last as well. */
  get only(): SendRecord | undefined {
    return this.flight.length === 1 ? this.flight[0] : undefined;
  }

  get last(): SendRecord | undefined {
    return this.flight[this.flight.length - 1];
  }

  get isEmpty(): boolean {
    return this.flight.length === 0;
  }

  /** Records in flight and waiting. */
  get length(): number {
    return this.flight.length + this.waiting.length - this.waitingHead;
  }

  // --- not sent yet

  /** The next to send. */
  get head(): SendRecord | undefined {
    return this.waiting[this.waitingHead];
  }

  get second(): SendRecord | undefined {
    return this.waiting[this.waitingHead + 1];
  }

  get tail(): SendRecord | undefined {
    return this.waitingHead < this.waiting.length ? this.waiting[this.waiting.length - 1] : undefined;
  }

  append(record: SendRecord): void {
    this.waiting = added(this.waiting, record);
  }

  /** Moves bytes from the second record to the head, at most `amount`. */
  growHead(amount: number): void {
    const { head, second } = this;
    if (head === undefined || second === undefined || head.boundary || head.flags & FIN || amount <= 0) return;
    if (amount >= second.dataLength) {
      head.end = second.end;
      head.flags |= second.flags;
      head.boundary = second.boundary;
      this.waiting.splice(this.waitingHead + 1, 1);
    } else {
      head.end = seqAdd(head.end, amount);
      second.seq = head.end;
      second.recount(second.mss);
    }
    head.recount(head.mss);
  }

  /** The head goes into flight. */
  sendHead(): SendRecord {
    const head = this.waiting[this.waitingHead++];
    if (this.waitingHead === this.waiting.length) {
      this.waiting = NO_RECORDS;
      this.waitingHead = 0;
    } else if (this.waitingHead > 64 && this.waitingHead * 2 > this.waiting.length) {
      this.waiting.splice(0, this.waitingHead);
      this.waitingHead = 0;
    }
    this.flight = added(this.flight, head);
    this.out += head.segments;
    return head;
  }

  /** A record goes into flight at once, where nothing is there and nothing waits. */
  sendAlone(record: SendRecord, now: Instant): void {
    this.flight = [record];
    this.out = record.segments;
    record.sentAt = now;
    record.timed = true;
    this.oldest = record;
    this.newest = record;
  }

  /** The last in flight was not sent after all (a window probe that was refused). */
  unsendLast(): void {
    const last = this.flight.pop();
    if (last === undefined) return;
    this.out -= last.segments;
    this.uncount(last, last.segments);
    this.untime(last);
    if (this.waiting.length === 0) this.waiting = [last];
    else this.waiting.splice(this.waitingHead, 0, last);
  }

  /** Cuts the record in two at `length` bytes. PSH and FIN stay with the second half. */
  split(record: SendRecord, length: number, mss: number): void {
    const cut = seqAdd(record.seq, length + (record.flags & SYN ? 1 : 0));
    const rest = new SendRecord(cut, record.end, record.flags & ~SYN, mss);
    rest.sentAt = record.sentAt;
    rest.sacked = record.sacked;
    rest.lost = record.lost;
    rest.resent = record.resent;
    rest.everResent = record.everResent;
    rest.boundary = record.boundary;
    rest.priorDelivered = record.priorDelivered;
    rest.deliveredAt = record.deliveredAt;
    rest.firstSentAt = record.firstSentAt;
    rest.appLimited = record.appLimited;
    record.boundary = false;
    record.end = cut;
    record.flags &= ~(FIN | PSH);
    const before = record.segments;
    record.recount(mss);
    if (record === this.head) {
      this.waiting.splice(this.waitingHead + 1, 0, rest);
      return;
    }
    this.flight.splice(this.indexOf(record.seq) + 1, 0, rest);
    this.adjust(record, record.segments + rest.segments - before);
    if (record.timed) this.insertAfter(record, rest);
  }

  /** A record in flight is cut to another size of segment. */
  resize(record: SendRecord, mss: number): void {
    const before = record.segments;
    record.recount(mss);
    this.adjust(record, record.segments - before);
  }

  private adjust(record: SendRecord, by: number): void {
    this.out += by;
    if (record.sacked) this.sacked += by;
    if (record.lost) this.lost += by;
    if (record.resent) this.resent += by;
  }

  /** Small neighbours join a record that is sent again, up to `room` bytes (RFC 9293 §3.10.8 lets them). */
  joinNext(record: SendRecord, room: number): void {
    for (;;) {
      const at = this.indexOf(record.seq);
      const next = this.flight[at + 1];
      if (next === undefined || next.sacked || record.boundary || record.flags & (SYN | FIN)) return;
      if (record.dataLength + next.dataLength > room || next.flags & SYN) return;
      this.join(record, at + 1);
    }
  }

  /** The record takes what follows it until it has `room` bytes: the stream is cut anew, whatever it was cut into (BSD). */
  fill(record: SendRecord, room: number, mss: number): void {
    for (;;) {
      const at = this.indexOf(record.seq) + 1;
      const next = this.flight[at];
      const missing = room - record.dataLength;
      if (next === undefined || next.sacked || record.flags & (SYN | FIN)) break;
      if (missing <= 0 && next.dataLength > 0) break;
      if (next.dataLength > missing) this.split(next, missing, mss);
      this.join(record, at);
    }
    this.resize(record, mss);
  }

  /** Its neighbour in flight, at that place, becomes part of it. */
  private join(record: SendRecord, at: number): void {
    const next = this.flight[at];
    this.untime(next);
    this.out -= next.segments;
    this.uncount(next, next.segments);
    this.flight.splice(at, 1);
    record.end = next.end;
    record.flags |= next.flags;
    record.boundary = next.boundary;
    record.everResent ||= next.everResent;
  }

  /** It has data, and none is behind it: it ends what the user has written. */
  endsData(record: SendRecord): boolean {
    const { head, last } = this;
    if (record.dataLength === 0 || (head !== undefined && head.dataLength > 0)) return false;
    return last === record || (last?.dataLength === 0 && last.seq === record.end);
  }

  // --- marks

  markSacked(record: SendRecord): void {
    record.sacked = true;
    this.sacked += record.segments;
    this.untime(record);
  }

  markLost(record: SendRecord): void {
    if (record.sacked) return;
    if (record.lost) {
      if (!record.resent) return;
      // The retransmission was lost as well.
      record.resent = false;
      this.resent -= record.segments;
    } else {
      record.lost = true;
      this.lost += record.segments;
    }
    this.everLost += record.segments;
  }

  unmarkLost(record: SendRecord): void {
    if (!record.lost) return;
    record.lost = false;
    this.lost -= record.segments;
  }

  /** `again`: one that is thought to be on its way already counts once more, until nothing is in flight (Linux). */
  markResent(record: SendRecord, again = false): void {
    record.everResent = true;
    if (record.resent && !again) return;
    if (record.resent) this.countedAgain += record.segments;
    record.resent = true;
    this.resent += record.segments;
  }

  unmarkResent(record: SendRecord): void {
    if (!record.resent) return;
    record.resent = false;
    this.resent -= record.segments;
  }

  /** RFC 2018 §8: the receiver may have thrown away what it had SACKed. */
  forgetSacks(timed: boolean): void {
    for (const record of this.flight) {
      if (!record.sacked) continue;
      record.sacked = false;
      if (timed) this.time(record);
    }
    this.sacked = 0;
  }

  forgetLosses(): void {
    for (const record of this.flight) record.lost = false;
    this.lost = 0;
  }

  // --- acknowledgement

  /**
   * The first record as far as `una` covers it, taken out of flight; undefined when that is no whole segment. A single
   * segment of which a part is covered stays as it is until the rest is (it may be sent again in between).
   */
  takeAcknowledged(una: Seq): SendRecord | undefined {
    const first = this.flight[0];
    if (first === undefined) return undefined;
    if (seqGt(first.end, una)) {
      if (first.segments === 1 || !seqGt(una, first.seq)) return undefined;
      const before = first.segments;
      this.split(first, seqDiff(una, first.seq), first.mss);
      // What is left needs so many segments; the others are those that are acknowledged.
      const covered = before - (this.flight[1] as SendRecord).segments;
      this.adjust(first, covered - first.segments);
      first.segments = covered;
    }
    if (this.flight.length === 1) this.flight = NO_RECORDS;
    else this.flight.shift();
    this.out -= first.segments;
    this.uncount(first, first.segments);
    if (this.out === 0) this.settleResent();
    this.untime(first);
    return first.segments === 0 && !(first.flags & SYN) ? undefined : first;
  }

  /** The only one in flight, of which nothing is marked, is acknowledged. */
  takeOnly(): void {
    this.flight = NO_RECORDS;
    this.out = 0;
    this.settleResent();
    this.oldest = undefined;
    this.newest = undefined;
  }

  /** Nothing is in flight: what was counted more than once is not on its way either. */
  private settleResent(): void {
    this.resent -= this.countedAgain;
    this.countedAgain = 0;
  }

  /** The end of the highest SACKed record, or `otherwise`. */
  highestSacked(otherwise: Seq): Seq {
    if (this.sacked === 0) return otherwise;
    for (let at = this.flight.length - 1; at >= 0; at--) if (this.flight[at].sacked) return this.flight[at].end;
    return otherwise;
  }

  /** The index of the first record that ends behind `seq`. */
  indexOf(seq: Seq): number {
    let low = 0;
    let high = this.flight.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqGt(this.flight[middle].end, seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  clear(): void {
    this.flight = NO_RECORDS;
    this.waiting = NO_RECORDS;
    this.waitingHead = 0;
    this.out = 0;
    this.sacked = 0;
    this.lost = 0;
    this.resent = 0;
    this.countedAgain = 0;
    this.oldest = undefined;
    this.newest = undefined;
  }

  private uncount(record: SendRecord, segments: number): void {
    if (record.sacked) this.sacked -= segments;
    if (record.lost) this.lost -= segments;
    if (record.resent) this.resent -= segments;
  }

  // --- in order of transmission (RFC 8985 §5.2)

  get oldestTransmission(): SendRecord | undefined {
    return this.oldest;
  }

  transmitted(record: SendRecord, now: Instant): void {
    record.sentAt = now;
    this.untime(record);
    this.time(record);
  }

  /** It is settled: neither waiting to be found lost nor by time. */
  untime(record: SendRecord): void {
    if (!record.timed) return;
    if (record.earlier === undefined) this.oldest = record.later;
    else record.earlier.later = record.later;
    if (record.later === undefined) this.newest = record.earlier;
    else record.later.earlier = record.earlier;
    record.earlier = undefined;
    record.later = undefined;
    record.timed = false;
  }

  private time(record: SendRecord): void {
    record.earlier = this.newest;
    record.later = undefined;
    if (this.newest === undefined) this.oldest = record;
    else this.newest.later = record;
    this.newest = record;
    record.timed = true;
  }

  private insertAfter(place: SendRecord, record: SendRecord): void {
    record.earlier = place;
    record.later = place.later;
    if (place.later === undefined) this.newest = record;
    else place.later.earlier = record;
    place.later = record;
    record.timed = true;
  }

  /** For tests: the counts are what the records say. */
  check(una: Seq, nxt: Seq): string | undefined {
    let at = this.flight.length > 0 && seqLe(this.flight[0].seq, una) ? this.flight[0].seq : una;
    const sums = { out: 0, sacked: 0, lost: 0, resent: this.countedAgain };
    for (const record of this.flight) {
      if (record.seq !== at) return `a hole before ${record.seq}`;
      if (!seqGt(record.end, record.seq)) return 'an empty record';
      at = record.end;
      sums.out += record.segments;
      if (record.sacked) sums.sacked += record.segments;
      if (record.lost) sums.lost += record.segments;
      if (record.resent) sums.resent += record.segments;
    }
    if (at !== nxt || (seqGe(una, nxt) && this.flight.length > 0)) return `records end at ${at}, SND.NXT is ${nxt}`;
    for (const [name, sum] of Object.entries(sums)) {
      // Without SACK, `sacked` counts duplicate ACKs, not records.
      if (name !== 'sacked' && sum !== this[name as 'out'])
        return `${name} is ${this[name as 'out']}, the records say ${sum}`;
    }
    return undefined;
  }
}
