/**
 * What an acknowledgement means for the sender: the scoreboard, the round-trip time, and whether we are in the open, in
 * fast recovery (RFC 6582, RFC 6675) or recovering from a timeout (RFC 5681 §3.1).
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqDiff, seqGe, seqGt } from '../../base/seq32.ts';
import { FIN, type Segment, SYN } from '../../wire/tcp.ts';
import { newReno } from './loss/newreno.ts';
import { sackBased } from './loss/sack.ts';
import type { RttEstimator } from './rtt.ts';
import type { AckedNow, SackedNow, Scoreboard } from './scoreboard.ts';
import type { Tcb } from './tcb.ts';
import type { CongestionControl, TcpObserver } from './types.ts';

export type Phase = 'open' | 'recovery' | 'loss';

export class Recovery {
  phase: Phase = 'open';
  /** The first segment of a recovery is sent again whatever the window says (RFC 6675 §5 (4.3)). */
  resendNow = false;
  duplicateAcks = 0;
  private point: Seq = 0;
  private readonly tcb: Tcb;
  private readonly board: Scoreboard;
  private readonly rtt: RttEstimator;
  private readonly observer: () => TcpObserver | undefined;
  private readonly congestion: () => CongestionControl;

  constructor(
    tcb: Tcb,
    board: Scoreboard,
    rtt: RttEstimator,
    congestion: () => CongestionControl,
    observer: () => TcpObserver | undefined,
  ) {
    this.tcb = tcb;
    this.board = board;
    this.rtt = rtt;
    this.congestion = congestion;
    this.observer = observer;
  }

  /** RFC 5681 §2 for what a duplicate ACK is; with SACK, RFC 6675 §2: one that brings new SACK information. */
  isDuplicate(segment: Segment, newlySacked: number, windowChanged: boolean): boolean {
    if (this.board.isEmpty || segment.ack !== this.tcb.sndUna || segment.has(SYN | FIN)) return false;
    return this.tcb.sackOn ? newlySacked > 0 : segment.length === 0 && !windowChanged;
  }

  /** `segment.ack` is within what is outstanding; it may or may not move SND.UNA. */
  acknowledge(now: Instant, segment: Segment, windowChanged: boolean): AckedNow {
    const { tcb, board } = this;
    const inFlight = board.flightSize;
    const acked = board.acknowledge(segment.ack);
    const hasBlocks = tcb.sackOn && segment.sack.length > 0;
    const sacked = hasBlocks ? board.sack(segment.sack, segment.ack, tcb.sndNxt) : NOTHING_SACKED;
    const newlySacked = sacked.bytes;
    this.measure(now, segment, acked, sacked);
    if (seqGt(segment.ack, tcb.sndUna)) {
      tcb.sndUna = segment.ack;
      if (seqGt(tcb.sndUna, tcb.sndNxt)) tcb.sndNxt = tcb.sndUna;
      this.advanced(now, acked, inFlight);
    } else if (this.isDuplicate(segment, newlySacked, windowChanged)) {
      this.duplicateAcks++;
      if (!tcb.sackOn) board.countDeparted(tcb.mss);
    }
    if (newlySacked > 0 || !tcb.sackOn) this.detectLoss(now, false);
    return acked;
  }

  /** The retransmission timer has expired (RFC 6298 §5.4-5.6, RFC 5681 §3.1). */
  timedOut(now: Instant): void {
    const { board, tcb } = this;
    const again = this.phase === 'loss' && (board.first?.transmissions ?? 1) > 1;
    this.congestion().onRto(now, board.flightSize, again);
    // RFC 2018 §8: if the first hole is "SACKed", the receiver has reneged.
    if (board.first?.sacked) board.forgetSacks();
    board.markAllLost();
    this.phase = 'loss';
    this.point = tcb.sndNxt;
    this.duplicateAcks = 0;
    this.resendNow = true;
  }

  private advanced(now: Instant, acked: AckedNow, inFlight: number): void {
    const { tcb, board } = this;
    const finished = seqGe(tcb.sndUna, this.point);
    if (this.phase === 'recovery') {
      if (finished) {
        this.congestion().onRecovered();
        this.observer()?.decided('recovered', 'everything sent before the loss is acknowledged');
        this.backToOpen();
      } else if (!tcb.sackOn) {
        // RFC 6582 §3.2 (3), partial ACK: one of the segments acknowledged was the one sent again.
        board.countDeparted(tcb.mss - acked.bytes);
        this.duplicateAcks = 0;
        this.detectLoss(now, true);
      }
      return;
    }
    this.duplicateAcks = 0;
    if (!tcb.sackOn) board.clearDeparted();
    if (this.phase === 'loss' && finished) this.backToOpen();
    this.grow(now, acked.bytes, inFlight);
  }

  private grow(now: Instant, bytes: number, inFlight: number): void {
    const control = this.congestion();
    const slowStart = control.cwnd < control.ssthresh;
    const used = slowStart ? inFlight * 2 : inFlight + this.tcb.mss;
    control.onAck({ now, bytes, inFlight, cwndLimited: this.phase === 'loss' || used >= control.cwnd });
  }

  private backToOpen(): void {
    this.phase = 'open';
    this.duplicateAcks = 0;
    this.board.clearDeparted();
  }

  private detectLoss(now: Instant, partialAck: boolean): void {
    const { board, tcb } = this;
    if (this.phase === 'loss') return;
    const detection = tcb.sackOn ? sackBased : newReno;
    detection.detect(board, { duplicateAcks: this.duplicateAcks, mss: tcb.mss, partialAck });
    if (this.phase !== 'open' || !board.hasLost) {
      if (partialAck) this.resendNow = true;
      return;
    }
    this.phase = 'recovery';
    this.point = tcb.sndNxt;
    this.resendNow = true;
    this.congestion().onCongestion(now, board.flightSize);
    this.observer()?.decided('fast-retransmit', `${this.duplicateAcks} duplicate ACKs (${detection.name})`);
  }

  /**
   * Karn's algorithm; what was sent more than once gives a sample only when the timestamp echoed is that of its last
   * transmission. RFC 6298 §5.7: the backed-off timeout stays until there is a sample.
   */
  private measure(now: Instant, segment: Segment, acked: AckedNow, sacked: SackedNow): void {
    const { tcb, rtt } = this;
    if (acked.bytes === 0 && sacked.sentAt === undefined) return;
    if (acked.resentAt === undefined && (acked.sentAt ?? sacked.sentAt) !== undefined) {
      rtt.sample(now - ((acked.sentAt ?? sacked.sentAt) as Instant));
    } else if (acked.resentAt !== undefined && tcb.timestampsOn && segment.hasTimestamps) {
      const echoesLast = seqDiff(segment.tsEcr, tcb.timestamp(acked.resentAt)) >= 0;
      const elapsed = seqDiff(tcb.timestamp(now), segment.tsEcr);
      if (!echoesLast || elapsed < 0) return;
      rtt.sample(Math.max(elapsed, 1) * 1e6);
    } else {
      return;
    }
    rtt.resetBackOff();
  }
}

const NOTHING_SACKED: SackedNow = { bytes: 0, sentAt: undefined };
