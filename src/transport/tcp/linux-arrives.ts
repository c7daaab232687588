/**
 * SEGMENT ARRIVES as Linux goes about it (tcp_rcv_state_process, tcp_validate_incoming, tcp_ack, tcp_data_queue): with
 * leniency towards what came late, and with connections that are less than one while nobody has them
 * (syn-received.ts, forgotten.ts).
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, RST, type Segment, SYN, URG } from '../../wire/tcp.ts';
import {
  afterAck,
  beginEarly,
  completeHandshake,
  isTooOld,
  isUnsent,
  oldestSent,
  takeAckInRange,
} from './ack-arrives.ts';
import type { TcpConnection } from './connection.ts';
import { isForgotten, takeForgotten } from './forgotten.ts';
import { isPredicted } from './header-prediction.ts';
import { initialWindow } from './initial-window.ts';
import { mayReceive } from './state.ts';
import { admits, bareReset, isRequest } from './syn-received.ts';
import { checkFin, isNews, takeInOrder, takeUrgent } from './text-arrives.ts';
import { failsPaws, updateTimestamp } from './timestamps.ts';
import { acknowledgeUnacceptable, dropForTimestamp, makeAllowance, noteOld, takeRepeatedSyn } from './unacceptable.ts';

/** False: it was dropped. */
export function takeAsLinux(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (isForgotten(c)) {
    takeForgotten(c, now, segment);
    return false;
  }
  if (isRequest(c) && !admits(c, now, segment, () => resetArrives(c))) return false;
  if (!segment.has(ACK | RST | SYN)) return false;
  if (!checkSequence(c, now, segment)) return false;
  if (segment.has(RST)) return takeReset(c, now, segment);
  if (!checkSyn(c, now, segment)) return false;
  // What its acknowledgement lets us send is to tell of it already.
  const { length, pieces, sequenceLength } = segment;
  const answer = c.accurateEcn?.packetArrived(segment.ecn, length, pieces, sequenceLength > 0);
  if (!segment.has(ACK) || !takeAcknowledgement(c, now, segment)) return false;
  if (segment.has(URG)) takeUrgentAhead(c, segment);
  if (takeText(c, now, segment)) takeFin(c, now);
  if (answer) c.receiver.ackNow = true;
  return true;
}

function checkSequence(c: TcpConnection, now: Instant, segment: Segment): boolean {
  // A FIN by itself is no data; here it is reported all the same.
  const { sequenceLength } = segment;
  if (failsPaws(c, now, segment) && !isReorderedAck(c, segment))
    return dropForTimestamp(c, now, segment, sequenceLength);
  if (isAcceptable(c, segment)) return true;
  const counts = takeRepeatedSyn(c, now, segment);
  if (counts !== undefined) return counts;
  if (!makeAllowance(c, now, segment, processAck)) return false;
  if (segment.has(RST) && isLateReset(c, segment)) {
    resetArrives(c);
    return false;
  }
  if (!segment.has(SYN | RST)) noteOld(c, segment, sequenceLength);
  acknowledgeUnacceptable(c, now, segment);
  return false;
}

/** A pure ACK that was overtaken says nothing that could be wrong (tcp_disordered_ack). */
function isReorderedAck(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  if (segment.sequenceLength > 0 || !segment.has(ACK)) return false;
  const window = segment.window << tcb.sndScale;
  const behind = seqDiff(tcb.tsRecent, segment.tsVal);
  return (
    segment.seq === tcb.rcvNxt &&
    segment.ack === tcb.sndUna &&
    window <= tcb.sndWnd &&
    window > 0 &&
    behind <= (c.sender.rtt.rto * 1.2) / 1e6
  );
}

/**
 * Anything that touches what lies between the last acknowledgement and the window's edge; what goes beyond the edge only
 * while nothing waits to be read (tcp_sequence).
 */
function isAcceptable({ tcb, receiver }: TcpConnection, segment: Segment): boolean {
  const { lastAckSent, rcvEdge } = tcb;
  if (seqLt(segment.end, lastAckSent) || seqGt(segment.seq, rcvEdge)) return false;
  // A FIN may lie beyond: some send it into a closed window, over and over.
  return !seqGt(seqAdd(segment.seq, segment.length), rcvEdge) || receiver.readable === 0;
}

/** RFC 5961 §3.2, and where the highest SACKed data ends: the sender of the RST had got so far. */
function takeReset(c: TcpConnection, now: Instant, segment: Segment): false {
  const { tcb, receiver } = c;
  const behindGap = tcb.sackOn && segment.seq === receiver.highestHeld;
  if (segment.seq === tcb.rcvNxt || behindGap || isLateReset(c, segment)) resetArrives(c);
  else c.challengeAck(now, 'a RST inside the window that is not at RCV.NXT');
  return false;
}

/** A RST that follows the other end's FIN: it may not have heard of our acknowledgement of it. */
const isLateReset = (c: TcpConnection, segment: Segment): boolean =>
  c.receiver.finReceived &&
  segment.seq === seqAdd(c.tcb.rcvNxt, -1) &&
  (c.state === 'CLOSE_WAIT' || c.state === 'LAST_ACK' || c.state === 'CLOSING');

/** Users are told even where they can only have shut down; of a request there is none yet (tcp_reset). */
function resetArrives(c: TcpConnection): void {
  if (c.state === 'SYN_RCVD' && c.passive && !c.sendsEarly) return c.finish('RST arrives');
  // Behind the other end's FIN there is nobody any more who could have reset it; the pipe is broken.
  c.fail(c.state === 'CLOSE_WAIT' ? 'EPIPE' : 'ECONNRESET', 'a RST arrived');
}

/** RFC 5961 §4.2, but for the SYN+ACK of a simultaneous open, with nothing else in it. */
function checkSyn(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(SYN)) return true;
  const { irs, sndNxt } = c.tcb;
  const isBare = segment.has(ACK) && segment.sequenceLength === 1;
  const answers = c.state === 'SYN_RCVD' && isBare && segment.seq === irs && segment.ack === sndNxt;
  if (!answers) c.challengeSyn(now, segment);
  return answers;
}

function takeAcknowledgement(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (c.state === 'SYN_RCVD') {
    if (!completeHandshake(c, now, segment, processLast)) return false;
    if (!c.passive) openedAtOnce(c);
    return afterAck(c, now);
  }
  beginEarly(c, now);
  return processAck(c, now, segment) && afterAck(c, now);
}

/** By both: the SYN is counted once more, with its SYN+ACK, and where there is SACK it was late, not lost (tcp_packet_delayed). */
function openedAtOnce({ sender, settings, tcb }: TcpConnection): void {
  sender.recovery.rate.delivered++;
  if (tcb.sackOn) sender.recovery.window.cwnd = initialWindow(settings, tcb);
}

/** The last segment of the handshake: the window that it tells binds the size of segments. */
function processLast(c: TcpConnection, now: Instant, segment: Segment): boolean {
  c.tcb.setLargestWindow(c.tcb.sndWnd, true);
  return processAck(c, now, segment);
}

/** Timestamps are looked at when the segment is sure to be good (since Linux 7 that of an old ACK too), or predicted. */
function processAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (isUnsent(c, now, segment)) return false;
  if (isPredicted(c, segment)) updateTimestamp(c, now, segment);
  if (isTooOld(c, now, segment, oldestSent(c))) return false;
  updateTimestamp(c, now, segment);
  takeAckInRange(c, now, segment);
  return true;
}

/** No pointer is taken into what has arrived already, and one of zero is as good as one of one (tcp_check_urg). */
function takeUrgentAhead(c: TcpConnection, segment: Segment): void {
  if (segment.urgentPointer === 0) segment.urgentPointer = 1;
  if (seqGt(seqAdd(segment.seq, segment.urgentPointer), c.tcb.rcvNxt)) takeUrgent(c, segment);
}

function takeText(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!mayReceive(c.state)) {
    if (segment.sequenceLength > 0) takeBehindFin(c, segment);
    return false;
  }
  if (segment.has(SYN)) {
    c.receiver.noteDuplicate(segment.seq, seqAdd(segment.seq, 1));
    c.receiver.policy.beQuick(16);
    c.receiver.ackNow = true;
    return false;
  }
  if (segment.sequenceLength === 0) return false;
  if ((c.orphaned || (c.readShut && c.sender.finRequested)) && isNews(c, segment)) {
    c.send(bareReset(segment.ack));
    if (c.orphaned) c.finish('data arrives after the user has closed');
    else c.fail('ECONNRESET', 'data arrives after the user has closed');
    return false;
  }
  if (seqLe(segment.end, c.tcb.rcvNxt)) {
    takeAgain(c, segment);
    return false;
  }
  takeInOrder(c, now, segment);
  return true;
}

/** What claims to be behind the other end's FIN is an error, what is before it the retransmission that it is. */
function takeBehindFin(c: TcpConnection, segment: Segment): void {
  const { rcvNxt } = c.tcb;
  if (!seqLt(segment.seq, rcvNxt)) return;
  if (!isNews(c, segment)) return takeAgain(c, segment);
  c.send(bareReset(segment.ack));
  resetArrives(c);
}

function takeAgain(c: TcpConnection, segment: Segment): void {
  noteOld(c, segment, segment.sequenceLength);
  c.receiver.ackNow = true;
  c.receiver.ackWanted = true;
}

/** A FIN that meets ours is acknowledged before what is left is sent. */
function takeFin(c: TcpConnection, now: Instant): void {
  if (c.receiver.finReceived && c.state === 'FIN_WAIT_1') c.send(c.build(now, ACK, c.acceptableSeq));
  checkFin(c, now);
}
