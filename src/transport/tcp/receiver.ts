/** The receiving half: what is ready to be read, what came early, the window offered, and when to acknowledge. */
import type { Instant } from '../../base/instant.ts';
import type { SeqRange } from '../../base/ranges.ts';
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import type { Segment } from '../../wire/tcp.ts';
import type { Deadlines } from './deadlines.ts';
import { Reassembly } from './reassembly.ts';
import { DEFAULT_MSS, type Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';

/** A small payload that waits unread is copied, so that it does not hold a whole frame in memory. */
const COPY_BELOW = 256;

export class Receiver {
  /** An acknowledgement is due now. */
  ackNow = false;
  /** The FIN has come and everything before it too. */
  finReceived = false;
  private readonly tcb: Tcb;
  private readonly settings: TcpSettings;
  private readonly deadlines: Deadlines;
  private readonly reassembly = new Reassembly();
  private chunks: Uint8Array[] = [];
  private unread = 0;
  /** Where a FIN that came early stands. */
  private finAt: Seq | undefined;
  private unacknowledged = 0;
  /** The largest segment seen: what "full-sized" means for the other end (RFC 9293 §3.8.6.3). */
  private largest = DEFAULT_MSS;
  /** RFC 2018 with RFC 2883 §4: a duplicate is reported in the first block. */
  private duplicate: SeqRange | undefined;

  constructor(tcb: Tcb, settings: TcpSettings, deadlines: Deadlines) {
    this.tcb = tcb;
    this.settings = settings;
    this.deadlines = deadlines;
  }

  /** Bytes that read() would give. */
  get readable(): number {
    return this.unread;
  }

  get hasGap(): boolean {
    return !this.reassembly.isEmpty || this.finAt !== undefined;
  }

  get scale(): number {
    return windowShift(this.settings.receiveBuffer);
  }

  open(irs: Seq): void {
    this.tcb.irs = irs;
    this.tcb.rcvNxt = seqAdd(irs, 1);
    this.tcb.rcvAdv = this.tcb.rcvNxt;
    this.tcb.lastAckSent = this.tcb.rcvNxt;
  }

  /**
   * The window field for the next segment. RFC 9293 §3.8.6.2.2: the right edge moves only by min(half the buffer,
   * one segment) or more, and never back.
   */
  offerWindow(scale: number): number {
    const { tcb } = this;
    const free = Math.max(0, this.settings.receiveBuffer - this.unread);
    const growth = free - tcb.rcvWnd;
    const threshold = Math.min(Math.floor(this.settings.receiveBuffer / 2), this.largest);
    if (growth >= threshold || (tcb.rcvWnd === 0 && growth > 0 && this.unread === 0)) {
      // Rounded down to what the field can say, so that the promise and the field agree.
      const field = Math.min(free >> scale, 65535);
      if (field << scale > tcb.rcvWnd) tcb.rcvAdv = seqAdd(tcb.rcvNxt, field << scale);
    }
    return Math.min(tcb.rcvWnd >> scale, 65535);
  }

  /** The data of an acceptable segment (RFC 9293 §3.10.7.4, seventh and eighth). True when something became readable. */
  accept(now: Instant, segment: Segment, hasFin: boolean): boolean {
    const { tcb } = this;
    const windowEnd = tcb.rcvAdv;
    const start = seqLt(segment.seq, tcb.rcvNxt) ? tcb.rcvNxt : segment.seq;
    const dataEnd = seqAdd(segment.seq, segment.length);
    const end = seqGt(dataEnd, windowEnd) ? windowEnd : dataEnd;
    if (segment.length > this.largest) this.largest = segment.length;
    if (hasFin && seqLe(dataEnd, windowEnd)) this.finAt = dataEnd;
    if (segment.length > 0 && seqLe(dataEnd, tcb.rcvNxt)) this.noteDuplicate(segment.seq, dataEnd);

    const before = this.unread;
    if (seqLt(start, end) && segment.payload !== undefined) {
      const from = seqDiff(start, segment.seq);
      const bytes = segment.payload.subarray(from, from + seqDiff(end, start));
      if (start === tcb.rcvNxt && this.reassembly.isEmpty) this.append(bytes);
      else this.holdOrAppend(start, bytes);
    } else if (segment.length > 0) {
      this.ackNow = true;
    }
    if (this.finAt !== undefined && this.finAt === tcb.rcvNxt && !this.finReceived) {
      this.finReceived = true;
      this.finAt = undefined;
      tcb.rcvNxt = seqAdd(tcb.rcvNxt, 1);
      if (seqLt(tcb.rcvAdv, tcb.rcvNxt)) tcb.rcvAdv = tcb.rcvNxt;
      this.ackNow = true;
    }
    if (this.unread > before) this.scheduleAck(now, this.unread - before);
    // RFC 5681 §4.2: "A TCP receiver SHOULD send an immediate duplicate ACK when an out-of-order segment arrives".
    if (this.hasGap) this.ackNow = true;
    return this.unread > before;
  }

  read(max: number): Uint8Array | undefined {
    const first = this.chunks[0];
    if (first === undefined || max <= 0) return undefined;
    if (first.length <= max) {
      this.chunks.shift();
      this.unread -= first.length;
      return first;
    }
    this.chunks[0] = first.subarray(max);
    this.unread -= max;
    return first.subarray(0, max);
  }

  /** After reading: the other end is told when the window that it knows was small and has opened well. */
  considerWindowUpdate(): void {
    const { tcb, settings } = this;
    const offered = tcb.rcvWnd;
    const free = settings.receiveBuffer - this.unread;
    const enough = Math.min(Math.floor(settings.receiveBuffer / 2), 2 * this.largest);
    if (!this.finReceived && offered < settings.receiveBuffer / 2 && free - offered >= enough) this.ackNow = true;
  }

  /** SACK blocks for an acknowledgement; a D-SACK first (RFC 2883 §4). */
  sackBlocks(): readonly SeqRange[] {
    const max = this.tcb.timestampsOn ? 3 : 4;
    const duplicate = this.duplicate;
    this.duplicate = undefined;
    const blocks = this.reassembly.isEmpty ? [] : this.reassembly.blocks(max);
    return duplicate === undefined ? blocks : [duplicate, ...blocks].slice(0, max);
  }

  get hasDuplicate(): boolean {
    return this.duplicate !== undefined;
  }

  /** A segment with an acknowledgement is on its way. */
  acknowledged(): void {
    this.ackNow = false;
    this.unacknowledged = 0;
    this.deadlines.clear('delayedAck');
    this.tcb.lastAckSent = this.tcb.rcvNxt;
  }

  noteDuplicate(start: Seq, end: Seq): void {
    if (this.tcb.sackOn && seqLt(start, end)) this.duplicate = { start, end };
  }

  clear(): void {
    this.chunks = [];
    this.unread = 0;
    this.reassembly.clear();
    this.finAt = undefined;
    this.ackNow = false;
  }

  private holdOrAppend(start: Seq, bytes: Uint8Array): void {
    const { tcb, reassembly } = this;
    // A segment that fills a gap is acknowledged at once (RFC 5681 §4.2).
    this.ackNow = true;
    if (seqGt(start, tcb.rcvNxt)) {
      reassembly.add(start, bytes);
      return;
    }
    this.append(bytes);
    for (;;) {
      const piece = reassembly.take(tcb.rcvNxt);
      if (piece === undefined) break;
      if (piece.length > 0) this.append(piece);
    }
  }

  private append(bytes: Uint8Array): void {
    const small = bytes.length < COPY_BELOW && bytes.buffer.byteLength > 2 * bytes.length && this.chunks.length > 0;
    this.chunks.push(small ? bytes.slice() : bytes);
    this.unread += bytes.length;
    this.tcb.rcvNxt = seqAdd(this.tcb.rcvNxt, bytes.length);
  }

  /** RFC 9293 §3.8.6.3: an ACK at least for every second full-sized segment, and within half a second. */
  private scheduleAck(now: Instant, bytes: number): void {
    this.unacknowledged += bytes;
    if (this.unacknowledged >= 2 * this.largest) this.ackNow = true;
    else if (!this.deadlines.isSet('delayedAck')) this.deadlines.set('delayedAck', now + this.settings.delayedAck);
  }

  /** For tests. */
  check(): string | undefined {
    const { tcb } = this;
    return seqGe(tcb.rcvAdv, tcb.rcvNxt) || tcb.state === 'CLOSED'
      ? undefined
      : 'the promised window lies behind RCV.NXT';
  }
}

/** The shift that lets a 16-bit field tell of the whole buffer (RFC 7323 §2.3: at most 14). */
export function windowShift(receiveBuffer: number): number {
  let shift = 0;
  while (shift < 14 && 65535 * 2 ** shift < receiveBuffer) shift++;
  return shift;
}
