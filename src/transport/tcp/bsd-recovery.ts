/**
 * Loss recovery as FreeBSD has it. It reckons in bytes of sequence space, not in what is thought to be in the network:
 * outside of recovery whatever lies between SND.UNA and SND.NXT fills the window, SACKed or not; after a timeout it goes
 * back and sends from SND.UNA again, skipping what is SACKed; in fast recovery all holes below what is SACKed are sent
 * again as the window lets them (RFC 6675, RFC 6937 with its successor's slow start bound), without SACK it is RFC 6582.
 * No reduction is taken back but that of a timeout whose segment had not been lost. A test holds it against a model.
 */
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqDiff, seqGe, seqLe, seqLt, seqMax } from '../../base/seq32.ts';
import type { AckNews } from './ack-news.ts';
import { BsdReduction } from './bsd-reduction.ts';
import { BsdScoreboard } from './bsd-scoreboard.ts';
import type { Congestion } from './congestion/types.ts';
import { Recovery, type Resend } from './recovery.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import { TimedSegment } from './timed-segment.ts';

/** RFC 5681 §3.2. */
const THRESHOLD = 3;
/** Segments that go out by RFC 3042's limited transmit. */
const MOST_LIMITED = 2;

/** What was so before a timeout. */
interface Before {
  cwnd: number;
  ssthresh: number;
  highSeq: Seq;
  /** An acknowledgement until then, or of an earlier timestamp, is not that of the retransmission. */
  until: Instant;
  stamp: number;
}

export class BsdRecovery extends Recovery {
  override readonly judgesAll = true;
  private duplicateAcks = 0;
  /** New segments that duplicate ACKs have let out. */
  private limited = 0;
  /** The window for as long as limited transmit lasts, bytes. */
  private passingWindow: number | undefined = undefined;
  /** Where it sends from, gone back to behind a timeout; undefined: from SND.NXT. */
  private resumeAt: Seq | undefined = undefined;
  private firstIsDue = false;
  private ackIsDue = false;
  private before: Before | undefined = undefined;
  private readonly prr = new BsdReduction();
  private readonly board = new BsdScoreboard(this.queue, this.tcb);
  private readonly timed = new TimedSegment();
  private wasBehind = false;
  /** Back-offs before this acknowledgement was measured. */
  private priorBackoffs = 0;

  override get afterTimeout(): boolean {
    return this.wasBehind;
  }

  override timedTrip(now: Instant, news: AckNews): Duration | 'none' | undefined {
    const { tcb } = this;
    this.priorBackoffs = this.rtt.backoffs;
    if (tcb.timestampsOn || news.synAcked) return undefined;
    const isPartial = this.isFast && seqLt(tcb.sndUna, this.highSeq);
    return (isPartial ? undefined : this.timed.take(now, tcb.sndUna)) ?? 'none';
  }

  // --- an acknowledgement

  override judge(now: Instant, news: AckNews, priorUna: Seq): Resend {
    const { tcb } = this;
    this.holdsBack = false;
    this.justRecovered = false;
    this.wasBehind = this.resumeAt !== undefined;
    const isNewLoss = tcb.sackOn && this.board.update(news, priorUna);
    const bySack = tcb.sackOn && (news.hasSack || this.board.hasHoles);
    if (news.ece) this.signalEcho();
    if (this.isFast && bySack) this.findLostRetransmissions();
    const says = news.advanced || this.takeDuplicate(news, bySack, isNewLoss);
    if (news.advanced) this.takeProgress(now, news, priorUna, bySack, isNewLoss);
    this.noteState();
    // What says nothing is no occasion to send again, whatever has been found lost meanwhile.
    return says ? 'lost' : 'nothing';
  }

  private get isFast(): boolean {
    return this.state === 'recovery';
  }

  /** False: it says nothing. */
  private takeDuplicate(news: AckNews, bySack: boolean, isNewLoss: boolean): boolean {
    const { tcb, queue } = this;
    if (news.hasData || queue.isEmpty || (news.windowUpdated && !tcb.sackOn)) {
      this.duplicateAcks = 0;
      return false;
    }
    if (bySack && !news.sacked) return false;
    const isThird = ++this.duplicateAcks === THRESHOLD || this.board.tellsOfLoss;
    if (this.duplicateAcks > THRESHOLD || this.isFast) this.takeAnother(news, bySack, isNewLoss);
    else if (isThird) return this.begin(news, tcb.sndUna, bySack);
    else this.limit();
    return true;
  }

  /** Beyond the third. */
  private takeAnother(news: AckNews, bySack: boolean, isNewLoss: boolean): void {
    const { window, tcb } = this;
    if (this.isFast && tcb.sackOn && this.isProportional) {
      this.reduceTo(news, bySack, isNewLoss, tcb.sndUna);
    } else if (!this.isFast || !bySack) {
      window.cwnd++; // RFC 6582 §3.2 step 3: a segment has left the network
    } else if (this.pipe < window.ssthresh) {
      const more = Math.max(1, Math.min(2, news.bytes / tcb.mss));
      window.cwnd = Math.min(window.cwnd + more, window.ssthresh);
    }
  }

  /** RFC 3042: each of the first two lets out a segment that has never been sent. */
  private limit(): void {
    this.holdsBack = true;
    if (!this.host.settings.limitedTransmit) return;
    if (this.duplicateAcks === 1) this.limited = 0;
    const more = (this.duplicateAcks - this.limited) * this.tcb.mss;
    const atEnd = this.resumeAt === undefined && this.rtt.backoffs === 0;
    this.passingWindow = more + (atEnd ? seqDiff(this.tcb.sndNxt, this.tcb.sndUna) : this.cwndBytes);
  }

  private takeProgress(now: Instant, news: AckNews, priorUna: Seq, bySack: boolean, isNewLoss: boolean): void {
    const { tcb } = this;
    if (this.wasEarly(now)) return this.takeBack();
    this.before = undefined;
    this.duplicateAcks = 0;
    const changed = this.priorBackoffs === 0 ? news.sacked || (news.hasSack && this.board.sacked > 0) : isNewLoss;
    if (bySack && changed && this.resumeAt === undefined) {
      this.duplicateAcks++;
      if (!this.isFast && this.board.tellsOfLoss) this.begin(news, priorUna, bySack);
    }
    if (seqLt(tcb.sndUna, this.highSeq)) {
      if (this.isFast) this.takePartial(news, priorUna, bySack, isNewLoss);
      else if (this.state === 'cwr' && this.isProportional) this.reduceTo(news, bySack, isNewLoss, priorUna);
    }
    if (this.inReduction) {
      this.justRecovered = true; // no growth by what ends it
      if (seqGe(tcb.sndUna, this.highSeq)) this.endRecovery();
    }
    if (tcb.sackOn && !this.inReduction) this.highSeq = seqMax(this.highSeq, tcb.sndUna);
    if (this.resumeAt !== undefined) this.resumeFrom(seqMax(this.resumeAt, tcb.sndUna));
  }

  /** RFC 6582 §3.2 step 3, "Partial acknowledgments", and what SACK makes of it. */
  private takePartial(news: AckNews, priorUna: Seq, bySack: boolean, isNewLoss: boolean): void {
    const { tcb, window, board } = this;
    news.rearm = true;
    this.timed.forget();
    this.ackIsDue = true;
    const acked = seqDiff(tcb.sndUna, priorUna);
    if (!tcb.sackOn) {
      this.firstIsDue = true;
      window.cwnd = Math.max(window.cwnd - acked / tcb.mss, 0) + 1;
      return;
    }
    if (this.isProportional && news.hasSack) return this.reduceTo(news, bySack, isNewLoss, priorUna);
    const segments = acked >= 2 * tcb.mss ? 2 : 1;
    if (this.resumeAt === undefined) window.cwnd = this.usedInRecovery / tcb.mss + segments;
    window.cwnd = Math.min(window.cwnd, window.ssthresh);
    if (board.sacked === 0 && news.bytes > 0) board.rescueLast();
  }

  private noteState(): void {
    if (this.inReduction) return;
    if (this.resumeAt !== undefined) this.enter('loss');
    else this.enter(this.duplicateAcks > 0 || this.queue.sacked > 0 || this.anyResent ? 'disorder' : 'open');
  }

  // --- recovery begins and ends

  /** False: it is under way, or what was lost is that of the last one (RFC 6582 §3.2 step 1). `una`: SND.UNA before. */
  private begin(news: AckNews, una: Seq, bySack: boolean): boolean {
    const { tcb, window } = this;
    this.duplicateAcks = THRESHOLD;
    if (bySack ? this.isFast : seqLe(tcb.sndUna, this.highSeq)) {
      this.duplicateAcks = 0;
      return false;
    }
    this.observe('fast-retransmit', bySack ? 'selective acknowledgements' : 'duplicate ACKs');
    this.signalLoss();
    news.rearm = true;
    this.timed.forget();
    const ahead = seqDiff(tcb.sndNxt, tcb.sndUna);
    this.prr.begin(bySack ? Math.min(ahead, (this.limited + 1) * tcb.mss) : tcb.mss, seqDiff(tcb.sndNxt, una));
    const { limited } = this;
    this.limited = 0;
    if (bySack) {
      window.cwnd = 1;
    } else {
      this.firstIsDue = true;
      this.holdsBack = true;
      window.cwnd = window.ssthresh + this.duplicateAcks - limited;
    }
    return true;
  }

  private signalLoss(): void {
    if (!this.isFast) this.highSeq = this.tcb.sndNxt;
    this.lower('loss');
    this.enter('recovery');
  }

  /** RFC 3168 §6.1.2, once a round trip. */
  private signalEcho(): void {
    if (this.inReduction && seqLt(this.tcb.sndUna, this.highSeq)) return;
    this.observe('congestion-echo', 'the other end has seen a congestion mark');
    this.highSeq = seqAdd(this.tcb.sndNxt, 1);
    this.board.forgetRescue();
    this.lower('echo');
    this.window.cwnd = this.window.ssthresh;
    this.prr.begin(0, 0);
    this.enter('cwr');
  }

  private lower(cause: Congestion): void {
    const { window } = this;
    window.credit = 0;
    window.prior = window.cwnd;
    window.ssthresh = this.congestion.reduce(window, this.queue.out, cause);
    this.cwrDue = true;
  }

  /** Something sent after recovery began has arrived before what had been sent again: that was lost once more. */
  private findLostRetransmissions(): void {
    const { window, tcb } = this;
    if (!this.host.settings.findsLostAgain || !this.board.findLostAgain(this.highSeq)) return;
    window.cwnd = window.ssthresh;
    this.enter('open');
    this.signalLoss();
    window.cwnd = 1;
    this.prr.beginAgain(seqDiff(tcb.sndNxt, tcb.sndUna));
  }

  /** The window for one more acknowledgement of it. `una`: SND.UNA before. */
  private reduceTo(news: AckNews, bySack: boolean, isNewLoss: boolean, una: Seq): void {
    const { tcb, window } = this;
    const { mss } = tcb;
    const known = bySack || this.state === 'cwr';
    const ahead = seqDiff(tcb.sndNxt, una);
    const told = this.isFast ? news.bytes : seqDiff(tcb.sndUna, una);
    const delivered = known ? told : this.prr.uncounted(mss, seqDiff(this.highSeq, una));
    const pipe = known ? this.board.pipe(una) : Math.max(0, ahead - this.duplicateAcks * mss);
    const segments = this.prr.allow(Math.floor(window.ssthresh * mss), pipe, ahead, delivered, isNewLoss, mss);
    if (!this.isFast) window.cwnd = (pipe - delivered) / mss + segments;
    else window.cwnd = (bySack ? this.usedInRecovery : ahead) / mss + segments;
    window.cwnd = Math.max(1, window.cwnd);
  }

  private endRecovery(): void {
    const { window } = this;
    if (this.isFast) {
      const { pipe } = this;
      if (pipe < window.ssthresh) window.cwnd = Math.max(pipe, 1) + 1;
      else window.cwnd = this.congestion.recovered?.() ?? window.ssthresh;
    }
    this.observe('recovered', 'everything sent before the loss is acknowledged');
    this.board.forgetRescue();
    window.credit = 0;
    this.prr.end();
    this.enter('open');
  }

  /** Segments in the network. */
  private get pipe(): number {
    return this.board.pipe(this.tcb.sndUna) / this.tcb.mss;
  }

  private get isProportional(): boolean {
    return this.host.settings.proportionalReduction;
  }

  // --- timeouts

  override enterLoss(now: Instant): void {
    const { window, tcb, rtt } = this;
    if (rtt.backoffs === 0) {
      const patience: Duration = (rtt.srtt ?? 0) / 2;
      const { cwnd, ssthresh } = window;
      this.before = { cwnd, ssthresh, highSeq: this.highSeq, until: now + patience, stamp: tcb.timestamp(now) };
    } else {
      this.before = undefined;
    }
    this.board.timedOut(rtt.backoffs > 0);
    this.duplicateAcks = 0;
    this.timed.forget();
    this.prr.end();
    const usable = Math.min(tcb.sndWnd / tcb.mss, window.cwnd);
    window.ssthresh = this.congestion.reduce(window, usable, 'timeout');
    this.congestion.timedOut?.();
    window.cwnd = 1;
    window.credit = 0;
    this.highSeq = tcb.sndNxt;
    this.cwrDue = true;
    this.resumeAt = tcb.sndUna;
    this.enter('loss');
  }

  /** The acknowledgement came too soon to be that of the retransmission. */
  private wasEarly(now: Instant): boolean {
    const { before, tcb } = this;
    if (before === undefined) return false;
    return tcb.timestampsOn ? this.echoIsBefore(before.stamp) : now < before.until;
  }

  private takeBack(): void {
    const { before, window } = this;
    if (before === undefined) return;
    window.cwnd = before.cwnd;
    window.ssthresh = before.ssthresh;
    this.highSeq = before.highSeq;
    this.before = undefined;
    this.resumeAt = undefined;
    this.rtt.backoffs = 0;
    this.observe('undo', 'what seemed lost was only late: the reduction is taken back');
    this.enter('open');
  }

  /** Too big for the path, not lost (RFC 1191 §6.5): from the beginning again, with the same window. */
  override lostForSize(): void {
    this.highSeq = this.tcb.sndNxt;
    this.duplicateAcks = 0;
    this.resumeAt = this.tcb.sndUna;
    this.enter('loss');
  }

  override resendFirst(s: Sender, now: Instant): void {
    const { first } = this.queue;
    if (first === undefined || !s.transmitter.retransmit(now, first, 1)) return;
    if (this.resumeAt !== undefined) this.resumeFrom(first.end);
  }

  // --- what may be sent

  override room(head: SendRecord): number {
    if (this.resumeAt !== undefined) return 0;
    const bytes = this.windowRoom;
    if (bytes <= 0) return 0;
    return head === this.queue.tail && bytes >= head.dataLength
      ? Math.max(1, head.segments)
      : Math.floor(bytes / this.tcb.mss);
  }

  private get windowRoom(): number {
    const { tcb, isFast } = this;
    const inUse = isFast && this.board.resent > 0 && tcb.sackOn ? this.usedInRecovery : seqDiff(tcb.sndNxt, tcb.sndUna);
    return this.cwndBytes - inUse;
  }

  private get cwndBytes(): number {
    return this.passingWindow ?? Math.round(this.window.cwnd * this.tcb.mss);
  }

  /** Sent again, or for the first time since recovery began. */
  private get usedInRecovery(): number {
    return Math.max(0, seqDiff(this.tcb.sndNxt, this.highSeq)) + this.board.resent;
  }

  override resend(s: Sender, now: Instant): void {
    const { sndNxt } = this.tcb;
    if (this.firstIsDue && this.queue.first !== undefined) s.transmitter.retransmit(now, this.queue.first, 1);
    this.firstIsDue = false;
    while (this.resendHole(s, now) || this.resendBehindTimeout(s, now));
    if (this.passingWindow !== undefined) {
      s.transmitter.push(now, 'nagle');
      const sent = seqDiff(this.tcb.sndNxt, sndNxt);
      if (sent > this.tcb.mss) this.limited = MOST_LIMITED;
      else if (sent > 0) this.limited++;
      this.passingWindow = undefined;
    } else if (this.ackIsDue) {
      s.transmitter.push(now, 'nagle');
      if (s.outbox.isEmpty) s.host.receiver.ackNow = true;
    }
    this.ackIsDue = false;
  }

  /** In fast recovery: the first hole that was not sent again, not beyond where recovery began. */
  private resendHole(s: Sender, now: Instant): boolean {
    const { tcb, board } = this;
    if (!this.isFast || !tcb.sackOn) return false;
    const record = board.hole(this.highSeq);
    if (record === undefined) return false;
    const length = Math.min(record.dataLength, tcb.mss);
    if (this.cwndBytes - board.resent < length || !s.transmitter.retransmit(now, record, 1)) return false;
    board.markResent(record);
    this.prr.sent(record.dataLength);
    return true;
  }

  /** From where a timeout has gone back to, as far as the window goes. */
  private resendBehindTimeout(s: Sender, now: Instant): boolean {
    const { tcb, queue } = this;
    if (this.resumeAt === undefined) return false;
    this.resumeFrom(this.board.skipSacked(this.resumeAt));
    if (this.resumeAt === undefined) return false;
    const record = queue.records[queue.indexOf(this.resumeAt)];
    if (record === undefined) {
      this.resumeFrom(tcb.sndNxt);
      return false;
    }
    if (seqLt(record.seq, this.resumeAt) && record.segments > 1)
      queue.split(record, seqDiff(this.resumeAt, record.seq), tcb.mss);
    const room = this.cwndBytes - seqDiff(this.resumeAt, tcb.sndUna);
    if (room < Math.min(record.dataLength, tcb.mss) || !s.transmitter.retransmit(now, record, 1)) return false;
    if (this.isFast) this.prr.sent(record.dataLength);
    this.resumeFrom(record.end);
    return room > record.dataLength;
  }

  private resumeFrom(seq: Seq): void {
    this.resumeAt = seqLt(seq, this.tcb.sndNxt) ? seq : undefined;
  }

  override noteSent(now: Instant, segments: number): void {
    this.timed.sent(now, this.tcb.sndUna, this.tcb.sndNxt);
    if (this.inReduction) this.prr.sent(segments * this.tcb.mss);
  }

  /** The window is what each acknowledgement has made it. */
  override reduce(): void {}
}
