/**
 * What may be sent now, and sending it: new data within both windows (RFC 9293 §3.8.6, RFC 5681), Nagle's algorithm and
 * silly window avoidance, retransmissions within what recovery allows, tail loss probes (RFC 8985 §7).
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, CWR, FIN, PSH, type Segment, SYN } from '../../wire/tcp.ts';
import { DUE } from './deadlines.ts';
import { ECT0 } from './ecn-field.ts';
import { LIMIT } from './limits.ts';
import { paceFor, pacingRate } from './pacing.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import { scheduleProbe } from './tail-loss-probe.ts';
import { TIMESTAMPS_LENGTH } from './tcb.ts';
import { armUserTimeout } from './user-timeout.ts';

/** Longer than any wait: the largest a record may become, an IP datagram without headers. */
export const RECORD_LIMIT = 65535 - 320;
/** Segments of window below which a lost probe would cost too much. */
const LEAST_TO_PROBE = 11;
const NEVER_YET = Number.NEGATIVE_INFINITY;

/** How much it matters that what waits goes out: by Nagle's algorithm, which may know that nothing was in flight; or whatever it says. */
export type Urge = 'nagle' | 'idle' | 'push' | 'off';
type Force = 'no' | 'one' | 'probe';

export class Transmitter {
  /** When data was sent last. */
  lastSentAt: Instant = NEVER_YET;
  /** The end of the last segment that was smaller than the MSS: what Minshall's rule waits for. */
  private smallEnd: number;
  private readonly s: Sender;
  /** The sender was held by the congestion window in the present flight, and how much was out at most. */
  cwndLimited = false;
  maxOut = 0;
  private usageSeq = 0;
  private cwndUsed = 0;
  private cwndStamp: Instant = 0;
  /** RFC 9293 §3.8.6.2.1 (4): the override timer has run out. */
  override = false;

  constructor(sender: Sender) {
    this.s = sender;
    this.smallEnd = 0;
  }

  open(iss: number): void {
    this.smallEnd = iss;
    this.usageSeq = iss;
  }

  /** Sends what may be sent; sets the persist timer when only the other end's window is in the way. */
  push(now: Instant, urge: Urge): void {
    const { s } = this;
    if (s.tcb.state === 'CLOSED' || s.awaitsHandshake) return;
    if (s.queue.head === undefined) return this.concludeIdle(now);
    const stands = urge === 'nagle' && s.queue.isEmpty ? 'idle' : urge;
    if (this.transmit(now, stands, 'no') && !s.host.deadlines.isSet(DUE.persist)) {
      if (s.queue.isEmpty && !s.host.deadlines.isSet(DUE.retransmit)) s.useProber().begin(now);
    }
  }

  /** One record at most, for a write that goes on. */
  pushOne(now: Instant): void {
    if (!this.s.awaitsHandshake) this.transmit(now, 'push', 'one');
  }

  /** An acknowledgement is due: BSD lets what waits ride along, whatever it waits for but a window. */
  sendAlong(now: Instant): void {
    const { settings } = this.s.host;
    const waits = this.s.queue.head !== undefined && !this.s.awaitsHandshake;
    if (settings.nagle === 'bsd' && waits) this.transmit(now, 'off', 'one');
  }

  /** The next of what waits, as a tail loss probe. */
  sendAsProbe(now: Instant): void {
    this.transmit(now, 'off', 'probe');
  }

  /** True: nothing is in flight and something waits. */
  private transmit(now: Instant, urge: Urge, force: Force): boolean {
    const { s } = this;
    const { queue, tcb } = s;
    let sent = 0;
    let windowLimited = false;
    let cwndLimited = false;
    if (force !== 'one') s.noteIdle(now);
    if (force === 'no' && s.host.pathProbe !== undefined) this.probePath(now);
    const { burst } = this;
    const { cutsBursts } = s.host.settings;
    let mss = s.currentMss;
    for (;;) {
      const { head } = queue;
      if (head === undefined || this.isPaced(now) || s.isRefused) break;
      if (!cutsBursts) mss = s.currentMss;
      const quota = Math.min(s.recovery.room(head) || (force === 'probe' ? 1 : 0), burst);
      if (quota === 0) break;
      queue.growHead(quota * mss - head.dataLength);
      head.recount(mss);
      const room = seqDiff(tcb.sndWndEnd, head.seq);
      const whole = s.host.settings.sendsFinWithLast && head.dataLength <= mss;
      const needed = whole ? head.length : Math.min(head.dataLength, mss);
      const fits = needed <= room && (head.dataLength > 0 || room > 0);
      if (!fits && !this.mayFill(head, room)) {
        windowLimited = true;
        break;
      }
      const isLast = head === queue.tail;
      if (head.segments === 1) {
        if (this.nagles(head.dataLength < mss, isLast ? urge : 'push') && !(head.flags & FIN)) break;
      } else if (force === 'no') {
        const why = this.defers(now, head, burst);
        if (why !== undefined) {
          cwndLimited ||= why === 'cwnd';
          windowLimited ||= why === 'window';
          break;
        }
      }
      const limit = fits ? this.splitPoint(head, mss, quota, urge) : room;
      if (limit <= 0 && head.dataLength > 0) break;
      if (head.dataLength > limit) queue.split(head, limit, mss);
      else if ((head.flags & FIN) !== 0 && head.dataLength + 1 > room && head.dataLength > 0)
        queue.split(head, head.dataLength, mss); // the FIN goes by itself, later
      this.override = false;
      sent += this.sendNew(now, head);
      if (force !== 'no') break;
    }
    if (windowLimited) s.limits.start(now, LIMIT.window);
    this.conclude(now, sent, windowLimited, cwndLimited);
    if (sent > 0) {
      if (force !== 'probe') scheduleProbe(s, now, false);
      return false;
    }
    return queue.isEmpty && queue.head !== undefined;
  }

  /**
   * A record of one segment that nothing holds back, where nothing is in flight and nothing waits: of those who talk in
   * turns every one. It is what `push` comes to for it, without the questions whose answers are known.
   */
  sendAtOnce(now: Instant, record: SendRecord): void {
    const { s } = this;
    const { queue, tcb, recovery, host } = s;
    const length = record.dataLength;
    this.override = false;
    if (this.lastSentAt !== NEVER_YET) recovery.congestion.restart?.(now, now - this.lastSentAt);
    recovery.rate.sending(now, record, true);
    queue.sendAlone(record, now);
    const segment = host.build(now, ACK | PSH, record.seq);
    segment.length = length;
    if (host.ecnOn) this.mark(segment, false, recovery.cwrDue);
    s.outbox.push(segment);
    s.sentBytes += length;
    s.dataSegmentsSent++;
    this.lastSentAt = now;
    host.dataSent(now);
    tcb.sndNxt = record.end;
    tcb.sndMax = record.end;
    if (length < record.mss) this.smallEnd = record.end;
    s.setTransmitTimer(now);
    s.limits.start(now, LIMIT.busy);
    armUserTimeout(s, now);
    this.conclude(now, 1, false, false);
  }

  /** `sent` segments went out: what that says of the windows and of the user. */
  private conclude(now: Instant, sent: number, windowLimited: boolean, wasCwndLimited: boolean): void {
    const { queue, recovery, limits } = this.s;
    const { cwnd } = recovery.window;
    const { pipe } = queue;
    if (!windowLimited) limits.stop(now, LIMIT.window, !queue.isEmpty);
    const cwndLimited = wasCwndLimited || pipe >= cwnd;
    if (sent > 0 || cwndLimited) this.validateWindow(now, cwndLimited);
    if (pipe < cwnd && queue.head === undefined) recovery.rate.applicationLimited(pipe);
    if (sent > 0) recovery.noteSent(now, sent);
  }

  /** Nothing waits to be sent. */
  private concludeIdle(now: Instant): void {
    const { queue, recovery, limits } = this.s;
    const { pipe } = queue;
    limits.stop(now, LIMIT.window, !queue.isEmpty);
    if (pipe < recovery.window.cwnd) recovery.rate.applicationLimited(pipe);
  }

  /** RFC 4821 §7.3, §7.4: a larger segment now and then, when there is enough behind it to notice its loss. */
  private probePath(now: Instant): void {
    const { s } = this;
    const { queue, recovery, tcb, host } = s;
    const probe = host.pathProbe;
    const wanted = probe?.next(now) ?? 0;
    if (
      probe === undefined ||
      wanted === 0 ||
      recovery.state !== 'open' ||
      recovery.window.cwnd < LEAST_TO_PROBE ||
      queue.sacked > 0
    )
      return;
    const { head } = queue;
    const size = wanted - (tcb.timestampsOn ? TIMESTAMPS_LENGTH : 0);
    const needed = size + (recovery.reordering + 1) * tcb.mss;
    const room = seqDiff(tcb.sndWndEnd, tcb.sndNxt);
    if (head === undefined || s.unsent < needed || room < needed || queue.pipe + 2 > recovery.window.cwnd) return;
    while (head.dataLength < size && queue.second !== undefined) queue.growHead(size - head.dataLength);
    if (head.dataLength < size) return;
    if (head.dataLength > size) queue.split(head, size, size);
    head.recount(size);
    probe.sent(size, head.seq);
    // It counts as two: what is lost with it would have been sent anyway.
    recovery.window.cwnd--;
    this.sendNew(now, head);
  }

  /** Segments of one burst: what the path carries in about a millisecond, at least two. */
  get burst(): number {
    const { settings } = this.s.host;
    const mss = this.s.currentMss;
    const most = Math.floor(RECORD_LIMIT / mss);
    const { min } = this.s.rtt;
    if (min < 512e3) return most;
    const shift = min === Number.POSITIVE_INFINITY ? 64 : Math.floor(min / 512e3);
    const near = shift < 31 ? RECORD_LIMIT / (1 << shift) : 0;
    const bytes = Math.min(pacingRate(this.s) / 1024 + near, RECORD_LIMIT);
    return Math.min(most, Math.max(Math.floor(bytes / mss), settings.minBurst));
  }

  /** RFC 9293 §3.8.6.2.1 (3), (4): part of a segment when the window is at least half of the largest ever seen. */
  private mayFill(head: SendRecord, room: number): boolean {
    const { s } = this;
    if (!s.host.settings.fillsSmallWindow || room <= 0 || head.dataLength === 0) return false;
    return this.override || (s.queue.isEmpty && room * 2 >= s.tcb.maxSndWnd);
  }

  /** RFC 9293 §3.7.4; with Minshall's rule only while a small segment is unacknowledged. */
  private nagles(partial: boolean, urge: Urge): boolean {
    const { s } = this;
    const { settings } = s.host;
    if (!partial || urge === 'push' || urge === 'off' || s.host.isUrgent) return false;
    if (settings.cork || s.more) return true;
    if (settings.noDelay || s.queue.isEmpty) return false;
    if (settings.nagle === 'rfc896') return true;
    if (settings.nagle === 'bsd') return urge !== 'idle';
    return seqGt(this.smallEnd, s.tcb.sndUna) && seqLe(this.smallEnd, s.tcb.sndNxt);
  }

  private splitPoint(head: SendRecord, mss: number, quota: number, urge: Urge): number {
    const room = seqDiff(this.s.tcb.sndWndEnd, head.seq);
    if (head.segments === 1) return Math.max(mss, head.dataLength);
    // Each segment has a pointer of its own.
    if (this.s.host.isUrgent) return mss;
    const most = quota * mss;
    if (most <= room && head !== this.s.queue.tail) return most;
    const needed = Math.min(head.dataLength, room);
    if (most <= needed) return most;
    const rest = needed % mss;
    const waits = this.nagles(true, urge) || (this.s.host.settings.fillsSmallWindow && needed < head.dataLength);
    return rest !== 0 && rest < needed && waits ? needed - rest : needed;
  }

  /** Better to wait for a moment and send more at once: the next acknowledgement is near and will open the window. */
  private defers(now: Instant, head: SendRecord, burst: number): 'cwnd' | 'window' | 'application' | undefined {
    const { s } = this;
    const { settings } = s.host;
    const { recovery, queue, tcb } = s;
    if (settings.deferDivisor === 0 || recovery.state === 'recovery' || recovery.state === 'loss') return undefined;
    if (now - this.lastSentAt > 1e6) return undefined;
    const mss = tcb.mss;
    const sendRoom = seqDiff(tcb.sndWndEnd, head.seq);
    const cwndRoom = (recovery.window.cwnd - queue.pipe) * mss;
    const limit = Math.min(sendRoom, cwndRoom);
    if (limit >= burst * mss) return undefined;
    if (head !== queue.tail && limit >= head.dataLength) return undefined;
    const chunk = Math.min(tcb.sndWnd, recovery.window.cwnd * mss) / settings.deferDivisor;
    const { first } = queue;
    if (limit >= Math.floor(chunk) || first === undefined) return undefined;
    const srtt = s.rtt.srtt ?? 0;
    if (first.sentAt + srtt - now > Math.min(srtt / 2, 1e6)) return undefined;
    if (cwndRoom < sendRoom) {
      if (cwndRoom <= head.dataLength) return 'cwnd';
    } else if (sendRoom <= head.dataLength) return 'window';
    return head.flags & FIN || head.boundary ? undefined : 'application';
  }

  isPaced(now: Instant): boolean {
    const { s } = this;
    if (!s.paces || s.nextSendAt <= now) return false;
    s.host.deadlines.set(DUE.pace, s.nextSendAt);
    return true;
  }

  private sendNew(now: Instant, head: SendRecord): number {
    const { s } = this;
    const { queue, tcb, recovery } = s;
    const wasEmpty = queue.isEmpty;
    if (queue.pipe === 0 && this.lastSentAt !== NEVER_YET) recovery.congestion.restart?.(now, now - this.lastSentAt);
    recovery.rate.sending(now, head, wasEmpty);
    queue.sendHead();
    queue.transmitted(head, now);
    this.emit(now, head, false);
    tcb.sndNxt = head.end;
    tcb.sndMax = head.end;
    if (head.dataLength < head.segments * head.mss) this.smallEnd = head.end;
    if (wasEmpty || s.host.deadlines.isSet(DUE.probe)) s.rearmRetransmit(now);
    s.limits.start(now, LIMIT.busy);
    armUserTimeout(s, now);
    return head.segments;
  }

  /** Sends the head although no window asks for it: it serves as a window probe. */
  sendForced(now: Instant, head: SendRecord): void {
    this.sendNew(now, head);
  }

  /** RFC 7661 §1: only a window that was used may grow. */
  private validateWindow(now: Instant, limited: boolean): void {
    const { s } = this;
    const { queue, tcb, recovery, rtt } = s;
    const over = seqGe(tcb.sndUna, this.usageSeq);
    if (over || limited || (!this.cwndLimited && queue.out > this.maxOut)) {
      this.cwndLimited = limited;
      this.maxOut = queue.out;
      this.usageSeq = tcb.sndNxt;
    }
    if (this.isCwndLimited) {
      this.cwndUsed = 0;
      this.cwndStamp = now;
      return;
    }
    if (queue.out > this.cwndUsed) this.cwndUsed = queue.out;
    const decays = s.host.settings.slowStartAfterIdle && !recovery.judgesAll;
    if (decays && now - this.cwndStamp >= rtt.rto && !recovery.congestion.ownWindow) {
      this.decay(now);
    }
    if (queue.head === undefined && s.writerWaits && !s.isWritable) s.limits.start(now, LIMIT.buffer);
  }

  /** RFC 2861: a window that was not used for a round trip is halved towards what was used. */
  private decay(now: Instant): void {
    const { recovery } = this.s;
    const { window } = recovery;
    if (recovery.state === 'open' && !this.s.writerWaits) {
      const used = Math.max(this.cwndUsed, this.s.host.settings.initialWindow);
      if (used < window.cwnd) {
        window.ssthresh = recovery.ssthreshNow;
        window.cwnd = (window.cwnd + used) >> 1;
      }
      this.cwndUsed = 0;
    }
    this.cwndStamp = now;
  }

  get isCwndLimited(): boolean {
    if (this.cwndLimited) return true;
    const { window } = this.s.recovery;
    // In slow start the window may be twice what was used (RFC 7661 §4.3).
    return window.cwnd < window.ssthresh && window.cwnd < 2 * this.maxOut;
  }

  windowRestarted(now: Instant): void {
    this.cwndStamp = now;
    this.cwndUsed = 0;
  }

  // --- again

  /** Sends a record again, at most `segments` of it; false when the window does not let it. */
  resend(now: Instant, record: SendRecord, segments: number): boolean {
    if (!this.retransmit(now, record, segments)) return false;
    const { recovery, queue, tcb } = this.s;
    queue.markResent(record, this.s.host.settings.countsResentAgain);
    recovery.retransmitStamp ??= tcb.timestamp(now);
    recovery.undoRetransmissions = Math.max(0, recovery.undoRetransmissions) + record.segments;
    return true;
  }

  /** Whatever the windows of congestion and loss say. */
  retransmit(now: Instant, record: SendRecord, segments: number): boolean {
    const { s } = this;
    const { queue, tcb, recovery } = s;
    s.trimAcknowledged(record);
    const mss = s.currentMss;
    let room = seqDiff(tcb.sndWndEnd, record.seq);
    if (room <= 0) {
      // A window that shrank to nothing still gets the first segment, as a probe (RFC 9293 §3.8.6).
      if (record.seq !== tcb.sndUna) return false;
      room = mss;
    }
    let length = mss * (s.host.isUrgent ? 1 : segments);
    if (length > room) length = Math.floor(room / mss) * mss || room;
    if (record.dataLength > length) {
      queue.split(record, length, mss);
    } else if (s.host.settings.recuts) {
      queue.fill(record, Math.min(room, length), mss);
    } else {
      queue.resize(record, mss);
      if (record.dataLength < Math.min(room, mss) && !(record.flags & SYN)) queue.joinNext(record, Math.min(room, mss));
    }
    recovery.totalRetransmissions += record.segments;
    s.retransmittedBytes += record.dataLength;
    recovery.rate.sending(now, record, false);
    queue.transmitted(record, now);
    this.emit(now, record, true);
    record.everResent = true;
    return true;
  }

  // --- onto the wire

  /** Cuts a record into its segments, or leaves that to the driver where they are all alike. */
  emit(now: Instant, record: SendRecord, again: boolean): void {
    const { s } = this;
    const { host } = s;
    const { dataLength } = record;
    const whole = host.largeSegments && record.segments > 1 && host.extraOptions === 0 && !host.isUrgent;
    const mss = whole ? dataLength : record.mss;
    const atEnd = host.settings.recuts ? (record.flags & FIN) | (s.queue.endsData(record) ? PSH : 0) : record.flags;
    let seq = record.seq;
    let left = dataLength;
    let first: Segment | undefined;
    do {
      const length = Math.min(left, mss);
      left -= length;
      const last = left === 0;
      let flags = ACK | (last ? atEnd & (FIN | PSH) : 0);
      if (last && record.segments > 1 && host.settings.cutsBursts) flags |= PSH;
      if (seq === record.seq && record.flags & SYN) flags |= SYN;
      const segment = host.build(now, flags, seq);
      segment.length = length;
      if (whole) segment.unit = record.mss;
      first ??= segment;
      if (host.settings.cutsBursts) segment.sack = first.sack;
      segment.retransmission = again;
      this.mark(segment, again, s.recovery.cwrDue);
      s.outbox.push(segment);
      seq = seqAdd(seq, length);
    } while (left > 0);
    if (s.paces) paceFor(s, now, dataLength, record.mss);
    s.sentBytes += dataLength;
    if (dataLength > 0) s.dataSegmentsSent += record.segments;
    this.lastSentAt = now;
    host.dataSent(now);
  }

  /** RFC 3168 §6.1.5: new data is ECN-capable, a retransmission is not; §6.1.2: CWR on the first new data. */
  private mark(segment: Segment, again: boolean, cwrDue: boolean): void {
    const { host, recovery } = this.s;
    if (!host.ecnOn || segment.length === 0 || again || host.accurateEcn?.isMangled) return;
    segment.ecn = ECT0;
    if (cwrDue && host.accurateEcn === undefined) {
      segment.flags |= CWR;
      recovery.cwrDue = false;
    }
  }

  /** For the other side of a simultaneous open, and for handshakes: a SYN by itself. */
  emitSyn(now: Instant, record: SendRecord, flags: number, again: boolean): void {
    const { s } = this;
    const segment = s.host.build(now, flags, record.seq);
    segment.retransmission = again;
    if (again) segment.accEcn = undefined; // RFC 9768 §3.2.3.2.2: perhaps it was the option that was not let through
    s.outbox.push(segment);
    s.queue.transmitted(record, now);
  }

  get hasSmallOut(): boolean {
    return seqLt(this.s.tcb.sndUna, this.smallEnd);
  }
}
