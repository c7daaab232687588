/** The receiving half: what is ready to be read, what came early, the window offered, and when to acknowledge. */
import type { Instant } from '../../base/instant.ts';
import type { SeqRange } from '../../base/ranges.ts';
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax } from '../../base/seq32.ts';
import type { Segment } from '../../wire/tcp.ts';
import { sackLength } from '../../wire/tcp-options.ts';
import { AckCompression } from './ack-compression.ts';
import { type AckPolicy, largestOf } from './ack-policy.ts';
import { AdaptiveDelay } from './adaptive-delay.ts';
import { type Deadlines, DUE } from './deadlines.ts';
import { newAckPolicy } from './delayed-ack.ts';
import { SMALL_SEGMENT } from './memory-window.ts';
import { ReadQueue } from './read-queue.ts';
import { Reassembly } from './reassembly.ts';
import { isUpdateDue, newWindowPolicy, windowShift } from './receive-window.ts';
import type { RttEstimator } from './rtt.ts';
import type { Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';
import type { BufferState, WindowPolicy } from './window-policy.ts';

/** Less data than this, in its turn, says nothing of the window that its sender needs. */
const WORTH_GROWING = 128;
/** What became of a segment's data; the last three: it was dropped, and why. */
export type Fate = 'readable' | 'taken' | 'zero-window' | 'beyond-window' | 'receive-memory';

const NOTHING_HELD = new Reassembly();
const NOTHING_READY = new ReadQueue();

export class Receiver implements BufferState {
  /** An acknowledgement is due now. */
  ackNow = false;
  /** The FIN has come and everything before it too. */
  finReceived = false;
  bytesReceived = 0;
  segmentsWithData = 0;
  outOfOrder = 0;
  lastDataAt: Instant = 0;
  policy: AckPolicy;
  readonly window: WindowPolicy;
  private readonly tcb: Tcb;
  private readonly settings: TcpSettings;
  private readonly deadlines: Deadlines;
  readonly rtt: RttEstimator;
  /** One for all connections that hold nothing: nothing is ever put into it. */
  private reassembly = NOTHING_HELD;
  /** Likewise one for all that have never received anything. */
  private ready = NOTHING_READY;
  /** Where a FIN that came early stands. */
  private finAt: Seq | undefined = undefined;
  /** RCV.NXT when an acknowledgement went out last. */
  private acknowledgedTo: Seq = 0;
  ackWanted = false;
  /** RFC 2018 with RFC 2883 §4: a duplicate is reported in the first block. */
  private duplicate: SeqRange | undefined = undefined;
  private compression: AckCompression | undefined = undefined;
  private discards = false;

  constructor(tcb: Tcb, settings: TcpSettings, deadlines: Deadlines, localMss: number, rtt: RttEstimator) {
    this.tcb = tcb;
    this.settings = settings;
    this.deadlines = deadlines;
    this.rtt = rtt;
    this.window = newWindowPolicy(settings, localMss);
    this.policy = newAckPolicy(settings, localMss);
  }

  /** Bytes that read() would give. */
  get readable(): number {
    return this.ready.unread;
  }

  /** That it takes, where the policy says what a segment costs. */
  get memory(): number {
    return this.ready.memory + this.reassembly.cost;
  }

  /** The next that read() would give. */
  get readSeq(): Seq {
    return seqAdd(this.tcb.rcvNxt, -this.ready.unread - (this.finReceived ? 1 : 0));
  }

  get hasGap(): boolean {
    return !this.reassembly.isEmpty || this.finAt !== undefined;
  }

  /** Bytes received and not acknowledged. */
  get unacknowledged(): number {
    return seqDiff(this.tcb.rcvNxt, this.acknowledgedTo);
  }

  get scale(): number {
    return windowShift(this.settings, this.window.capacity);
  }

  /** Bytes that the buffer has room for. */
  get room(): number {
    return Math.max(0, this.window.capacity - this.ready.unread);
  }

  get offered(): number {
    return this.tcb.rcvWnd;
  }

  get fullSize(): number {
    return this.policy.fullSize;
  }

  get shift(): number {
    return this.tcb.rcvScale;
  }

  /** RCV.WND as the other end was told last. */
  get lastOffered(): number {
    return seqDiff(this.tcb.rcvAdv, this.acknowledgedTo);
  }

  /** The right edge of the highest data held out of order. */
  get highestHeld(): Seq | undefined {
    return this.reassembly.highest;
  }

  open(irs: Seq): void {
    const { tcb } = this;
    tcb.irs = irs;
    tcb.rcvNxt = seqAdd(irs, 1);
    tcb.rcvAdv = tcb.rcvNxt;
    tcb.lastAckSent = tcb.rcvNxt;
    this.acknowledgedTo = tcb.rcvNxt;
  }

  /** The other end's FIN was the last, and is acknowledged. */
  resumeBehindFin(): void {
    this.finReceived = true;
    this.acknowledgedTo = this.tcb.rcvNxt;
  }

  established(mss: number, fullSize: number): void {
    this.window.established(mss, this.tcb.rcvScale);
    this.policy.established(mss, fullSize);
  }

  /** The window field of a SYN or SYN+ACK, which is never scaled (RFC 7323 §2.2). */
  offerInitial(): number {
    const { tcb } = this;
    const whole = this.window.initial();
    const window = Math.min(whole, 65535);
    const meant = this.settings.meansMoreThanTold ? whole : window;
    if (seqLt(tcb.rcvAdv, seqAdd(tcb.rcvNxt, meant))) tcb.rcvAdv = seqAdd(tcb.rcvNxt, meant);
    return window;
  }

  /** The window that the SYN+ACK's field could not tell of is meant all the same where the profile says so. */
  offerWindow(): number {
    const { tcb } = this;
    const scale = tcb.rcvScale;
    const wanted = this.window.offer(this);
    if (this.window.isScarce) this.policy.stopBeingQuick();
    const { meansMoreThanTold, shrinksWindow } = this.settings;
    const most = meansMoreThanTold ? wanted : 65535 << scale;
    if (wanted > tcb.rcvWnd) tcb.promise(seqAdd(tcb.rcvNxt, Math.min(wanted, most)));
    const unit = 1 << scale;
    if (wanted < tcb.rcvWnd && shrinksWindow && scale > 0) tcb.takeBack(seqAdd(tcb.rcvNxt, wanted));
    else if (meansMoreThanTold && wanted < tcb.rcvWnd) {
      // Never less than was promised: what is rounded up is thereby promised.
      tcb.rcvAdv = seqAdd(tcb.rcvNxt, Math.ceil(tcb.rcvWnd / unit) * unit);
    }
    return Math.min(Math.floor(tcb.rcvWnd / unit), 65535);
  }

  /** The data of an acceptable segment (RFC 9293 §3.10.7.4, seventh and eighth). */
  accept(now: Instant, segment: Segment, hasFin: boolean): Fate {
    const { tcb } = this;
    if (this.window.ingests !== undefined && !this.hasMemoryFor(segment)) return 'receive-memory';
    if (!hasFin && segment.seq === tcb.rcvNxt && this.takesWhole(segment.length)) return this.acceptNext(now, segment);
    const { takesOverhang } = this.settings;
    const isOpen = tcb.rcvWnd > 0 && seqLt(segment.seq, tcb.rcvAdv);
    const takesAll = takesOverhang === 'always' || (takesOverhang === 'while-open' && isOpen);
    const windowEnd = takesAll ? seqMax(tcb.rcvAdv, segment.end) : tcb.rcvAdv;
    const dataEnd = seqAdd(segment.seq, segment.length);
    const start = seqLt(segment.seq, tcb.rcvNxt) ? tcb.rcvNxt : segment.seq;
    const end = seqGt(dataEnd, windowEnd) ? windowEnd : dataEnd;
    const hadGap = this.hasGap;
    if (hasFin && seqLe(dataEnd, windowEnd) && seqGe(dataEnd, tcb.rcvNxt)) {
      if (this.finAt === dataEnd && segment.length === 0) this.noteDuplicate(dataEnd, seqAdd(dataEnd, 1));
      this.finAt = dataEnd;
    }
    if (segment.length > 0) {
      this.segmentsWithData += segment.pieces;
      if (this.settings.reportsLatestDuplicate) this.duplicate = undefined;
      if (seqLt(segment.seq, tcb.rcvNxt)) this.reportDuplicate(segment.seq, dataEnd);
    }
    const before = this.ready.unread;
    const nextBefore = tcb.rcvNxt;
    const heldBefore = this.reassembly.bytes;
    if (seqLt(start, end) && segment.payload !== undefined) {
      const from = seqDiff(start, segment.seq);
      const length = seqDiff(end, start);
      const { payload } = segment;
      const bytes = length === payload.length ? payload : payload.subarray(from, from + length);
      const cost = this.window.cost?.(segment) ?? 0;
      const isWhole = start === segment.seq;
      if (start === tcb.rcvNxt && !hadGap) this.append(bytes, cost, isWhole);
      else this.holdOrAppend(start, bytes, cost, isWhole);
    } else if (segment.length > 0) {
      this.ackNow = true;
      this.ackWanted = true;
      this.policy.beQuick(16);
      if (!hasFin && seqGt(dataEnd, tcb.rcvNxt)) return seqGt(start, tcb.rcvNxt) ? 'beyond-window' : 'zero-window';
    }
    // A FIN before its turn has a place in the sequence, and a SACK block may tell of it.
    if (hasFin && this.finAt === dataEnd && seqGt(dataEnd, tcb.rcvNxt)) {
      this.ownReassembly().mark(dataEnd);
      if (segment.length === 0) this.ackNow = true;
    }
    if (tcb.rcvNxt !== nextBefore) this.dataArrived(now, segment);
    else if (segment.length > 0) this.heldBack(now, segment, this.reassembly.bytes !== heldBefore);
    if (seqLt(tcb.rcvAdv, tcb.rcvNxt)) tcb.rcvAdv = tcb.rcvNxt;
    this.takeFin(hasFin);
    return this.ready.unread > before ? 'readable' : 'taken';
  }

  /** Linux: what is in order is refused while memory is overdrawn and something waits to be read, and the window closes. */
  private hasMemoryFor(segment: Segment): boolean {
    const { tcb, window } = this;
    const inOrder = seqLe(segment.seq, tcb.rcvNxt) && seqGt(segment.end, tcb.rcvNxt);
    if (!inOrder || (tcb.rcvWnd === 0 && segment.length > 0)) return true;
    if (window.ingests?.(this.memory) ?? true) return true;
    this.policy.stopBeingQuick();
    this.ready.condense(window);
    if (this.memory > window.capacity) this.forgetHeld();
    if (window.ingests?.(this.memory) ?? true) return true;
    tcb.takeBack(tcb.rcvNxt);
    this.ackNow = true;
    return segment.length === 0 || this.ready.unread === 0;
  }

  /** Data that came on a SYN (RFC 7413 §4.2): it says nothing yet of how the other end sends. */
  takeEarly(now: Instant, bytes: Uint8Array): void {
    this.segmentsWithData++;
    this.lastDataAt = now;
    this.append(bytes, this.window.cost?.({ length: bytes.length, unit: 0 }) ?? 0);
    this.acknowledgedTo = this.tcb.rcvNxt;
    this.offerInitial();
  }

  private takesWhole(length: number): boolean {
    return length > 0 && length <= this.tcb.rcvWnd && !this.hasGap;
  }

  /** What nearly all data is: the next in order, all of it within the window. */
  private acceptNext(now: Instant, segment: Segment): Fate {
    const before = this.ready.unread;
    this.segmentsWithData += segment.pieces;
    // With Linux what is small enough to be predicted leaves alone what was to be told.
    if (this.settings.reportsLatestDuplicate && segment.length > SMALL_SEGMENT) this.duplicate = undefined;
    this.append(segment.payload as Uint8Array, this.window.cost?.(segment) ?? 0);
    this.dataArrived(now, segment);
    return this.ready.unread > before ? 'readable' : 'taken';
  }

  /** `withThis`: the FIN may have come just now, not before its turn. */
  private takeFin(withThis: boolean): void {
    const { tcb } = this;
    if (this.finAt === undefined || this.finAt !== tcb.rcvNxt || this.finReceived) return;
    if (this.reassembly.forgetBefore(seqAdd(tcb.rcvNxt, 1))) this.ackNow = true; // it had come early: a gap is filled
    this.finReceived = true;
    this.finAt = undefined;
    // Nothing can come behind it: what claims to is forgotten, at the latest once it is answered.
    if (tcb.state === 'ESTABLISHED' || this.settings.forgetsBehindFin === 'always') this.forgetHeld();
    tcb.rcvNxt = seqAdd(tcb.rcvNxt, 1);
    if (seqLt(tcb.rcvAdv, tcb.rcvNxt)) tcb.rcvAdv = tcb.rcvNxt;
    // Linux lets the answer to a FIN ride on what the user may still send.
    if (this.policy instanceof AdaptiveDelay && tcb.state === 'ESTABLISHED') {
      this.ackNow = !withThis || this.window.ingests?.(this.memory) === false;
      this.policy.becomeInteractive();
    } else {
      this.ackNow = true;
    }
    this.ackWanted = true;
  }

  /** Nobody will read: what waits is thrown away, and what still comes. */
  discard(): void {
    this.discards = true;
    this.ready = NOTHING_READY;
  }

  forgetHeld(): void {
    this.reassembly = NOTHING_HELD;
    this.duplicate = undefined;
  }

  private dataArrived(now: Instant, segment: Segment): void {
    this.lastDataAt = now;
    this.measure(now, segment, true);
    this.window.received?.(now, segment.length, this.rtt.srtt);
    if (segment.length >= WORTH_GROWING) this.growWindow(segment);
    this.ackWanted = true;
  }

  /** It brought nothing that can be read. Without SACK the window stays: the acknowledgement is to be a duplicate. */
  private heldBack(now: Instant, segment: Segment, held: boolean): void {
    this.measure(now, segment, false);
    // It takes its memory only once the window has grown for it.
    if (held && this.tcb.sackOn) this.growWindow(segment, this.window.cost?.(segment));
    const { highestHeld } = this;
    if (highestHeld !== undefined) this.window.held?.(seqDiff(highestHeld, this.tcb.rcvNxt), this.rtt.srtt);
  }

  private growWindow(segment: Segment, notYet = 0): void {
    if (this.window.grew?.(this.memory - notYet, this.fullSize, segment)) this.policy.windowGrew();
  }

  private measure(now: Instant, segment: Segment, inOrder: boolean): void {
    const before = this.policy.fullSize;
    this.policy.received(now, segment, this, inOrder);
    const largest = largestOf(segment);
    if (largest > before) this.window.measured(segment, this.lastOffered);
  }

  /** Once a segment is dealt with and what could be sent has been: is an acknowledgement due? */
  considerAck(now: Instant): void {
    if (this.ackNow || !this.ackWanted) return;
    if (this.hasGap) return this.considerDuplicateAck(now);
    const due = this.settings.quickAck ? now : this.policy.due(now, this);
    if (due <= now) this.ackNow = true;
    else if (due < this.deadlines.get(DUE.delayedAck)) this.deadlines.set(DUE.delayedAck, due);
  }

  /** Would an acknowledgement move the right edge of the window, as it was offered last? */
  wouldOpen(): boolean {
    const wanted = this.window.offer(this);
    if (this.window.isScarce) this.policy.stopBeingQuick();
    return wanted >= this.lastOffered;
  }

  /** RFC 5681 §4.2: "A TCP receiver SHOULD send an immediate duplicate ACK when an out-of-order segment arrives". */
  private considerDuplicateAck(now: Instant): void {
    const { tcb, settings } = this;
    const { srtt } = this.rtt;
    if (!tcb.sackOn || settings.maxCompressedAcks === 0 || srtt === undefined) {
      this.ackNow = true;
      return;
    }
    this.compression ??= new AckCompression();
    this.ackNow = !this.compression.holdsBack(tcb.rcvNxt, settings.maxCompressedAcks);
    // One for several, a twentieth of a round trip later.
    if (!this.ackNow && !this.deadlines.isSet(DUE.compressedAck)) {
      this.deadlines.set(DUE.compressedAck, now + Math.min(1e6, srtt / 20));
    }
  }

  read(now: Instant, max: number): Uint8Array | undefined {
    const bytes = this.ready.take(max);
    if (bytes !== undefined) this.window.read(now, bytes.length, this.rtt.srtt, this.ready.unread);
    return bytes;
  }

  /** The next bytes, which stay where they are. */
  peek(max: number): Uint8Array {
    return this.ready.peek(max);
  }

  /** After reading: the other end is told when the window that it knows was small and has opened well. */
  considerWindowUpdate(): void {
    if (this.finReceived) return;
    if (this.ackWanted && this.policy.read(this.unacknowledged, this.ready.unread === 0)) {
      this.ackNow = true;
      return;
    }
    if (isUpdateDue(this.settings, this.window, this)) this.ackNow = true;
  }

  /** SACK blocks for an acknowledgement; a D-SACK first (RFC 2883 §4). */
  sackBlocks(): readonly SeqRange[] {
    const max = this.tcb.timestampsOn ? 3 : 4;
    const duplicate = this.duplicate;
    this.duplicate = undefined;
    const blocks = this.hasGap ? this.reassembly.blocks(max) : [];
    return duplicate === undefined ? blocks : [duplicate, ...blocks].slice(0, max);
  }

  get sackLength(): number {
    if (!this.tcb.sackOn) return 0;
    const max = this.tcb.timestampsOn ? 3 : 4;
    const blocks = Math.min(max, this.reassembly.rangeCount + (this.duplicate === undefined ? 0 : 1));
    return sackLength(blocks);
  }

  get hasDuplicate(): boolean {
    return this.duplicate !== undefined;
  }

  /** A segment with an acknowledgement is on its way. */
  acknowledged(now: Instant): void {
    if (this.tcb.timestampsOn) this.window.acknowledged?.(now);
    this.policy.acknowledged(this.ackWanted ? 1 : 0);
    this.ackNow = false;
    this.ackWanted = false;
    this.acknowledgedTo = this.tcb.rcvNxt;
    this.compression?.acknowledged();
    if (this.finReceived) this.forgetHeld();
    this.deadlines.clear(DUE.delayedAck);
    this.deadlines.clear(DUE.compressedAck);
    this.tcb.lastAckSent = this.tcb.rcvNxt;
  }

  /** TCP_QUICKACK: switched on, what waits to be acknowledged is so at once. */
  setQuick(on: boolean): void {
    this.policy.setQuick(on);
    if (on && this.ackWanted) this.ackNow = true;
  }

  /** Acknowledges soon, as if data had come: the user may answer first. */
  ackSoon(when: Instant): void {
    this.deadlines.set(DUE.delayedAck, when);
    this.ackWanted = true;
  }

  /** A segment from `start` to `end` brings something again. */
  private reportDuplicate(start: Seq, end: Seq): void {
    const { rcvNxt } = this.tcb;
    const whole = seqLe(end, rcvNxt);
    this.noteDuplicate(start, whole ? end : rcvNxt);
    if (this.settings.partlyNewIsInOrder && !whole) return;
    this.ackNow = true;
    this.policy.beQuick(16);
  }

  noteDuplicate(start: Seq, end: Seq): void {
    if (this.tcb.sackOn && this.settings.duplicateSack && seqLt(start, end)) this.duplicate = { start, end };
  }

  /** More of what came twice: the first of a segment is told, and what adjoins it. */
  private noteMoreDuplicate(start: Seq, end: Seq): void {
    const { duplicate } = this;
    if (duplicate === undefined) return this.noteDuplicate(start, end);
    if (seqGt(start, duplicate.end) || seqGt(duplicate.start, end)) return;
    if (seqLt(start, duplicate.start)) duplicate.start = start;
    if (seqGt(end, duplicate.end)) duplicate.end = end;
  }

  private ownReassembly(): Reassembly {
    if (this.reassembly === NOTHING_HELD) this.reassembly = new Reassembly();
    return this.reassembly;
  }

  private holdOrAppend(start: Seq, bytes: Uint8Array, cost: number, isWhole: boolean): void {
    const { tcb, reassembly } = this;
    if (seqGt(start, tcb.rcvNxt)) {
      const known = reassembly.overlap(start, seqAdd(start, bytes.length));
      if (known !== undefined) this.noteDuplicate(known.start, known.end);
      this.outOfOrder++;
      this.ownReassembly().add(start, bytes, cost);
      this.ackWanted = true;
      if (!tcb.sackOn) this.ackNow = true;
      return;
    }
    // What the segment covers of data that had come before its turn came twice (RFC 2883 §4.1).
    const twice = reassembly.overlap(start, seqAdd(start, bytes.length));
    if (twice !== undefined) this.noteMoreDuplicate(twice.start, twice.end);
    this.append(bytes, cost, isWhole);
    for (let piece = reassembly.take(tcb.rcvNxt); piece !== undefined; piece = reassembly.take(tcb.rcvNxt)) {
      if (piece.bytes.length > 0) this.append(piece.bytes, piece.cost);
    }
    reassembly.forgetBefore(tcb.rcvNxt);
    // A FIN that had come early, and that this has proved wrong.
    if (this.finAt !== undefined && seqLt(this.finAt, tcb.rcvNxt)) this.finAt = undefined;
    // A segment that fills a gap is acknowledged at once (RFC 5681 §4.2).
    this.ackNow = true;
  }

  private append(bytes: Uint8Array, cost: number, joins = true): void {
    this.tcb.rcvNxt = seqAdd(this.tcb.rcvNxt, bytes.length);
    this.bytesReceived += bytes.length;
    if (this.discards) return;
    if (this.ready === NOTHING_READY) this.ready = new ReadQueue();
    this.ready.append(bytes, cost, this.window, joins);
  }

  /** For tests. */
  check(): string | undefined {
    const { tcb } = this;
    return seqGe(tcb.rcvAdv, tcb.rcvNxt) || tcb.state === 'CLOSED'
      ? undefined
      : 'the promised window lies behind RCV.NXT';
  }
}
