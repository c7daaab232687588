/**
 * What SACK has told, as BSD reckons with it: in bytes, holes being what is not SACKed below what is. It is read off the
 * send queue anew for every acknowledgement that may have changed it.
 */
import { type Seq, seqAdd, seqDiff, seqGt, seqLt, seqMax, seqMin } from '../../base/seq32.ts';
import type { AckNews } from './ack-news.ts';
import type { SendQueue } from './send-queue.ts';
import type { SendRecord } from './send-record.ts';
import type { Tcb } from './tcb.ts';

/** Segments' worth that may be SACKed above a hole without its being lost (RFC 6675 §4 IsLost, DupThresh - 1). */
const TOLERATED = 2;

export class BsdScoreboard {
  /** Bytes above SND.UNA. */
  sacked = 0;
  /** In holes, and sent again. */
  resent = 0;
  private lost = 0;
  /** The end of what is SACKed; SND.UNA where nothing is. */
  private highest: Seq = 0;
  /** The last segment is to be sent again, or was, since nothing tells of it (RFC 6675 §4 NextSeg (4)). */
  private rescues = false;
  private readonly queue: SendQueue;
  private readonly tcb: Tcb;

  constructor(queue: SendQueue, tcb: Tcb) {
    this.queue = queue;
    this.tcb = tcb;
  }

  /** There is something to be sent again by it. */
  get hasHoles(): boolean {
    return this.sacked > 0 || this.rescues;
  }

  /** So much is SACKed that the first hole is lost. */
  get tellsOfLoss(): boolean {
    return this.sacked > TOLERATED * this.tcb.mss;
  }

  /** RFC 6675 §4 SetPipe, bytes, as it is from `una` on. */
  pipe(una: Seq): number {
    return Math.max(0, seqDiff(this.tcb.sndNxt, una) + this.resent - this.sacked - this.lost);
  }

  /** An acknowledgement has come; `una`: SND.UNA before it. True: there is a new hole, above all others. */
  update(news: AckNews, una: Seq): boolean {
    const { queue, tcb } = this;
    const known = this.sacked > 0 ? this.highest : una;
    const isNewHole = news.sacked && !this.rescues && seqLt(known, startOfHighest(news));
    this.highest = queue.sacked === 0 ? tcb.sndUna : seqMax(queue.highestSacked(tcb.sndUna), known);
    if (news.sacked && this.rescues) this.takeRescue();
    this.count();
    return isNewHole;
  }

  private count(): void {
    const { records } = this.queue;
    this.sacked = 0;
    this.lost = 0;
    this.resent = 0;
    for (let at = records.length - 1; at >= 0; at--) {
      const record = records[at];
      const length = seqDiff(record.end, seqMax(record.seq, this.tcb.sndUna));
      if (record.sacked) this.sacked += length;
      else {
        if (this.tellsOfLoss && seqLt(record.seq, this.highest)) this.lost += length;
        if (record.resent) this.resent += length;
      }
    }
  }

  /** The first hole below `recover` that was not sent again. */
  hole(recover: Seq): SendRecord | undefined {
    for (const record of this.queue.records) {
      if (!seqLt(record.seq, this.highest)) break;
      if (!record.sacked && !record.resent) return seqLt(record.seq, recover) ? record : undefined;
    }
    return this.rescues ? this.rescue(recover) : undefined;
  }

  markResent(record: SendRecord): void {
    this.queue.markResent(record);
    this.resent += record.dataLength;
  }

  /** An acknowledgement of part of what is out, with nothing SACKed: the last segment is sent, so that the rest be told of. */
  rescueLast(): void {
    this.rescues = true;
  }

  /** The last segment of what was out when recovery began. */
  private rescue(recover: Seq): SendRecord | undefined {
    const { queue, tcb } = this;
    const end = seqMin(tcb.sndNxt, recover);
    const record = this.ending(end);
    if (record === undefined || record.resent || record.sacked) return undefined;
    const tail = seqDiff(end, record.seq) - tcb.mss;
    if (record.segments === 1 || tail <= 0) return record;
    queue.split(record, tail, tcb.mss);
    return this.ending(end);
  }

  private ending(seq: Seq): SendRecord | undefined {
    return this.queue.records[this.queue.indexOf(seqAdd(seq, -1))];
  }

  /** Something tells of the rest now: a rescue that is not SACKed is part of what has to be sent again. */
  private takeRescue(): void {
    this.rescues = false;
    for (const record of this.queue.records) if (!record.sacked) this.queue.unmarkResent(record);
  }

  /**
   * What was sent after `recover` has arrived: holes that were sent again whole before that are to be sent again once
   * more. False: the first is none of these.
   */
  findLostAgain(recover: Seq): boolean {
    const { queue, highest } = this;
    const { records, first } = queue;
    if (!first?.resent || !seqGt(highest, recover)) return false;
    for (let at = 0; at < records.length; at++) {
      const begin = at;
      let whole = true;
      for (; at < records.length && !records[at].sacked && seqLt(records[at].seq, highest); at++)
        whole &&= records[at].resent;
      if (begin === 0 && !whole) return false;
      for (let n = begin; whole && n < at; n++) queue.unmarkResent(records[n]);
    }
    this.count();
    return true;
  }

  /** Recovery is over, one way or the other. */
  forgetRescue(): void {
    this.rescues = false;
  }

  /** A timeout: all holes are to be sent again. After a second one (`again`) what is SACKed as well, unless SACKed again. */
  timedOut(again: boolean): void {
    const { queue } = this;
    for (const record of queue.records) queue.unmarkResent(record);
    if (again && queue.sacked > 0) {
      queue.forgetSacks(false);
      this.highest = this.tcb.sndUna;
    }
    this.rescues = false;
    this.count();
  }

  /** The first that is not SACKed, of what begins at `seq`. */
  skipSacked(seq: Seq): Seq {
    let at = seq;
    while (this.queue.sacked > 0 && seqLt(at, this.highest)) {
      const record = this.queue.records[this.queue.indexOf(at)];
      if (record === undefined || !record.sacked) break;
      at = record.end;
    }
    return at;
  }
}

function startOfHighest(news: AckNews): Seq {
  let [top] = news.blocks;
  for (const block of news.blocks) if (seqGt(block.start, top.start)) top = block;
  return top.start;
}
