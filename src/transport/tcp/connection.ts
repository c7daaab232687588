/**
 * One end of a TCP connection, sans I/O: segments, user calls and the time go in; segments, events and a deadline come
 * out. After every input the driver (endpoint.ts) drains `nextSegment` and `nextEvent` and looks at `deadline`.
 *
 *   segment-arrives.ts  what each arriving segment does (RFC 9293 §3.10.7)
 *   sender.ts           what may be sent;  receiver.ts  what was received and when to acknowledge it
 *   timers.ts           what a deadline that has passed does
 *   state.ts            which changes of state there are
 */
import { assert, InvariantError } from '../../base/assert.ts';
import { Fifo } from '../../base/fifo.ts';
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqLt, seqMax } from '../../base/seq32.ts';
import { ACK, AE, CWR, ECE, type Segment, SYN } from '../../wire/tcp.ts';
import type { AccurateEcn } from './accurate-ecn.ts';
import type { BlackHole } from './black-hole.ts';
import { ChallengeLimit } from './challenge-limit.ts';
import { Deadlines, DUE } from './deadlines.ts';
import { asksForClassic, type Ecn, ecnAsked } from './ecn.ts';
import { FastOpenSide } from './fast-open-side.ts';
import { isForgotten } from './forgotten.ts';
import { agree, takeWindowOfSyn } from './handshake.ts';
import { limitConnecting, refreshKeepAlive } from './keep-alive.ts';
import { type PathProbe, resendSmaller } from './path-probe.ts';
import { Receiver } from './receiver.ts';
import { RttEstimator } from './rtt.ts';
import { segmentArrives } from './segment-arrives.ts';
import { buildAcknowledgement, buildChallenge, buildReset, buildSegment, optionsLength } from './segment-builder.ts';
import { growSendBuffer } from './send-buffer-growth.ts';
import { Sender, type SenderHost, type WriteOptions } from './sender.ts';
import { isLegal, isSynchronized, mayWrite, type State } from './state.ts';
import { Tcb, TIMESTAMPS_LENGTH } from './tcb.ts';
import { timedOut } from './timers.ts';
import type { TcpConnectionOptions, TcpErrorCode, TcpEvent, TcpObserver, TcpSettings } from './types.ts';
import { Urgent } from './urgent.ts';

/** Bytes that one acknowledgement stands for, at most. */
const MOST_AT_ONCE = 65536;

export class TcpConnection implements SenderHost {
  readonly tcb = new Tcb();
  readonly settings: TcpSettings;
  readonly deadlines = new Deadlines();
  readonly rtt: RttEstimator;
  readonly receiver: Receiver;
  readonly sender: Sender;
  /** Undefined: not agreed on. */
  ecn: Ecn | undefined = undefined;
  /** Parts that most connections never use are made for the first use; so are those below. */
  fastOpen: FastOpenSide | undefined = undefined;
  pathProbe: PathProbe | undefined = undefined;
  blackHole: BlackHole | undefined = undefined;
  urgent: Urgent | undefined = undefined;
  challengeLimit: ChallengeLimit | undefined = undefined;
  observer: TcpObserver | undefined;
  readonly localMss: number;
  readonly largeSegments: boolean;
  /** What a half-open connection has acknowledged: the SYN, and data on it with Fast Open. */
  requestNext: Seq = 0;
  /** The ACK of our SYN+ACK has come without data, and was put off (TCP_DEFER_ACCEPT). */
  ackDeferred = false;
  /** Opened passively: a RST in SYN_RCVD is then no error of the user's (RFC 9293 §3.10.7.4, second). */
  passive = false;
  /** The user has gone: data that still arrives is answered with a RST (RFC 9293 §3.6.1). */
  orphaned = false;
  /** The user will not read any more, and may still write. */
  readShut = false;
  /** A half-close of what is no connection yet waits until it is one (BSD). */
  closesWhenOpen = false;
  /** A user who keeps errors by himself, as a POSIX socket does, and reads what came before them all the same. */
  tellsErrorsAtOnce = false;
  /** Why it ended, where it did not end well. */
  failure: TcpErrorCode | undefined = undefined;
  /** An ICMP error that does not end the connection, but says why it may time out (RFC 9293 §3.9.2.2). */
  softError: { code: TcpErrorCode; why: string } | undefined = undefined;
  keepAlivesUnanswered = 0;
  /** When the other end was heard last. */
  lastHeardAt: Instant = 0;
  openedAt: Instant = 0;
  segmentsReceived = 0;
  private readonly iss: Seq;
  /** Segments that go before all others: resets and challenges. */
  private pending: Fifo<Segment> | undefined = undefined;
  private readonly events = new Fifo<TcpEvent>();
  private endTold = false;
  private closeDue = false;

  constructor(options: TcpConnectionOptions) {
    this.settings = options.settings;
    this.iss = options.iss;
    this.localMss = options.localMss;
    this.largeSegments = options.largeSegments ?? false;
    this.observer = options.observer;
    this.tcb.tsOffset = this.settings.timestampOffsets ? (options.tsOffset ?? 0) : 0;
    this.tcb.pathMss = options.pathMss ?? options.localMss;
    this.tcb.peerMss = options.localMss;
    this.rtt = new RttEstimator(this.settings);
    this.receiver = new Receiver(this.tcb, this.settings, this.deadlines, this.advertisedMss, this.rtt);
    this.sender = new Sender(this);
  }

  useFastOpen(): FastOpenSide {
    this.fastOpen ??= new FastOpenSide(this);
    return this.fastOpen;
  }

  /** Bytes of urgent data that the user has not read (RFC 9293 §3.8.5, MUST-33). */
  get urgentRemaining(): number {
    return this.urgent?.remaining(this.receiver.readSeq) ?? 0;
  }

  get isUrgent(): boolean {
    return this.urgent?.isPending(this.tcb) ?? false;
  }

  /** What answers to unacceptable segments are limited by; made for the first. */
  get challenges(): ChallengeLimit {
    this.challengeLimit ??= new ChallengeLimit(this.settings.challengeRate, this.settings.challengeInterval);
    return this.challengeLimit;
  }

  get state(): State {
    return this.tcb.state;
  }

  get deadline(): Instant {
    return this.deadlines.earliest;
  }

  /** Our MSS option: the link's, or less where the user wants less. */
  get advertisedMss(): number {
    const { maxSegment } = this.settings;
    return maxSegment > 0 ? Math.min(maxSegment, this.localMss) : this.localMss;
  }

  // --- user calls (RFC 9293 §3.9.1)

  /** Active OPEN; `early` is data for the SYN, as far as Fast Open lets it. */
  open(now: Instant, early?: Uint8Array): void {
    assert(this.state === 'CLOSED', 'OPEN of a connection that exists');
    this.openedAt = now;
    this.setState('SYN_SENT', 'active OPEN');
    this.sender.open(this.iss);
    limitConnecting(this, now);
    if (early !== undefined) this.sender.write(now, early);
    this.sender.sendSyn(now, SYN | this.ecnOfSyn);
    this.fastOpen?.sendEarlyData(now);
  }

  private get ecnOfSyn(): number {
    const { ecn } = this.settings;
    return ecn === 'accurate' ? AE | CWR | ECE : asksForClassic(ecn) ? CWR | ECE : 0;
  }

  synEcnAgain(timeouts: number): number {
    const { ecn, ecnFallback, ecnRetries } = this.settings;
    return timeouts < (ecn === 'accurate' || !ecnFallback ? 1 : ecnRetries) ? this.ecnOfSyn : 0;
  }

  /** The flags of a SYN+ACK that ECN needs. */
  get synAckEcn(): number {
    return this.ecn?.synAckFlags ?? 0;
  }

  /** A SYN has come to a listener, which made this connection for it. `codepoint`: the ECN field it came with. */
  accept(now: Instant, syn: Segment): void {
    this.passive = true;
    this.openedAt = now;
    this.lastHeardAt = now;
    this.setState('LISTEN', 'passive OPEN');
    agree(this, syn);
    this.tcb.tsRecentAt = now;
    this.ecn = ecnAsked(syn.flags, this.settings, syn.ecn);
    if (this.tcb.timestampsOn) this.receiver.window.setMss(this.advertisedMss - TIMESTAMPS_LENGTH);
    this.receiver.open(syn.seq);
    this.setState('SYN_RCVD', 'SYN arrives');
    this.sender.open(this.iss);
    takeWindowOfSyn(this, syn);
    this.fastOpen?.synArrived(now, syn);
    this.requestNext = this.tcb.rcvNxt;
    this.sender.sendSyn(now, SYN | ACK | this.synAckEcn);
  }

  /** The ACK of a SYN that was answered with a cookie: `syn` is what the cookie says the SYN was. */
  acceptCookie(now: Instant, syn: Segment): void {
    this.passive = true;
    this.openedAt = now;
    this.setState('LISTEN', 'passive OPEN');
    agree(this, syn);
    this.tcb.tsRecentAt = now;
    this.receiver.open(syn.seq);
    this.receiver.offerInitial();
    this.setState('SYN_RCVD', 'SYN arrives');
    this.sender.openBehindSyn(this.iss);
    takeWindowOfSyn(this, syn);
  }

  /** Takes what the send buffer has room for; 'writable' follows when a write was not taken whole. */
  write(now: Instant, bytes: Uint8Array, options?: WriteOptions): number {
    if (!mayWrite(this.state) || this.sender.finRequested) return 0;
    // "SND.UP <- SND.NXT-1", now that pointers point behind the data (RFC 6093 §2.1): where this write will end.
    if (options?.urgent) {
      this.urgent ??= new Urgent();
      this.urgent.sndUp = seqAdd(this.sender.writeSeq, bytes.length);
    }
    const taken = this.sender.write(now, bytes, options);
    if (this.state !== 'SYN_SENT') refreshKeepAlive(this, now);
    return taken;
  }

  read(now: Instant, max = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const bytes = this.receiver.read(now, max);
    this.wasRead(bytes !== undefined);
    return bytes;
  }

  /** A call that reads has ended, however many pieces it took. */
  wasRead(something: boolean): void {
    if (something) this.receiver.considerWindowUpdate();
    this.tellEnd();
  }

  /** CLOSE: no more will be written. What was written is sent first; reading goes on (half-close). */
  close(now: Instant): void {
    if (this.sender.finRequested) return;
    switch (this.state) {
      case 'CLOSED':
        return;
      case 'LISTEN':
      case 'SYN_SENT':
        if (this.closesWhenOpen) return;
        return this.finish('CLOSE');
      case 'SYN_RCVD':
      case 'ESTABLISHED':
        this.setState('FIN_WAIT_1', 'CLOSE');
        return this.sender.close(now);
      case 'CLOSE_WAIT':
        this.setState('LAST_ACK', 'CLOSE');
        return this.sender.close(now);
      default:
        return;
    }
  }

  /** The user wants nothing more, neither to write nor to read. */
  release(now: Instant): void {
    // RFC 9293 §3.6.1 and RFC 2525 §2.17: unread data was not delivered, and the other end must not think it was.
    const isReset = this.settings.resetsUnread && this.receiver.readable > 0 && this.state !== 'TIME_WAIT';
    if (isReset || !this.settings.resetsUnread) this.receiver.discard();
    if (isReset) this.abort(now, 'closed with unread data');
    this.orphaned = true;
    const { linger } = this.settings;
    if (linger === 0) return this.abort(now, 'closed with a linger time of zero');
    this.close(now);
    if (linger !== undefined && this.state !== 'CLOSED') this.deadlines.set(DUE.linger, now + linger);
    if (this.state === 'FIN_WAIT_2') this.waitForgotten(now);
  }

  /** Nobody waits for the FIN but us, and for a while. */
  private waitForgotten(now: Instant): void {
    this.deadlines.set(DUE.finWait2, now + this.settings.finWait2);
    if (this.settings.keepsRemains) this.challengeLimit = undefined; // what is kept counts by itself
  }

  /** ABORT: a RST in all states in which the other end knows of us (RFC 9293 §3.10.5). */
  abort(now: Instant, why = 'ABORT'): void {
    if (this.knownToPeer) this.sendReset(now);
    this.finish(why);
  }

  private get knownToPeer(): boolean {
    return (isSynchronized(this.state) && this.state !== 'TIME_WAIT') || this.state === 'SYN_RCVD';
  }

  // --- the network

  /** `more`: others follow at once. True: it waits for them, and for `settle` behind the last. */
  segmentArrives(now: Instant, segment: Segment, more = false): boolean {
    this.keepAlivesUnanswered = 0;
    this.lastHeardAt = now;
    this.segmentsReceived += segment.pieces;
    this.tcb.tsAdvanced = false;
    this.tcb.lastEcho = segment.hasTimestamps ? segment.tsEcr : undefined;
    const consequence = segmentArrives(this, now, segment);
    if (more && this.mayWait) return true;
    if (consequence === 'sending') this.settle(now);
    else if (consequence === 'acknowledgement') this.acknowledgeSoon(now);
    else refreshKeepAlive(this, now);
    return false;
  }

  /**
   * Nothing has to be sent before more has arrived that is there already: acknowledgements make room together, and data
   * is acknowledged together, as where segments are coalesced on receipt (up to 64 KB at once; RFC 5681 §4.2's second
   * segment is a SHOULD). Frames that arrive one by one are not concerned.
   */
  private get mayWait(): boolean {
    return !this.hasToSend && this.state === 'ESTABLISHED' && this.receiver.unacknowledged < MOST_AT_ONCE;
  }

  /** Would `nextSegment` answer one? */
  get hasToSend(): boolean {
    return !(this.pending?.isEmpty ?? true) || !this.sender.outbox.isEmpty || this.receiver.ackNow;
  }

  /** Segments have been dealt with: what they let us send, and the acknowledgement of them. */
  settle(now: Instant): void {
    const { recovery, transmitter } = this.sender;
    if (recovery.holdsBack) recovery.holdsBack = false;
    else if (this.hears) transmitter.push(now, 'nagle');
    this.acknowledgeSoon(now);
    this.tellWritable();
  }

  /** It knows where the other end's data begins. */
  private get hears(): boolean {
    const { state } = this.tcb;
    return state !== 'CLOSED' && state !== 'SYN_SENT';
  }

  private acknowledgeSoon(now: Instant): void {
    if (this.hears && this.sender.outbox.isEmpty) this.receiver.considerAck(now);
    refreshKeepAlive(this, now);
  }

  tellWritable(): void {
    const { sender } = this;
    if (!sender.writerWaits) return;
    if (sender.queue.pipe < sender.recovery.window.cwnd) growSendBuffer(sender);
    if (!sender.isWritable) return;
    sender.writerWaits = false;
    this.events.push({ type: 'writable' });
  }

  /** The path takes segments of at most `mss` bytes (without headers). */
  pathMssChanged(now: Instant, mss: number): void {
    if (mss >= this.tcb.pathMss) return;
    this.tcb.pathMss = mss;
    this.observer?.decided('path-mtu', `segments of at most ${mss} bytes from now on`);
    resendSmaller(this.sender, now);
  }

  /** Deals with every deadline that has passed. */
  timeout(now: Instant): void {
    for (;;) {
      const purpose = this.deadlines.takeDue(now);
      if (purpose === undefined) return;
      timedOut(this, now, purpose);
    }
  }

  // --- output

  nextSegment(now: Instant): Segment | undefined {
    const segment = this.pending?.shift() ?? this.sender.outbox.shift() ?? this.acknowledgement(now);
    if (segment !== undefined) this.sender.segmentsSent += segment.pieces;
    return segment;
  }

  private acknowledgement(now: Instant): Segment | undefined {
    if (!this.receiver.ackNow || !this.hears) return undefined;
    this.sender.transmitter.sendAlong(now);
    return this.sender.outbox.shift() ?? buildAcknowledgement(this, now);
  }

  /** SND.NXT, or the edge of a window that has shrunk: what the other end will not find unacceptable. */
  get acceptableSeq(): Seq {
    const { tcb } = this;
    return seqLt(tcb.sndWndEnd, tcb.sndNxt) ? seqMax(tcb.sndWndEnd, tcb.sndUna) : tcb.sndNxt;
  }

  /** Data that arrived before a RST or a last FIN is read first: 'error' and 'closed' wait for it. */
  nextEvent(): TcpEvent | undefined {
    const first = this.events.peek();
    const unread = this.receiver.readable > 0;
    if (first !== undefined && !(unread && first.type === 'error' && !this.tellsErrorsAtOnce))
      return this.events.shift();
    if (first !== undefined || !this.closeDue || unread) return undefined;
    this.closeDue = false;
    return { type: 'closed' };
  }

  /** Writes the data of a segment that `nextSegment` has just answered. */
  copyPayload(segment: Segment, target: Uint8Array, at: number): void {
    if (segment.length > 0)
      this.sender.copy(segment.flags & SYN ? seqAdd(segment.seq, 1) : segment.seq, segment.length, target, at);
  }

  build(now: Instant, flags: number, seq: Seq): Segment {
    return buildSegment(this, now, flags, seq);
  }

  get extraOptions(): number {
    return optionsLength(this);
  }

  get ecnOn(): boolean {
    return this.ecn !== undefined;
  }

  get accurateEcn(): AccurateEcn | undefined {
    return this.ecn?.isAccurate ? this.ecn : undefined;
  }

  get keepsSynAckBack(): boolean {
    return this.ackDeferred && this.sender.recovery.timeouts < this.settings.deferAccept - 1;
  }

  get sendsEarly(): boolean {
    return this.fastOpen?.accepted ?? false;
  }

  dataSent(now: Instant): void {
    this.receiver.policy.dataSent(now);
  }

  // --- for segment-arrives.ts and timers.ts

  sendReset(now: Instant): void {
    this.send(buildReset(this, now));
  }

  send(segment: Segment): void {
    this.pending ??= new Fifo();
    this.pending.push(segment);
  }

  emit(event: TcpEvent): void {
    if (event.type === 'readable' && this.events.last()?.type === 'readable') return;
    this.events.push(event);
  }

  /** The one place where a state changes. What a state needs on entry is done here, whatever led to it. */
  setState(to: State, cause: string): void {
    const from = this.tcb.state;
    // The sentence is put together only where it is needed: that takes longer than the question.
    if (!isLegal(from, to)) throw new InvariantError(`TCP: no transition from ${from} to ${to}`);
    this.tcb.state = to;
    this.observer?.stateChanged(from, to, cause);
    if (to === 'ESTABLISHED') this.events.push({ type: 'established' });
  }

  /** TIME_WAIT needs the time: RFC 9293 §3.6.1, "MUST linger ... for a time 2xMSL". */
  enterTimeWait(now: Instant, cause: string): void {
    if (this.settings.keepsRemains && !isForgotten(this)) this.challengeLimit = undefined;
    this.setState('TIME_WAIT', cause);
    this.deadlines.clearAll();
    this.deadlines.set(DUE.timeWait, now + this.timeWait);
    this.closeDue = true;
  }

  get timeWait(): Duration {
    return this.settings.timeWait ?? 2 * this.settings.msl;
  }

  enterFinWait2(now: Instant): void {
    this.setState('FIN_WAIT_2', 'ACK of FIN arrives');
    if (this.orphaned) this.waitForgotten(now);
  }

  /** RFC 5961 §3-5: an ACK that a genuine other end can answer and a blind attacker cannot; limited (§7). */
  challengeAck(now: Instant, why: string): void {
    if (!this.challenges.allow(now)) return;
    this.observer?.decided('challenge-ack', why);
    this.send(buildChallenge(this, now));
  }

  /** RFC 5961 §4.2; the ECN field that the SYN came with is told (RFC 9768 §3.1.5.1). */
  challengeSyn(now: Instant, syn: Segment): void {
    this.accurateEcn?.reflect(syn.ecn);
    this.challengeAck(now, 'a SYN on a connection that exists');
    this.accurateEcn?.reflected();
  }

  fail(code: TcpErrorCode, why: string): void {
    this.failure = code;
    this.events.push({ type: 'error', code, why });
    this.finish(why);
  }

  finish(cause: string): void {
    if (this.state === 'CLOSED') return;
    const quiet = this.state === 'TIME_WAIT';
    this.setState('CLOSED', cause);
    this.deadlines.clearAll();
    this.sender.clear();
    if (!quiet) this.closeDue = true;
  }

  /** 'end' comes once, behind the last byte. */
  tellEnd(): void {
    if (this.receiver.finReceived && this.receiver.readable === 0 && !this.endTold) {
      this.endTold = true;
      this.events.push({ type: 'end' });
    }
  }
}
