/**
 * One end of a TCP connection, sans I/O: segments, user calls and the time go in; segments, events and a deadline come
 * out. After every input the driver (layer.ts) drains `nextSegment` and `nextEvent` and looks at `deadline`.
 *
 *   segment-arrives.ts  what each arriving segment does (RFC 9293 §3.10.7)
 *   sender.ts           what may be sent;  receiver.ts  what was received and when to acknowledge it
 *   state.ts            which changes of state there are
 */
import { assert } from '../../base/assert.ts';
import { type Instant, seconds } from '../../base/instant.ts';
import { type Seq, seqLt } from '../../base/seq32.ts';
import { ACK, RST, Segment, SYN } from '../../wire/tcp.ts';
import { Deadlines, type Purpose } from './deadlines.ts';
import { Receiver } from './receiver.ts';
import { segmentArrives } from './segment-arrives.ts';
import { Sender } from './sender.ts';
import { isLegal, isSynchronized, mayWrite, type State } from './state.ts';
import { Tcb } from './tcb.ts';
import type { TcpErrorCode, TcpEvent, TcpObserver, TcpSettings } from './types.ts';

/** RFC 5961 §7: at most this many challenge ACKs in five seconds. */
const CHALLENGES = 10;

export interface TcpConnectionOptions {
  settings: TcpSettings;
  iss: Seq;
  tsOffset?: number;
  /** The MSS option that we send: what our link takes without headers. */
  localMss: number;
  /** What the path is known to take. */
  pathMss?: number;
  observer?: TcpObserver;
}

export class TcpConnection {
  readonly tcb = new Tcb();
  readonly settings: TcpSettings;
  readonly deadlines = new Deadlines();
  readonly receiver: Receiver;
  readonly sender: Sender;
  observer: TcpObserver | undefined;
  readonly localMss: number;
  /** Opened passively: a RST in SYN_RCVD is then no error of the user's (RFC 9293 §3.10.7.4, second). */
  passive = false;
  /** The user has gone: data that still arrives is answered with a RST (RFC 9293 §3.6.1). */
  orphaned = false;
  /** An ICMP error that does not end the connection, but says why it may time out (RFC 9293 §3.9.2.2). */
  softError: { code: TcpErrorCode; why: string } | undefined;
  private readonly iss: Seq;
  private readonly pending: Segment[] = [];
  private readonly events: TcpEvent[] = [];
  private blockedWriter = false;
  private endTold = false;
  private closeDue = false;
  private keepAlivesUnanswered = 0;
  private challengesLeft = CHALLENGES;
  private challengesSince: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: TcpConnectionOptions) {
    this.settings = options.settings;
    this.iss = options.iss;
    this.localMss = options.localMss;
    this.observer = options.observer;
    this.tcb.tsOffset = options.tsOffset ?? 0;
    this.tcb.pathMss = options.pathMss ?? options.localMss;
    this.tcb.peerMss = options.localMss;
    this.receiver = new Receiver(this.tcb, this.settings, this.deadlines);
    this.sender = new Sender(this);
  }

  get state(): State {
    return this.tcb.state;
  }

  get deadline(): Instant {
    return this.deadlines.earliest;
  }

  // --- user calls (RFC 9293 §3.9.1)

  /** Active OPEN. */
  open(): void {
    assert(this.state === 'CLOSED', 'OPEN of a connection that exists');
    this.setState('SYN_SENT', 'active OPEN');
    this.sender.open(this.iss);
  }

  /** A SYN has come to a listener, which made this connection for it. */
  accept(syn: Segment): void {
    this.passive = true;
    this.setState('LISTEN', 'passive OPEN');
    this.agree(syn);
    this.receiver.open(syn.seq);
    this.setState('SYN_RCVD', 'SYN arrives');
    this.sender.open(this.iss);
    this.takeWindowOfSyn(syn);
  }

  /** The ACK of a SYN that was answered with a cookie: `syn` is what the cookie says the SYN was. */
  acceptCookie(syn: Segment): void {
    this.passive = true;
    this.setState('LISTEN', 'passive OPEN');
    this.agree(syn);
    this.receiver.open(syn.seq);
    this.receiver.offerWindow(0);
    this.setState('SYN_RCVD', 'SYN arrives');
    this.sender.openBehindSyn(this.iss);
    this.takeWindowOfSyn(syn);
  }

  /** Takes what the send buffer has room for; 'writable' follows when a write was not taken whole. */
  write(now: Instant, bytes: Uint8Array): number {
    if (!mayWrite(this.state) || this.sender.finRequested) return 0;
    const taken = this.sender.write(bytes);
    if (taken < bytes.length) this.blockedWriter = true;
    this.refreshKeepAlive(now);
    return taken;
  }

  read(max = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const bytes = this.receiver.read(max);
    if (bytes !== undefined) this.receiver.considerWindowUpdate();
    this.tellEnd();
    return bytes;
  }

  /** CLOSE: no more will be written. What was written is sent first; reading goes on (half-close). */
  close(): void {
    if (this.sender.finRequested) return;
    switch (this.state) {
      case 'CLOSED':
        return;
      case 'LISTEN':
      case 'SYN_SENT':
        return this.finish('CLOSE');
      case 'SYN_RCVD':
      case 'ESTABLISHED':
        this.sender.finRequested = true;
        return this.setState('FIN_WAIT_1', 'CLOSE');
      case 'CLOSE_WAIT':
        this.sender.finRequested = true;
        return this.setState('LAST_ACK', 'CLOSE');
      default:
        return;
    }
  }

  /** The user wants nothing more, neither to write nor to read. */
  release(now: Instant): void {
    this.orphaned = true;
    // RFC 9293 §3.6.1 and RFC 2525 §2.17: unread data was not delivered, and the other end must not think it was.
    if (this.receiver.readable > 0) return this.abort('closed with unread data');
    const { linger } = this.settings;
    if (linger === 0) return this.abort('closed with a linger time of zero');
    this.close();
    if (linger !== undefined && this.state !== 'CLOSED') this.deadlines.set('linger', now + linger);
    if (this.state === 'FIN_WAIT_2') this.deadlines.set('finWait2', now + this.settings.finWait2);
  }

  /** ABORT: a RST in all states in which the other end knows of us (RFC 9293 §3.10.5). */
  abort(why = 'ABORT'): void {
    const known = isSynchronized(this.state) && this.state !== 'TIME_WAIT';
    if (known || this.state === 'SYN_RCVD') this.pending.push(this.reset(this.tcb.sndNxt, undefined));
    this.finish(why);
  }

  // --- the network

  segmentArrives(now: Instant, segment: Segment): void {
    this.keepAlivesUnanswered = 0;
    segmentArrives(this, now, segment);
    this.refreshKeepAlive(now);
    if (this.blockedWriter && this.sender.room * 3 > this.settings.sendBuffer) {
      this.blockedWriter = false;
      this.events.push({ type: 'writable' });
    }
  }

  /** The path takes segments of at most `mss` bytes (without headers). */
  pathMssChanged(mss: number): void {
    if (mss >= this.tcb.pathMss) return;
    this.tcb.pathMss = mss;
    this.observer?.decided('path-mtu', `segments of at most ${mss} bytes from now on`);
    this.sender.pathMtuShrank();
  }

  /** Deals with every deadline that has passed. */
  timeout(now: Instant): void {
    for (;;) {
      const purpose = this.deadlines.takeDue(now);
      if (purpose === undefined) return;
      this.timedOut(now, purpose);
    }
  }

  private timedOut(now: Instant, purpose: Purpose): void {
    switch (purpose) {
      case 'retransmit':
        return this.retransmitTimeout(now);
      case 'persist':
        if (this.sender.unansweredProbes > this.settings.retries) return this.giveUp('no answer to window probes');
        return this.sender.persistTimeout();
      case 'delayedAck':
        this.receiver.ackNow = true;
        return;
      case 'keepAlive':
        return this.keepAliveTimeout(now);
      case 'timeWait':
        return this.finish('2 MSL have passed');
      case 'finWait2':
        return this.finish('nobody waits for the FIN');
      case 'userTimeout':
        return this.giveUp('USER TIMEOUT');
      case 'linger':
        return this.sender.finAcknowledged ? undefined : this.abort('the linger time has passed');
    }
  }

  private retransmitTimeout(now: Instant): void {
    if (this.sender.board.isEmpty) return;
    const handshake = this.state === 'SYN_SENT' || this.state === 'SYN_RCVD';
    const limit = handshake ? this.settings.synRetries : this.settings.retries;
    if (this.sender.attempts >= limit) return this.giveUp(`no answer to ${limit + 1} transmissions`);
    this.observer?.decided('rto', `nothing acknowledged for ${Math.round(this.sender.rtt.rto / 1e6)} ms`);
    this.sender.retransmitTimeout(now);
  }

  private giveUp(why: string): void {
    if (isSynchronized(this.state)) this.pending.push(this.reset(this.tcb.sndNxt, undefined));
    const { code, why: cause } = this.softError ?? { code: 'ETIMEDOUT' as const, why };
    this.fail(code, this.softError === undefined ? why : `${why}; ${cause}`);
  }

  /** RFC 9293 §3.8.4: off by default, an answered probe costs nothing, an unanswered one is not yet the end. */
  private keepAliveTimeout(now: Instant): void {
    const keepAlive = this.settings.keepAlive;
    if (keepAlive === undefined || !isSynchronized(this.state)) return;
    if (this.keepAlivesUnanswered >= keepAlive.count) return this.giveUp('no answer to keep-alive probes');
    this.keepAlivesUnanswered++;
    this.observer?.decided('keep-alive', `idle; probe ${this.keepAlivesUnanswered} of ${keepAlive.count}`);
    // SEG.SEQ = SND.NXT - 1: unacceptable, so it must be answered.
    this.pending.push(this.build(now, ACK, (this.tcb.sndNxt - 1) >>> 0));
    this.deadlines.set('keepAlive', now + keepAlive.interval);
  }

  private refreshKeepAlive(now: Instant): void {
    const keepAlive = this.settings.keepAlive;
    if (keepAlive !== undefined && isSynchronized(this.state) && this.state !== 'TIME_WAIT') {
      this.deadlines.set('keepAlive', now + keepAlive.idle);
    }
  }

  // --- output

  nextSegment(now: Instant): Segment | undefined {
    const first = this.pending.shift();
    if (first !== undefined) return first;
    if (this.state === 'CLOSED') return undefined;
    const segment = this.sender.next(now);
    if (segment !== undefined) return segment;
    return this.receiver.ackNow && this.state !== 'SYN_SENT' ? this.build(now, ACK, this.tcb.sndNxt) : undefined;
  }

  /** Data that arrived before a RST or a last FIN is read first: 'error' and 'closed' wait for it. */
  nextEvent(): TcpEvent | undefined {
    const first = this.events[0];
    const unread = this.receiver.readable > 0;
    if (first !== undefined && !(unread && first.type === 'error')) return this.events.shift();
    if (first !== undefined || !this.closeDue || unread) return undefined;
    this.closeDue = false;
    return { type: 'closed' };
  }

  /** Writes the data of a segment that `nextSegment` has just answered. */
  copyPayload(segment: Segment, target: Uint8Array, at: number): void {
    if (segment.length > 0) this.sender.copy(segment.seq, segment.length, target, at);
  }

  /** A segment as this connection sends them: acknowledgement, window, timestamps, SACK, and on a SYN what we offer. */
  build(now: Instant, flags: number, seq: Seq): Segment {
    const { tcb, receiver, settings } = this;
    const segment = new Segment();
    segment.seq = seq;
    segment.flags = flags;
    const isSyn = (flags & SYN) !== 0;
    if (flags & ACK) segment.ack = tcb.rcvNxt;
    if (isSyn) this.offerOptions(segment, (flags & ACK) !== 0);
    // RFC 7323 §2.2: the window field of a SYN is never scaled.
    if (isSyn && !(flags & ACK)) segment.window = Math.min(settings.receiveBuffer, 65535);
    else segment.window = receiver.offerWindow(isSyn ? 0 : tcb.rcvScale);
    if (tcb.timestampsOn || (isSyn && !(flags & ACK) && settings.timestamps)) {
      segment.hasTimestamps = true;
      segment.tsVal = tcb.timestamp(now);
      segment.tsEcr = flags & ACK ? tcb.tsRecent : 0;
    }
    if (flags & ACK && !isSyn) {
      if (tcb.sackOn && (receiver.hasGap || receiver.hasDuplicate)) segment.sack = receiver.sackBlocks();
    }
    if (flags & ACK) receiver.acknowledged();
    return segment;
  }

  private offerOptions(segment: Segment, answer: boolean): void {
    const { tcb, settings } = this;
    segment.mss = this.localMss;
    // In an answer, only what the other end has offered (RFC 7323 §2.2, §3.2; RFC 2018 §2).
    if (answer ? tcb.scalingOn : settings.windowScaling) segment.windowScale = this.receiver.scale;
    segment.sackPermitted = answer ? tcb.sackOn : settings.sack;
  }

  /** RFC 9293 §3.10.7.1: <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
  reset(seq: Seq, ack: Seq | undefined): Segment {
    const segment = new Segment();
    segment.seq = seq;
    segment.flags = RST | ACK;
    segment.ack = ack ?? this.tcb.rcvNxt;
    return segment;
  }

  // --- for segment-arrives.ts

  send(segment: Segment): void {
    this.pending.push(segment);
  }

  emit(event: TcpEvent): void {
    this.events.push(event);
  }

  /** The one place where a state changes. What a state needs on entry is done here, whatever led to it. */
  setState(to: State, cause: string): void {
    const from = this.tcb.state;
    assert(isLegal(from, to), `TCP: no transition from ${from} to ${to}`);
    this.tcb.state = to;
    this.observer?.stateChanged(from, to, cause);
    if (to === 'ESTABLISHED') this.events.push({ type: 'established' });
  }

  /** TIME_WAIT needs the time: RFC 9293 §3.6.1, "MUST linger ... for a time 2xMSL". */
  enterTimeWait(now: Instant, cause: string): void {
    this.setState('TIME_WAIT', cause);
    this.deadlines.clearAll();
    this.deadlines.set('timeWait', now + 2 * this.settings.msl);
    this.closeDue = true;
  }

  enterFinWait2(now: Instant): void {
    this.setState('FIN_WAIT_2', 'ACK of FIN arrives');
    if (this.orphaned) this.deadlines.set('finWait2', now + this.settings.finWait2);
  }

  /** The options of a SYN (RFC 7323 §1.3: each is in use only when both SYNs carry it). */
  agree(syn: Segment): void {
    const { tcb, settings } = this;
    tcb.peerMss = syn.mss >= 0 ? Math.max(syn.mss, 64) : 536;
    tcb.timestampsOn = settings.timestamps && syn.hasTimestamps;
    tcb.sackOn = settings.sack && syn.sackPermitted;
    tcb.scalingOn = settings.windowScaling && syn.windowScale >= 0;
    tcb.sndScale = tcb.scalingOn ? Math.min(syn.windowScale, 14) : 0; // RFC 7323 §2.3: more than 14 counts as 14
    tcb.rcvScale = tcb.scalingOn ? this.receiver.scale : 0;
    if (tcb.timestampsOn) tcb.tsRecent = syn.tsVal;
    this.sender.mssChanged();
  }

  takeWindowOfSyn(syn: Segment): void {
    const { tcb } = this;
    tcb.sndWnd = syn.window;
    tcb.maxSndWnd = syn.window;
    tcb.sndWl1 = syn.seq;
    tcb.sndWl2 = syn.ack;
  }

  /** RFC 5961 §3-5: an ACK that a genuine other end can answer and a blind attacker cannot; limited (§7). */
  challengeAck(now: Instant, why: string): void {
    if (now - this.challengesSince >= seconds(5)) {
      this.challengesSince = now;
      this.challengesLeft = CHALLENGES;
    }
    if (this.challengesLeft-- <= 0) return;
    this.observer?.decided('challenge-ack', why);
    this.pending.push(this.build(now, ACK, this.tcb.sndNxt));
  }

  fail(code: TcpErrorCode, why: string): void {
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

  /** For tests: what must hold after every step; a sentence when it does not. */
  invariants(): string | undefined {
    if (this.state === 'CLOSED')
      return this.deadline === Number.POSITIVE_INFINITY ? undefined : 'a timer outlives CLOSED';
    if (seqLt(this.tcb.sndMax, this.tcb.sndNxt)) return 'SND.NXT is beyond SND.MAX';
    return this.sender.check() ?? this.receiver.check();
  }
}
