/**
 * The sending half of a connection: the user's bytes on their way, the timers that watch over them, and what the two
 * windows are. What goes out and when is the transmitter's; what an acknowledgement means is in acknowledge.ts.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqDiff, seqGt, seqLt } from '../../base/seq32.ts';
import { FIN, PSH, type Segment, SYN } from '../../wire/tcp.ts';
import type { AccurateEcn } from './accurate-ecn.ts';
import { BsdRecovery } from './bsd-recovery.ts';
import { DUE } from './deadlines.ts';
import { restartAfterIdle } from './idle-restart.ts';
import { initialWindow } from './initial-window.ts';
import { LimitClock } from './limits.ts';
import { Recovery, type RecoveryHost } from './recovery.ts';
import type { RttEstimator } from './rtt.ts';
import { SendBuffer } from './send-buffer.ts';
import { growSendBuffer } from './send-buffer-growth.ts';
import { SendQueue } from './send-queue.ts';
import { SendRecord } from './send-record.ts';
import { scheduleProbe } from './tail-loss-probe.ts';
import { RECORD_LIMIT, Transmitter } from './transmitter.ts';
import { armUserTimeout } from './user-timeout.ts';
import { WindowProber } from './window-prober.ts';

/** RFC 6298 §5.7: the timeout with which data begins when the SYN was lost. */
const AFTER_LOST_SYN: Duration = 3e9;

export interface SenderHost extends RecoveryHost {
  /** A segment with sequence number, acknowledgement, window and timestamps filled in. */
  build(now: Instant, flags: number, seq: Seq): Segment;
  /** Its driver cuts records into segments. */
  readonly largeSegments: boolean;
  /** Room that options of the next segment take beyond those that every segment has. */
  readonly extraOptions: number;
  readonly rtt: RttEstimator;
  readonly ecnOn: boolean;
  /** The user has gone. */
  readonly orphaned: boolean;
  /** Flags of a SYN+ACK that ECN needs. */
  readonly synAckEcn: number;
  /** Flags with which a SYN that had no answer asks for ECN once more. */
  synEcnAgain(timeouts: number): number;
  readonly accurateEcn: AccurateEcn | undefined;
  /** Data may go out before the handshake is complete (RFC 7413). */
  readonly sendsEarly: boolean;
  readonly passive: boolean;
  /** Urgent data is on its way. */
  readonly isUrgent: boolean;
  /** The other end has our SYN+ACK, and is waited for to send data. */
  readonly keepsSynAckBack: boolean;
  dataSent(now: Instant): void;
  /** `ackNow`: an acknowledgement is due at once, with data or without. */
  readonly receiver: { ackNow: boolean };
}

export interface WriteOptions {
  /** More will follow at once: a partial segment waits for it (MSG_MORE). */
  more?: boolean;
  /** The other end's user should hurry to read this (MSG_OOB; RFC 9293 §3.9.1.2, URGENT flag). */
  urgent?: boolean;
  /** Nothing of a later write shares a segment with this one (MSG_EOR). */
  boundary?: boolean;
}

export class Sender {
  readonly host: SenderHost;
  readonly queue = new SendQueue();
  readonly rtt: RttEstimator;
  readonly recovery: Recovery;
  readonly transmitter: Transmitter;
  readonly limits = new LimitClock();
  /** Made when the other end first offers no window. */
  prober: WindowProber | undefined = undefined;
  /** Segments to be handed down, in order. */
  readonly outbox = new Fifo<Segment>();
  finRequested = false;
  /** A write with MSG_MORE is under way. */
  more = false;
  /** A write was not taken whole. */
  writerWaits = false;
  /** Bytes that the user may have waiting and in flight; grows with the window unless it was set. */
  capacity: number;
  nextSendAt: Instant = 0;
  segmentsSent = 0;
  dataSegmentsSent = 0;
  sentBytes = 0;
  retransmittedBytes = 0;
  acknowledgedBytes = 0;
  lastAckAt: Instant = 0;
  private readonly buffer = new SendBuffer();
  private bufferStart: Seq = 0;
  /** The first sequence number that no write has used. */
  writeSeq: Seq = 0;
  /** What a PSH has told the other end not to wait beyond. */
  private pushedSeq: Seq = 0;
  private rttSeq: Seq = 0;
  private synAgain = 0;
  /** What was sent last when the window was last taken for outdated. */
  private restartedBehind: Instant = -1;

  constructor(host: SenderHost) {
    this.host = host;
    const { settings } = host;
    this.capacity = settings.sendBuffer;
    this.rtt = host.rtt;
    const congestion = settings.congestionControl(settings);
    // BSD's recovery moves the window: a control that wants it for itself has one beside it that does not, there as here.
    const Kind = settings.lossRecovery === 'bsd' && !congestion.ownWindow ? BsdRecovery : Recovery;
    this.recovery = new Kind(host, this.queue, this.rtt, congestion);
    this.transmitter = new Transmitter(this);
  }

  get tcb(): SenderHost['tcb'] {
    return this.host.tcb;
  }

  /** Bytes written and not acknowledged. */
  get queued(): number {
    return this.buffer.length;
  }

  /** Bytes written and not sent. */
  get unsent(): number {
    return Math.max(0, seqDiff(this.writeSeq, this.tcb.sndNxt) - (this.finRequested ? 1 : 0));
  }

  /** Bytes that a write would be taken for now. */
  get room(): number {
    return Math.max(0, this.capacity - this.buffer.length);
  }

  get finSent(): boolean {
    return this.finRequested && this.tcb.sndNxt === this.writeSeq;
  }

  get finAcknowledged(): boolean {
    return this.finRequested && this.tcb.sndUna === this.writeSeq;
  }

  get awaitsHandshake(): boolean {
    const { state } = this.tcb;
    return state === 'SYN_SENT' || (state === 'SYN_RCVD' && !this.host.sendsEarly);
  }

  /** RFC 9293 §3.7.1: what one segment may hold now, SACK blocks and the like reckoned in. */
  get currentMss(): number {
    return Math.max(this.tcb.mss - this.host.extraOptions, 1);
  }

  useProber(): WindowProber {
    this.prober ??= new WindowProber(this);
    return this.prober;
  }

  // --- opening

  open(iss: Seq): void {
    this.start(iss);
    const syn = new SendRecord(iss, seqAdd(iss, 1), SYN, this.tcb.mss);
    // The SYN of a passive open takes nothing of the window: data that goes early has all of it.
    if (this.tcb.state !== 'SYN_SENT') syn.segments = 0;
    this.queue.append(syn);
    this.writeSeq = syn.end;
    this.bufferStart = syn.end;
    this.pushedSeq = syn.end;
  }

  /** The SYN, or the SYN+ACK, for the first time. */
  sendSyn(now: Instant, flags: number): void {
    const syn = this.queue.sendHead();
    this.recovery.rate.sending(now, syn, true);
    this.tcb.sndNxt = syn.end;
    this.tcb.sndMax = syn.end;
    this.transmitter.emitSyn(now, syn, flags, false);
    this.rearmRetransmit(now);
    armUserTimeout(this, now);
  }

  /** Again: it was lost, the answer was, or it has become a SYN+ACK. */
  resendSyn(now: Instant, flags: number, timedOut: boolean): void {
    const { first } = this.queue;
    if (first === undefined || !(first.flags & SYN)) return;
    if (timedOut) {
      this.synAgain++;
      this.recovery.totalRetransmissions++;
    }
    first.everResent ||= timedOut;
    if (first.lost) this.queue.markResent(first);
    this.transmitter.emitSyn(now, first, flags, true);
  }

  /** A SYN that was answered statelessly: the connection starts where its cookie was. */
  openBehindSyn(iss: Seq): void {
    this.start(seqAdd(iss, 1));
    this.tcb.iss = iss;
  }

  /** Everything is sent and acknowledged, the FIN too. */
  resumeBehindFin(): void {
    const { iss, sndNxt } = this.tcb;
    this.start(sndNxt);
    this.tcb.iss = iss;
    this.finRequested = true;
  }

  private start(seq: Seq): void {
    const { tcb } = this;
    tcb.iss = seq;
    tcb.sndUna = seq;
    tcb.sndNxt = seq;
    tcb.sndMax = seq;
    this.writeSeq = seq;
    this.bufferStart = seq;
    this.pushedSeq = seq;
    this.rttSeq = seq;
    this.recovery.highSeq = seq;
    this.transmitter.open(seq);
  }

  /** The handshake is over: RFC 6928's initial window, or one segment after more than one lost SYN. */
  established(now: Instant, passive: boolean): void {
    const { window, rate } = this.recovery;
    if (passive) {
      // The handshake is the listener's: what is counted is what comes after it.
      rate.delivered++;
      this.segmentsSent = this.dataSegmentsSent;
      this.acknowledgedBytes = Math.max(0, this.acknowledgedBytes - 1);
    }
    // What went out with Fast Open has a window of its own already.
    if (this.tcb.state === 'ESTABLISHED' && this.host.sendsEarly) return;
    const { repeatedSynIsLoss, lossRecovery } = this.host.settings;
    const again = repeatedSynIsLoss ? this.recovery.totalRetransmissions : this.synAgain;
    const lost = again > (lossRecovery === 'bsd' ? 0 : 1);
    window.cwnd = lost ? 1 : initialWindow(this.host.settings, this.tcb);
    window.ssthresh = 0x7fff_ffff;
    window.credit = 0;
    // Without SACK the loss of a SYN is held until more is acknowledged (RFC 6582 §4).
    if (this.recovery.state !== 'loss') this.recovery.state = 'open';
    this.recovery.timeouts = 0;
    this.recovery.undoMarker = undefined;
    this.recovery.retransmitStamp = undefined;
    if (this.synAgain > 0) this.rtt.afterLostSyn(AFTER_LOST_SYN);
    // With Linux only a sample of the round trip ends it.
    if (passive || !repeatedSynIsLoss) this.rtt.backoffs = 0;
    this.recovery.congestion.established?.(now, window, this.tcb.mss, this.rtt.srtt);
    this.transmitter.lastSentAt = now;
    this.transmitter.windowRestarted(now);
    growSendBuffer(this);
  }

  // --- the user

  write(now: Instant, bytes: Uint8Array, options?: WriteOptions): number {
    this.noteIdle(now);
    const mss = this.currentMss;
    if (options === undefined && this.goesAtOnce(bytes.length, mss)) return this.writeAtOnce(now, bytes, mss);
    return this.writeBehind(now, bytes, options);
  }

  /** Behind what waits already. */
  private writeBehind(now: Instant, bytes: Uint8Array, options?: WriteOptions): number {
    this.more = options?.more ?? false;
    const most = this.host.settings.recordOverhead > 0 ? bytes.length : Math.min(bytes.length, this.room);
    let taken = 0;
    const wasIdle = this.queue.isEmpty;
    while (taken < most && this.hasMemory) {
      taken += this.appendPiece(bytes, taken, most, taken === 0);
      if (taken < most) this.pushMidway(now);
    }
    if (taken > 0 && options?.boundary && this.queue.tail !== undefined) this.queue.tail.boundary = true;
    this.writerWaits = taken < bytes.length;
    const tail = this.queue.tail;
    if (tail !== undefined && (!this.more || this.hasMuchUnpushed)) this.markPush(tail);
    if (this.recovery.judgesAll) this.recovery.resend(this, now);
    this.transmitter.push(now, wasIdle ? 'idle' : 'nagle');
    // It holds for this call: whatever lets a partial segment go later may.
    this.more = false;
    return taken;
  }

  /** Of those who talk in turns nearly every write: all before it is acknowledged, and it is one segment. */
  private goesAtOnce(length: number, mss: number): boolean {
    const { queue, tcb, host } = this;
    if (!queue.isEmpty || queue.head !== undefined || length === 0 || length > this.capacity) return false;
    if (tcb.state !== 'ESTABLISHED' && tcb.state !== 'CLOSE_WAIT') return false;
    if (host.settings.cork || host.pathProbe !== undefined || this.paces || this.isRefused) return false;
    return length <= tcb.sndWnd && length <= mss;
  }

  private writeAtOnce(now: Instant, bytes: Uint8Array, mss: number): number {
    const end = seqAdd(this.writeSeq, bytes.length);
    const record = new SendRecord(this.writeSeq, end, PSH, mss);
    this.writerWaits = false;
    this.buffer.append(bytes);
    this.writeSeq = end;
    this.pushedSeq = end;
    this.transmitter.sendAtOnce(now, record);
    return bytes.length;
  }

  /** Where records cost something beside their bytes, one that is begun is filled, and memory looked at for the next. */
  private get hasMemory(): boolean {
    const { tail } = this.queue;
    if (this.host.settings.recordOverhead === 0 || this.fits(tail)) return true;
    return this.memoryUsed < this.capacity && this.unsent < this.host.settings.notSentLowWater;
  }

  get memoryUsed(): number {
    return this.buffer.length + this.queue.length * this.host.settings.recordOverhead;
  }

  /** Can a record take more? */
  private fits(tail: SendRecord | undefined): tail is SendRecord {
    return (
      tail !== undefined && !tail.boundary && (tail.flags & (FIN | SYN)) === 0 && tail.dataLength < this.recordGoal
    );
  }

  private appendPiece(bytes: Uint8Array, from: number, to: number, isFirst: boolean): number {
    const { queue } = this;
    const goal = this.recordGoal;
    let tail = queue.tail;
    if (!this.fits(tail)) {
      tail = new SendRecord(this.writeSeq, this.writeSeq, 0, this.currentMss);
      queue.append(tail);
    } else if (isFirst) {
      tail.flags &= ~PSH;
    }
    const length = Math.min(to - from, goal - tail.dataLength);
    this.buffer.append(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length));
    tail.end = seqAdd(tail.end, length);
    this.writeSeq = tail.end;
    tail.recount(this.currentMss);
    return length;
  }

  /** How large a record becomes: whole segments, at most half of the window. */
  private get recordGoal(): number {
    const mss = this.currentMss;
    const { maxSndWnd } = this.tcb;
    const half = maxSndWnd > 536 ? maxSndWnd >> 1 : maxSndWnd;
    const most = half > 0 ? Math.min(RECORD_LIMIT, Math.max(half, 68)) : RECORD_LIMIT;
    return Math.max(mss, Math.floor(most / mss) * mss);
  }

  private get hasMuchUnpushed(): boolean {
    return this.host.settings.pushesHalfWindows && seqDiff(this.writeSeq, this.pushedSeq) > this.tcb.maxSndWnd >> 1;
  }

  private markPush(record: SendRecord): void {
    record.flags |= PSH;
    this.pushedSeq = this.writeSeq;
  }

  /** A record is full and the write goes on. */
  private pushMidway(now: Instant): void {
    const { queue, transmitter } = this;
    const { tail } = queue;
    if (tail === undefined) return;
    if (this.hasMuchUnpushed) {
      this.markPush(tail);
      transmitter.push(now, 'push');
    } else if (tail === queue.head) {
      transmitter.pushOne(now);
    }
  }

  /** The FIN, on the last record that waits or by itself. */
  close(now: Instant): void {
    if (this.finRequested) return;
    this.finRequested = true;
    const tail = this.queue.tail;
    if (tail !== undefined && !(tail.flags & SYN)) {
      if (this.host.settings.pushesOnClose) this.markPush(tail);
      tail.flags |= FIN;
      tail.end = seqAdd(tail.end, 1);
      this.writeSeq = tail.end;
    } else {
      const record = new SendRecord(this.writeSeq, seqAdd(this.writeSeq, 1), FIN, this.currentMss);
      this.queue.append(record);
      this.writeSeq = record.end;
    }
    this.transmitter.push(now, 'off');
  }

  /** The bytes of a segment in the outbox. */
  copy(seq: Seq, length: number, target: Uint8Array, at: number): void {
    this.buffer.copy(seqDiff(seq, this.bufferStart), length, target, at);
  }

  // --- acknowledged

  /** SND.UNA moves; the bytes before it are no longer needed. */
  advance(una: Seq): void {
    const { tcb } = this;
    const bytes = Math.min(Math.max(0, seqDiff(una, this.bufferStart)), this.buffer.length);
    this.acknowledgedBytes += Math.max(0, seqDiff(una, tcb.sndUna));
    tcb.sndUna = una;
    if (bytes === 0) return;
    this.buffer.drop(bytes);
    this.bufferStart = seqAdd(this.bufferStart, bytes);
  }

  /** A record part of which is acknowledged is sent again without that part. */
  trimAcknowledged(record: SendRecord): void {
    const { sndUna } = this.tcb;
    if (!seqLt(record.seq, sndUna) || !seqLt(sndUna, record.end)) return;
    record.seq = sndUna;
    record.flags &= ~SYN;
    this.queue.resize(record, record.mss);
  }

  /** Karn's algorithm is the caller's. */
  sampleRtt(rtt: Duration): void {
    const newWindow = seqGt(this.tcb.sndUna, this.rttSeq);
    this.rtt.sample(rtt, newWindow || this.rtt.srtt === undefined);
    if (newWindow) this.rttSeq = this.tcb.sndNxt;
  }

  /** May the writer be told that there is room? Only where it is worth while: half of it is free. */
  get isWritable(): boolean {
    const used = this.memoryUsed;
    return this.capacity - used >= used >> 1 && 2 * this.unsent < this.host.settings.notSentLowWater;
  }

  // --- timers

  /** When the retransmission timer would fire, were it not for a probe: the first segment's time plus the RTO. */
  retransmitDue(now: Instant): Instant {
    return (this.queue.first?.sentAt ?? now) + this.rtt.rto;
  }

  rearmRetransmit(now: Instant): void {
    const { deadlines } = this.host;
    if (this.queue.isEmpty) {
      deadlines.clearTransmit();
      return;
    }
    const waited = deadlines.isSet(DUE.reordering) || deadlines.isSet(DUE.probe);
    const due = waited ? Math.max(this.retransmitDue(now), now + 1) : now + this.rtt.rto;
    deadlines.setTransmit(DUE.retransmit, due);
  }

  /** RFC 8985 §7.2: the probe's timer if there is to be a probe, else the RTO. */
  setTransmitTimer(now: Instant): void {
    if (!scheduleProbe(this, now, true)) this.rearmRetransmit(now);
  }

  /** A SYN+ACK is repeated after 1, 2, 4 ... times the initial timeout, whatever data that goes early does. */
  get synAckTimeout(): Duration {
    const { initialRto, maxRto, rtoSlop } = this.host.settings;
    const { timeouts } = this.recovery;
    return Math.min(initialRto * 2 ** timeouts + (timeouts > 0 ? rtoSlop : 0), maxRto);
  }

  /** Our own link would drop what is sent now. */
  get isRefused(): boolean {
    return this.host.settings.asksLink && (this.host.observer?.isRefused ?? false);
  }

  // --- pacing

  get paces(): boolean {
    return (
      this.host.settings.paced ||
      this.host.settings.maxPacingRate !== Number.POSITIVE_INFINITY ||
      this.recovery.congestion.pacingRate !== undefined
    );
  }

  /** After a time without sending the window is worth less (RFC 5681 §4.1): once for each such time. */
  noteIdle(now: Instant): void {
    const { settings } = this.host;
    const { lastSentAt } = this.transmitter;
    const idle = now - lastSentAt;
    if (!settings.slowStartAfterIdle || this.queue.out > 0 || idle <= this.rtt.rto || lastSentAt < 0) return;
    if (this.recovery.congestion.ownWindow || this.restartedBehind === lastSentAt) return;
    this.restartedBehind = lastSentAt;
    restartAfterIdle(this.recovery, idle);
    this.transmitter.windowRestarted(now);
  }

  clear(): void {
    // What was about to leave has lost its bytes, and its point.
    this.outbox.clear();
    this.buffer.clear();
    this.queue.clear();
  }

  /** For tests. */
  check(): string | undefined {
    const { tcb } = this;
    if (tcb.state === 'CLOSED' || this.queue.head?.flags === SYN) return undefined;
    return this.recovery.check() ?? this.queue.check(tcb.sndUna, tcb.sndNxt);
  }
}
