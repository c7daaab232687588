/**
 * What the sender thinks of the network: in order ('open'), something is missing ('disorder'), the window was reduced
 * for a congestion mark ('cwr'), fast recovery ('recovery') or the timer expired ('loss'). RFC 5681, RFC 6675 with
 * RACK-TLP (RFC 8985), proportional rate reduction (RFC 6937), F-RTO (RFC 5682) and the undoing of reductions that
 * turn out to have been unnecessary (Eifel, RFC 3522; D-SACK, RFC 3708).
 */
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import type { AckNews } from './ack-news.ts';
import { type Congestion, type CongestionControl, NO_SSTHRESH, type Window } from './congestion/types.ts';
import { type Deadlines, DUE } from './deadlines.ts';
import { DeliveryRate } from './delivery-rate.ts';
import { addRenoSack, leastOfPartialAck, markByCount, markNewReno, markTimedOut } from './loss-marking.ts';
import type { PathProbe } from './path-probe.ts';
import { ProportionalReduction } from './prr.ts';
import { Rack } from './rack.ts';
import { resendLost } from './resend.ts';
import type { RttEstimator } from './rtt.ts';
import type { SendQueue } from './send-queue.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import type { Tcb } from './tcb.ts';
import type { TcpObserver, TcpSettings } from './types.ts';
import { tryUndoDuplicate, tryUndoLoss, tryUndoPartial, tryUndoRecovery } from './undo.ts';

export type CongestionState = 'open' | 'disorder' | 'cwr' | 'recovery' | 'loss';

/** What is to be sent once an acknowledgement is dealt with. */
export type Resend = 'nothing' | 'lost' | 'new';

export interface RecoveryHost {
  readonly pathProbe: PathProbe | undefined;
  readonly tcb: Tcb;
  readonly settings: TcpSettings;
  readonly deadlines: Deadlines;
  readonly observer: TcpObserver | undefined;
}

export class Recovery {
  state: CongestionState = 'open';
  readonly window: Window;
  readonly rack = new Rack();
  readonly rate = new DeliveryRate();
  congestion: CongestionControl;
  /** SND.NXT when the present state began: RFC 6582's "recover". */
  highSeq: Seq = 0;
  /** SND.UNA when a reduction began that may still be undone, and retransmissions since that no D-SACK has told of. */
  undoMarker: Seq | undefined = undefined;
  undoRetransmissions = 0;
  /** The timestamp of the first retransmission of this episode (RFC 3522). */
  retransmitStamp: number | undefined = undefined;
  /** RFC 4737's degree of reordering, in segments: DupThresh, as far as it has adapted. */
  reordering: number;
  /** Timeouts in a row without progress. */
  timeouts = 0;
  /** A congestion window reduced is to be told to the other end (RFC 3168 §6.1.2). */
  cwrDue = false;
  tlpHighSeq: Seq | undefined = undefined;
  tlpRetransmitted = false;
  reorderings = 0;
  duplicates = 0;
  totalRetransmissions = 0;
  readonly tcb: Tcb;
  readonly queue: SendQueue;
  readonly rtt: RttEstimator;
  readonly host: RecoveryHost;
  /** ssthresh before the reduction that may be undone; 0: it must not be. */
  priorSsthresh = 0;
  private frto = false;
  /** Nothing is taken for granted of an acknowledgement, be it of all that is out (BSD). */
  readonly judgesAll: boolean = false;
  /** This acknowledgement lets nothing out (BSD). */
  holdsBack = false;
  /** It has ended a recovery, or is part of one, and does not let the window grow (BSD). */
  justRecovered = false;
  private reduction: ProportionalReduction | undefined = undefined;

  constructor(host: RecoveryHost, queue: SendQueue, rtt: RttEstimator, congestion: CongestionControl) {
    this.host = host;
    this.tcb = host.tcb;
    this.queue = queue;
    this.rtt = rtt;
    this.congestion = congestion;
    this.reordering = host.settings.reordering;
    this.window = { cwnd: host.settings.initialWindow, ssthresh: NO_SSTHRESH, credit: 0, prior: 0 };
  }

  get inReduction(): boolean {
    return this.state === 'cwr' || this.state === 'recovery';
  }

  get inSlowStart(): boolean {
    return this.window.cwnd < this.window.ssthresh;
  }

  // --- what may be sent

  /** How many segments of what waits the congestion window has room for; half of it at once at most. */
  room(_head: SendRecord): number {
    const { queue, window } = this;
    const { cwnd } = window;
    const used = this.state === 'disorder' && !this.host.settings.limitedTransmit ? queue.out : queue.pipe;
    if (used >= cwnd) return 0;
    return Math.min(Math.max(cwnd >> 1, 1), cwnd - used);
  }

  resend(s: Sender, now: Instant): void {
    resendLost(s, now);
  }

  /** Is what was lost by a timeout still being sent again? */
  get afterTimeout(): boolean {
    return this.state === 'loss';
  }

  /** The round trip that this acknowledgement measures; undefined: every segment's counts that was sent once. */
  timedTrip(_now: Instant, _news: AckNews): Duration | 'none' | undefined {
    return undefined;
  }

  /** The timer has expired, and this much goes out at once. */
  resendFirst(s: Sender, now: Instant): void {
    const { first } = this.queue;
    if (first !== undefined) s.transmitter.resend(now, first, 1);
  }

  // --- an acknowledgement

  /** Does it need to be judged? */
  isConcerned(news: AckNews): boolean {
    return this.judgesAll || !news.notDuplicate || news.alert || this.state !== 'open';
  }

  /** The acknowledgement is doubtful: no progress, an alert, or trouble already. `priorUna` is SND.UNA before it. */
  judge(now: Instant, news: AckNews, priorUna: Seq, duplicateAcks: number): Resend {
    const { queue } = this;
    if (queue.out === 0) queue.sacked = 0;
    if (news.ece) this.priorSsthresh = 0; // the network said it: nothing to undo
    if (this.reneging(now, news)) return 'nothing';
    if (this.state === 'open') this.retransmitStamp = undefined;
    else if (seqGe(this.tcb.sndUna, this.highSeq) && this.leave()) return 'nothing';
    if (this.state === 'recovery') return this.inRecovery(now, news, priorUna, duplicateAcks);
    if (this.state === 'loss') {
      const resend = this.inLoss(news, duplicateAcks);
      this.identifyLoss(now, news);
      if ((this.state as CongestionState) !== 'open' && !news.resentLost) return resend;
    }
    return this.otherwise(now, news, duplicateAcks);
  }

  /** Everything that was out when the state began is acknowledged. True: that is all. */
  private leave(): boolean {
    if (this.state === 'cwr') {
      // The state is held until something above is acknowledged, so that CWR reaches the other end.
      if (this.tcb.sndUna !== this.highSeq) {
        this.endReduction();
        this.enter('open');
      }
    } else if (this.state === 'recovery') {
      if (!this.tcb.sackOn) this.queue.sacked = 0;
      if (tryUndoRecovery(this)) return true;
      this.endReduction();
    }
    return false;
  }

  private inRecovery(now: Instant, news: AckNews, priorUna: Seq, duplicateAcks: number): Resend {
    let markHead = duplicateAcks > 0 || (news.sacked && this.mustRetransmit);
    if (!news.advanced) {
      if (!this.tcb.sackOn) addRenoSack(this, duplicateAcks, news);
    } else {
      const undone = tryUndoPartial(this, priorUna);
      if (undone === 'wait') return 'nothing';
      markHead = undone === 'lost' && this.mustRetransmit;
    }
    if (tryUndoDuplicate(this)) this.tryToOpen(news);
    this.identifyLoss(now, news);
    if (this.state !== 'recovery') {
      if (!this.timeToRecover()) return 'nothing';
      this.enterRecovery(news.ece);
    }
    if (markHead) markByCount(this, false);
    return 'lost';
  }

  private otherwise(now: Instant, news: AckNews, duplicateAcks: number): Resend {
    if (!this.tcb.sackOn) {
      if (news.advanced) this.queue.sacked = 0;
      addRenoSack(this, duplicateAcks, news);
    }
    if (this.state === 'open' || this.state === 'disorder') tryUndoDuplicate(this);
    this.identifyLoss(now, news);
    if (!this.timeToRecover()) {
      this.tryToOpen(news);
      return 'nothing';
    }
    if (this.state !== 'cwr' && this.host.pathProbe?.failed(this.tcb.sndUna)) return this.probeWasTooBig();
    this.observe('fast-retransmit', this.tcb.sackOn ? 'selective acknowledgements' : 'duplicate ACKs');
    this.enterRecovery(news.ece);
    if (duplicateAcks > 0 || (news.sacked && this.mustRetransmit)) markByCount(this, true);
    return 'lost';
  }

  /** RFC 4821 §7.6.2: a probe that is lost says nothing of congestion. */
  private probeWasTooBig(): Resend {
    const { queue, window, tcb } = this;
    window.cwnd++;
    if (queue.first !== undefined) {
      queue.markLost(queue.first);
      queue.resize(queue.first, tcb.mss);
    }
    this.lostForSize();
    return 'lost';
  }

  /** RFC 5681 §3.1 after a timeout, with F-RTO (RFC 5682 §3.1) where nothing else was wrong. */
  private inLoss(news: AckNews, duplicateAcks: number): Resend {
    const { tcb } = this;
    const recovered = seqGe(tcb.sndUna, this.highSeq);
    if (news.advanced && tryUndoLoss(this, false)) return 'nothing';
    if (this.frto) {
      // Step 3.b: something was acknowledged that was never sent again: the timeout was spurious.
      if (news.originalArrived && tryUndoLoss(this, true)) return 'nothing';
      if (seqGt(tcb.sndNxt, this.highSeq)) {
        if (news.sacked || duplicateAcks > 0) this.frto = false; // step 3.a
      } else if (news.advanced && !recovered) {
        this.highSeq = tcb.sndNxt;
        // Step 2.b: new data, if there is some and the window lets it.
        if (this.queue.head !== undefined && seqGt(tcb.sndWndEnd, tcb.sndNxt)) return 'new';
        this.frto = false;
      }
    }
    if (recovered) {
      tryUndoRecovery(this);
      return 'nothing';
    }
    if (!tcb.sackOn) {
      if (seqGt(tcb.sndNxt, this.highSeq) && duplicateAcks > 0) addRenoSack(this, duplicateAcks, news);
      else if (news.advanced) this.queue.sacked = 0;
    }
    return 'lost';
  }

  /** F-RTO found no new data to send after all. */
  giveUpFrto(): void {
    this.frto = false;
  }

  private get mustRetransmit(): boolean {
    const { sndUna, mss } = this.tcb;
    return this.tcb.sackOn && seqDiff(this.queue.highestSacked(sndUna), sndUna) > this.reordering * mss;
  }

  private timeToRecover(): boolean {
    if (this.queue.lost > 0) return true;
    return !this.byTime && this.queue.sacked + 1 > this.reordering;
  }

  get byTime(): boolean {
    return this.host.settings.rack && this.tcb.sackOn;
  }

  private identifyLoss(now: Instant, news: AckNews): void {
    if (this.queue.isEmpty) return;
    if (!this.tcb.sackOn) return markNewReno(this, news.advanced);
    if (!this.byTime) return;
    const before = this.queue.resent;
    if (this.findLostByTime(now)) news.rearm = false;
    if (before > this.queue.resent) news.resentLost = true;
  }

  /** RFC 8985 §6.2 step 5; true when the reordering timer was set. */
  private findLostByTime(now: Instant): boolean {
    if (!this.rack.advanced) return false;
    this.rack.advanced = false;
    const wait = this.rack.detect(now, this.queue, this.reorderingWindow);
    if (wait > 0)
      this.host.deadlines.setTransmit(
        DUE.reordering,
        now + Math.min(wait + this.host.settings.timerSlack, this.rtt.rto),
      );
    return wait > 0;
  }

  private get reorderingWindow(): number {
    const { srtt = 0, min } = this.rtt;
    return this.rack.window(this.queue, this.state === 'recovery' || this.state === 'loss', this.reordering, min, srtt);
  }

  /** RFC 8985 §6.3: the reordering timer has expired. True: there is something to send again. */
  reorderingTimeout(now: Instant): boolean {
    const before = this.queue.pipe;
    const lost = this.queue.everLost;
    this.rack.detect(now, this.queue, this.reorderingWindow);
    if (before === this.queue.pipe) return false;
    if (this.state !== 'recovery') {
      this.enterRecovery(false);
      if (!this.congestion.ownWindow) this.reduce(1, this.queue.everLost - lost, false);
    }
    return true;
  }

  get inTrouble(): boolean {
    return this.state === 'recovery' || this.state === 'loss';
  }

  countDelivered(segments: number, marked: boolean): void {
    this.rate.delivered += segments;
    if (marked) this.rate.deliveredMarked += segments;
  }

  // --- entering and leaving

  enter(state: CongestionState): void {
    this.state = state;
  }

  enterRecovery(ece: boolean): void {
    // A stamp of an episode before says nothing of this one.
    if (this.queue.resent === 0 && !this.anyResent) this.retransmitStamp = undefined;
    this.priorSsthresh = 0;
    this.beginUndo();
    if (!this.inReduction) {
      if (!ece) this.priorSsthresh = this.ssthreshNow;
      this.beginReduction(ece ? 'echo' : 'loss');
    }
    this.enter('recovery');
  }

  /** An ECN echo (RFC 3168 §6.1.2): the window is reduced once a round trip. */
  enterCwr(): void {
    this.priorSsthresh = 0;
    if (this.inTrouble || this.state === 'cwr') return;
    this.undoMarker = undefined;
    this.observe('congestion-echo', 'the other end has seen a congestion mark');
    this.beginReduction('echo');
    this.enter('cwr');
  }

  /** The retransmission timer has expired (RFC 6298 §5.4-5.6, RFC 5681 §3.1). */
  enterLoss(now: Instant): void {
    const { queue, window, tcb } = this;
    const fresh = !this.inTrouble;
    markTimedOut(this, now);
    if (
      this.state === 'open' ||
      this.state === 'disorder' ||
      !seqGt(this.highSeq, tcb.sndUna) ||
      (this.state === 'loss' && this.timeouts === 0)
    ) {
      this.priorSsthresh = this.ssthreshNow;
      window.prior = window.cwnd;
      window.ssthresh = this.congestion.reduce(window, this.queue.out, 'timeout');
      this.beginUndo();
    }
    // Whatever was reduced before: of the path nothing is known any more (RFC 9438 §4.8).
    this.congestion.timedOut?.();
    window.cwnd = queue.pipe + 1;
    window.credit = 0;
    // A timeout after many SACKs says that the reordering was overestimated.
    const { reordering, frto } = this.host.settings;
    if ((this.state === 'open' || this.state === 'disorder') && queue.sacked >= reordering) {
      this.reordering = Math.min(this.reordering, reordering);
    }
    this.enter('loss');
    this.highSeq = tcb.sndNxt;
    this.tlpHighSeq = undefined;
    this.cwrDue = true;
    this.frto = frto && (fresh || this.timeouts > 0);
  }

  /** Segments were lost for their size, not for congestion (RFC 1191 §6.5): they are sent again, the window stays. */
  lostForSize(): void {
    this.highSeq = this.tcb.sndNxt;
    this.window.ssthresh = this.ssthreshNow;
    this.priorSsthresh = 0;
    this.undoMarker = undefined;
    this.enter('loss');
  }

  private beginUndo(): void {
    this.undoMarker = this.tcb.sndUna;
    // Retransmissions that are still out belong to it.
    const probe = this.tlpHighSeq !== undefined && this.tlpRetransmitted ? 1 : 0;
    this.undoRetransmissions = this.queue.resent + probe > 0 ? this.queue.resent + probe : -1;
  }

  private beginReduction(cause: Congestion): void {
    const { window } = this;
    this.highSeq = this.tcb.sndNxt;
    this.tlpHighSeq = undefined;
    window.credit = 0;
    window.prior = window.cwnd;
    this.reduction = new ProportionalReduction(this.queue, window.cwnd);
    window.ssthresh = this.congestion.reduce(window, this.queue.out, cause);
    this.cwrDue = true;
  }

  /** How much may be sent for what was delivered. */
  reduce(delivered: number, newlyLost: number, advanced: boolean): void {
    const { window, queue } = this;
    if (delivered <= 0 || window.prior === 0) return;
    const allowed = this.reduction?.allow(window, delivered, advanced, newlyLost) ?? 0;
    window.cwnd = queue.pipe + Math.max(allowed, advanced ? leastOfPartialAck(this) : 0);
  }

  /** New segments went out, or in recovery old ones again. */
  noteSent(_now: Instant, segments: number): void {
    if (this.inReduction) this.reduction?.sent(segments);
  }

  private endReduction(): void {
    const { window } = this;
    if (this.congestion.ownWindow) return;
    if (window.ssthresh < NO_SSTHRESH && (this.state === 'cwr' || this.undoMarker !== undefined)) {
      window.cwnd = window.ssthresh;
    }
    this.observe('recovered', 'everything sent before the loss is acknowledged');
  }

  private tryToOpen(news: AckNews): void {
    if (!this.anyResent) this.retransmitStamp = undefined;
    if (news.ece) this.enterCwr();
    if (this.state !== 'cwr') this.keepOpen();
  }

  keepOpen(): void {
    const state = this.queue.sacked + this.queue.lost > 0 || this.anyResent ? 'disorder' : 'open';
    if (this.state === state) return;
    this.enter(state);
    this.highSeq = this.tcb.sndNxt;
  }

  get anyResent(): boolean {
    return this.queue.resent > 0 || (this.queue.first?.everResent ?? false);
  }

  /** RFC 2018 §8: a receiver that has thrown SACKed data away is treated as if the timer had expired. */
  private reneging(now: Instant, news: AckNews): boolean {
    if (!news.reneging || !news.advanced || !this.tcb.sackOn) return false;
    const { srtt = 0 } = this.rtt;
    this.host.deadlines.setTransmit(DUE.retransmit, now + Math.max(srtt / 2, 10e6));
    news.rearm = false;
    return true;
  }

  /** RFC 6937's and CUBIC's ssthresh while a reduction is under way. */
  get ssthreshNow(): number {
    const { cwnd, ssthresh } = this.window;
    return this.inReduction ? ssthresh : Math.max(ssthresh, (cwnd >> 1) + (cwnd >> 2));
  }

  /** Is the timestamp that was echoed older than this one? */
  echoIsBefore(stamp: number): boolean {
    const { lastEcho } = this.tcb;
    return lastEcho !== undefined && lastEcho !== 0 && seqDiff(lastEcho, stamp) < 0;
  }

  // --- tail loss probes (RFC 8985 §7)

  /** §7.4: what an acknowledgement says of the probe that is out. */
  judgeProbe(ack: Seq, news: AckNews): void {
    const high = this.tlpHighSeq;
    if (high === undefined || seqLt(ack, high)) return;
    if (!this.tlpRetransmitted || news.probeDuplicated) {
      this.tlpHighSeq = undefined;
    } else if (seqGt(ack, high)) {
      // The probe has repaired a loss, and a loss is a sign of congestion.
      this.beginReduction('loss');
      this.enter('cwr');
      this.endReduction();
      this.keepOpen();
    } else if (!news.advanced && !news.notDuplicate && !news.sacked) {
      this.tlpHighSeq = undefined;
    }
  }

  observe(decision: string, why: string): void {
    this.host.observer?.decided(decision, why);
  }

  /** For tests. */
  check(): string | undefined {
    if (this.queue.pipe < 0) return 'less than nothing is in flight';
    return seqLe(this.tcb.sndUna, this.tcb.sndNxt) ? undefined : 'SND.UNA lies behind SND.NXT';
  }
}
