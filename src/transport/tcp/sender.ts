/**
 * The sending half: the user's bytes, what may be sent now and what must be sent again. `next` answers with one
 * segment at a time, SYN, data, FIN or window probe; acknowledging without data is the connection's affair.
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqDiff, seqGt, seqLe, seqMax } from '../../base/seq32.ts';
import { ACK, FIN, PSH, type Segment, SYN } from '../../wire/tcp.ts';
import type { Deadlines } from './deadlines.ts';
import { Recovery } from './recovery.ts';
import { RttEstimator } from './rtt.ts';
import { Scoreboard, SentSegment } from './scoreboard.ts';
import { SendBuffer } from './send-buffer.ts';
import type { Tcb } from './tcb.ts';
import type { CongestionControl, TcpObserver, TcpSettings } from './types.ts';

export interface SenderHost {
  readonly tcb: Tcb;
  readonly settings: TcpSettings;
  readonly deadlines: Deadlines;
  readonly observer: TcpObserver | undefined;
  /** A segment with sequence number, acknowledgement, window and timestamps filled in. */
  build(now: Instant, flags: number, seq: Seq): Segment;
}

export class Sender {
  readonly board = new Scoreboard();
  readonly rtt: RttEstimator;
  readonly recovery: Recovery;
  congestion: CongestionControl;
  /** A SYN is to be sent (again, with an ACK, in a simultaneous open). */
  synDue = false;
  finRequested = false;
  finSent = false;
  /** Timeouts since the other end was last heard to make progress: what R2 counts. */
  attempts = 0;
  /** How often in a row nobody answered a window probe. */
  unansweredProbes = 0;
  private readonly host: SenderHost;
  private readonly buffer = new SendBuffer();
  private probing = false;
  private probeDue = false;
  private overrideDue = false;
  private persistShift = 0;
  private lastSentAt: Instant = 0;

  constructor(host: SenderHost) {
    this.host = host;
    const { initialRto, minRto, maxRto, congestionControl, initialWindow } = host.settings;
    this.rtt = new RttEstimator(initialRto, minRto, maxRto);
    this.congestion = congestionControl(host.tcb.mss, initialWindow);
    this.recovery = new Recovery(
      host.tcb,
      this.board,
      this.rtt,
      () => this.congestion,
      () => host.observer,
    );
  }

  /** Bytes that a write would be taken for now. */
  get room(): number {
    return Math.max(0, this.host.settings.sendBuffer - this.buffer.length);
  }

  /** Bytes written and not acknowledged. */
  get queued(): number {
    return this.buffer.length;
  }

  get finAcknowledged(): boolean {
    return this.finSent && this.host.tcb.sndUna === this.host.tcb.sndMax;
  }

  /** Data starts behind the SYN. */
  private get dataStart(): Seq {
    const { tcb } = this.host;
    return seqMax(tcb.sndUna, seqAdd(tcb.iss, 1));
  }

  private get unsent(): number {
    return this.finSent
      ? 0
      : seqDiff(seqAdd(this.dataStart, this.buffer.length), seqMax(this.host.tcb.sndNxt, this.dataStart));
  }

  open(iss: Seq): void {
    const { tcb } = this.host;
    tcb.iss = iss;
    tcb.sndUna = iss;
    tcb.sndNxt = iss;
    tcb.sndMax = iss;
    this.synDue = true;
  }

  /** A SYN that was answered statelessly: the connection starts where its cookie was. */
  openBehindSyn(iss: Seq): void {
    const { tcb } = this.host;
    tcb.iss = iss;
    tcb.sndUna = seqAdd(iss, 1);
    tcb.sndNxt = tcb.sndUna;
    tcb.sndMax = tcb.sndUna;
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.buffer.append(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    return taken;
  }

  /** The bytes of a segment that `next` has answered. */
  copy(seq: Seq, length: number, target: Uint8Array, at: number): void {
    this.buffer.copy(seqDiff(seq, this.dataStart), length, target, at);
  }

  /** The mss changed with the handshake or the path: what is out is cut to size when it is sent again. */
  mssChanged(): void {
    this.congestion.setMss(this.host.tcb.mss);
  }

  next(now: Instant): Segment | undefined {
    if (this.synDue) return this.sendSyn(now);
    const { state } = this.host.tcb;
    if (state === 'CLOSED' || state === 'LISTEN') return undefined;
    const lost = this.board.nextLost;
    if (lost !== undefined && this.mayResend(lost)) return this.resend(now, lost);
    if (state === 'SYN_SENT' || state === 'SYN_RCVD') return undefined;
    if (this.probeDue) return this.probe(now);
    return this.sendNew(now);
  }

  /** An acceptable ACK came; `segment.ack` may equal SND.UNA. */
  acknowledge(now: Instant, segment: Segment, windowChanged: boolean): void {
    const { tcb, deadlines } = this.host;
    const dataStart = this.dataStart;
    const probeRefused = this.probing && segment.ack === tcb.sndUna;
    this.unansweredProbes = 0;
    // RFC 9293 §3.8.6.1: a window may stay zero for ever as long as it is acknowledged.
    if (tcb.sndWnd === 0) this.attempts = 0;
    const synTransmissions = this.board.first?.syn ? this.board.first.transmissions : 1;
    if (probeRefused && tcb.sndWnd > 0) this.withdrawProbe();
    const acked = this.recovery.acknowledge(now, segment, windowChanged);
    if (acked.bytes > 0) {
      this.attempts = 0;
      // RFC 6928 §2: after more than one lost SYN the path is too bad for ten segments at once.
      if (synTransmissions > 1) this.rtt.afterLostSyn();
      if (synTransmissions > 2) this.congestion = this.host.settings.congestionControl(tcb.mss, 1);
      const data = Math.min(seqDiff(tcb.sndUna, dataStart), this.buffer.length);
      if (data > 0) this.buffer.drop(data);
      this.probing = false;
      if (this.board.isEmpty)
        deadlines.clear('retransmit'); // RFC 6298 §5.2
      else deadlines.set('retransmit', now + this.rtt.rto); // §5.3
      this.armUserTimeout(now, true);
    }
    if (tcb.sndWnd > 0) {
      deadlines.clear('persist');
      this.persistShift = 0;
    }
  }

  /** The retransmission timer. The connection has checked R2. */
  retransmitTimeout(now: Instant): void {
    const { tcb, deadlines } = this.host;
    this.rtt.backOff();
    this.attempts++;
    if (tcb.state === 'SYN_SENT' || tcb.state === 'SYN_RCVD') {
      this.synDue = true;
    } else {
      this.recovery.timedOut(now);
    }
    deadlines.set('retransmit', now + this.rtt.rto);
  }

  /** The persist timer: RFC 9293 §3.8.6.1, or §3.8.6.2.1 (4), the override against silly windows. */
  persistTimeout(): void {
    if (this.host.tcb.sndWnd > 0) {
      this.overrideDue = true;
    } else {
      this.probeDue = true;
      this.persistShift = Math.min(this.persistShift + 1, 10);
      this.unansweredProbes++;
    }
  }

  /** RFC 1191 §6.5: what was too big is sent again at once, in smaller pieces, and not for congestion. */
  pathMtuShrank(): void {
    const { mss } = this.host.tcb;
    this.mssChanged();
    for (const segment of [...this.board.segments]) if (segment.dataLength > mss) this.board.markLost(segment);
    this.recovery.resendNow = true;
  }

  private sendSyn(now: Instant): Segment {
    const { host } = this;
    const { tcb } = host;
    this.synDue = false;
    const first = this.board.first;
    const segment = host.build(now, tcb.state === 'SYN_SENT' ? SYN : SYN | ACK, tcb.iss);
    if (first === undefined) {
      tcb.sndNxt = seqAdd(tcb.iss, 1);
      tcb.sndMax = tcb.sndNxt;
      this.board.push(new SentSegment(tcb.iss, tcb.sndNxt, now, true));
    } else {
      this.board.resent(first, now);
      segment.retransmission = true;
    }
    this.sent(now);
    return segment;
  }

  private mayResend(lost: SentSegment): boolean {
    const { tcb } = this.host;
    if (this.recovery.resendNow && lost === this.board.first) return true;
    // A window that shrank to nothing still gets the first segment, as a probe (RFC 9293 §3.8.6).
    if (lost !== this.board.first && seqGt(lost.end, seqAdd(tcb.sndUna, tcb.sndWnd))) return false;
    const { pipe } = this.board;
    return pipe === 0 || pipe + Math.min(lost.length, tcb.mss) <= this.congestion.cwnd;
  }

  private resend(now: Instant, record: SentSegment): Segment {
    const { mss } = this.host.tcb;
    if (record.dataLength > mss) {
      this.board.split(record, mss);
      return this.resend(now, this.board.nextLost as SentSegment);
    }
    this.recovery.resendNow = false;
    this.board.resent(record, now);
    const segment = this.segmentFor(now, record);
    segment.retransmission = true;
    this.sent(now);
    return segment;
  }

  private sendNew(now: Instant): Segment | undefined {
    const { tcb } = this.host;
    const unsent = this.unsent;
    const finDue = this.finRequested && !this.finSent;
    if (unsent === 0 && !finDue) return undefined;
    if (this.board.isEmpty && now - this.lastSentAt > this.rtt.rto) this.congestion.onIdle();
    const window = seqDiff(seqAdd(tcb.sndUna, tcb.sndWnd), tcb.sndNxt);
    const allowed = Math.min(window, this.congestion.cwnd - this.board.pipe);
    const size = Math.max(0, Math.min(unsent, tcb.mss, allowed));
    const fin = finDue && size === unsent && size < window;
    if (!fin && !this.worthSending(size, unsent)) {
      this.considerPersist(now, window, unsent);
      return undefined;
    }
    this.overrideDue = false;
    const start = tcb.sndNxt;
    const record = new SentSegment(start, seqAdd(start, size + (fin ? 1 : 0)), now, false, fin);
    return this.transmit(now, record);
  }

  private transmit(now: Instant, record: SentSegment): Segment {
    const { tcb } = this.host;
    this.board.push(record);
    if (record.fin) this.finSent = true;
    tcb.sndNxt = record.end;
    tcb.sndMax = seqMax(tcb.sndMax, tcb.sndNxt);
    const segment = this.segmentFor(now, record);
    this.sent(now);
    return segment;
  }

  private segmentFor(now: Instant, record: SentSegment): Segment {
    const dataEnd = seqAdd(this.dataStart, this.buffer.length);
    const last = seqAdd(record.seq, record.dataLength) === dataEnd && record.dataLength > 0;
    const flags = ACK | (record.fin ? FIN : 0) | (last ? PSH : 0);
    const segment = this.host.build(now, flags, record.seq);
    segment.length = record.dataLength;
    return segment;
  }

  /** RFC 9293 §3.8.6.2.1 (sender's silly window avoidance) with §3.7.4 (Nagle). */
  private worthSending(size: number, unsent: number): boolean {
    if (size <= 0) return false;
    const { tcb, settings } = this.host;
    if (size >= tcb.mss) return true;
    const idle = tcb.sndNxt === tcb.sndUna;
    const mayPush = idle || settings.noDelay || (this.finRequested && size === unsent);
    if (mayPush && size === unsent) return true;
    return (idle && size * 2 >= tcb.maxSndWnd) || this.overrideDue;
  }

  /** Nothing is out and the window, not Nagle, is in the way: somebody has to ask. */
  private considerPersist(now: Instant, window: number, unsent: number): void {
    const { deadlines } = this.host;
    if (!this.board.isEmpty || deadlines.isSet('persist')) return;
    if (window < Math.min(unsent + (this.finRequested ? 1 : 0), this.host.tcb.mss)) {
      deadlines.set('persist', now + this.persistInterval);
    }
  }

  private get persistInterval(): number {
    return Math.min(this.rtt.rto * 2 ** this.persistShift, this.host.settings.maxRto);
  }

  /** RFC 9293 §3.8.6.1: "MUST include at least one octet of new data"; it is kept until it is known to be refused. */
  private probe(now: Instant): Segment | undefined {
    const { tcb, deadlines, observer } = this.host;
    this.probeDue = false;
    const first = this.board.first;
    if (first === undefined && this.unsent === 0 && !(this.finRequested && !this.finSent)) return undefined;
    deadlines.set('persist', now + this.persistInterval);
    observer?.decided('zero-window-probe', 'the other end offers no window');
    if (first !== undefined) {
      this.board.resent(first, now);
      const again = this.segmentFor(now, first);
      again.retransmission = true;
      return again;
    }
    const fin = this.unsent === 0;
    const record = new SentSegment(tcb.sndNxt, seqAdd(tcb.sndNxt, 1), now, false, fin);
    this.probing = true;
    const segment = this.transmit(now, record);
    deadlines.clear('retransmit');
    return segment;
  }

  /** The window has opened and the probe's byte was not taken: it goes out again with what follows it. */
  private withdrawProbe(): void {
    const { tcb } = this.host;
    if (this.board.first?.fin) this.finSent = false;
    this.board.pop();
    tcb.sndNxt = tcb.sndUna;
    this.probing = false;
  }

  private sent(now: Instant): void {
    const { deadlines } = this.host;
    this.lastSentAt = now;
    // RFC 6298 §5.1; a probe has the persist timer instead.
    if (!this.probing && !deadlines.isSet('retransmit')) deadlines.set('retransmit', now + this.rtt.rto);
    this.armUserTimeout(now, false);
  }

  private armUserTimeout(now: Instant, restart: boolean): void {
    const { settings, deadlines } = this.host;
    if (settings.userTimeout === undefined) return;
    if (this.board.isEmpty) deadlines.clear('userTimeout');
    else if (restart || !deadlines.isSet('userTimeout')) deadlines.set('userTimeout', now + settings.userTimeout);
  }

  clear(): void {
    this.buffer.clear();
    this.board.clear();
    this.synDue = false;
    this.probeDue = false;
  }

  /** For tests. */
  check(): string | undefined {
    const { tcb } = this.host;
    if (tcb.state === 'CLOSED' || this.synDue) return undefined;
    if (!seqLe(tcb.sndUna, tcb.sndNxt)) return 'SND.UNA lies behind SND.NXT';
    return this.board.check(tcb.sndUna, tcb.sndNxt);
  }
}
