/**
 * SEGMENT ARRIVES (RFC 9293 §3.10.7), one function for each of its numbered checks, in its order, with RFC 5961's
 * answers to blind attacks and RFC 7323's timestamps where they belong.
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGt, seqInWindow, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, CWR, ECE, FIN, RST, type Segment, SYN, URG } from '../../wire/tcp.ts';
import { acknowledge, acknowledgeOld } from './acknowledge.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { ecnAnswered, ecnAsked } from './ecn.ts';
import { isForgotten, wakes } from './forgotten.ts';
import { agree, established, takeWindowOfSyn } from './handshake.ts';
import { isExpected, isPredicted, opensNothing } from './header-prediction.ts';
import { checkReset, isLateReset, resetArrives } from './reset-arrives.ts';
import { mayReceive } from './state.ts';
import { cacheAdmits, isCached } from './syn-cache.ts';
import { admits, bareReset, isRequest, repeatSynAck } from './syn-received.ts';
import { failsPaws, updateTimestamp } from './timestamps.ts';
import type { TcpEvent } from './types.ts';
import { Urgent } from './urgent.ts';

const READABLE: TcpEvent = { type: 'readable' };

/**
 * What may be sent because of a segment: what waits, its acknowledgement alone, or nothing but what answers it already
 * (it was dropped).
 */
export type Consequence = 'sending' | 'acknowledgement' | 'nothing';

export function segmentArrives(c: TcpConnection, now: Instant, segment: Segment): Consequence {
  const consequence = opensNothing(c, segment) ? 'acknowledgement' : 'sending';
  if (isExpected(c, segment)) {
    takeExpected(c, now, segment);
    return consequence;
  }
  if (c.state === 'CLOSED' || c.state === 'LISTEN') return 'nothing';
  if (c.state === 'SYN_SENT') {
    inSynSent(c, now, segment);
    return 'sending';
  }
  return takeUnexpected(c, now, segment) ? consequence : 'nothing';
}

/** The numbered checks. False: it was dropped. */
function takeUnexpected(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (isForgotten(c) && !wakes(c, now, segment)) return false;
  if (isCached(c) && !cacheAdmits(c, now, segment)) return false;
  if (isRequest(c) && !admits(c, now, segment, () => resetArrives(c))) return false;
  // The fifth check drops it anyway; Linux does before it answers what is unacceptable.
  if (c.settings.segmentRule === 'linux' && !segment.has(ACK | RST | SYN)) return false;
  if (!checkSequence(c, now, segment)) return false;
  if (!checkReset(c, now, segment)) return false;
  // Third, security and compartment: RFC 9293 appendix A.1, ignored.
  if (!checkSyn(c, now, segment)) return false;
  // What its acknowledgement lets us send is to tell of it already.
  const { length, pieces, sequenceLength } = segment;
  const answer = c.accurateEcn?.packetArrived(segment.ecn, length, pieces, sequenceLength > 0);
  if (!checkAck(c, now, segment)) return false;
  if (segment.has(URG)) takeUrgent(c, segment);
  if (takeText(c, now, segment)) checkFin(c, now);
  if (answer) c.receiver.ackNow = true;
  return true;
}

/** What is left to do then, in the same order. */
function takeExpected(c: TcpConnection, now: Instant, segment: Segment): void {
  updateTimestamp(c, now, segment);
  acknowledge(c.sender, now, segment, updateWindow(c, segment), false);
  c.softError = undefined;
  if (segment.length === 0) return;
  takeData(c, now, segment, false);
  checkFin(c, now);
}

/** §3.10.7.3. */
function inSynSent(c: TcpConnection, now: Instant, segment: Segment): void {
  const { tcb } = c;
  // First: "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set)".
  const ackBad = segment.has(ACK) && (seqLe(segment.ack, tcb.iss) || seqGt(segment.ack, tcb.sndNxt));
  if (ackBad) {
    if (!segment.has(RST)) {
      c.observer?.decided('reset', 'an ACK of something that was never sent: an old duplicate');
      c.send(bareReset(segment.ack));
    }
    // Perhaps the other end's state is gone now: the SYN is worth another try at once.
    if (c.settings.segmentRule === 'linux' && c.sender.recovery.timeouts === 0) {
      c.deadlines.setTransmit(DUE.retransmit, now + c.settings.timerSlack);
    }
    return;
  }
  // Second. RFC 5961 §3.2: in SYN-SENT a RST is acceptable if its ACK acknowledges the SYN.
  if (segment.has(RST)) {
    if (segment.has(ACK)) c.fail('ECONNREFUSED', 'a RST answered the SYN');
    return;
  }
  // Fourth.
  if (!segment.has(SYN)) return;
  agree(c, segment);
  c.receiver.open(segment.seq);
  tcb.tsRecentAt = now;
  if (segment.has(ACK)) {
    c.ecn = ecnAnswered(segment.flags, c.settings, segment.ecn);
    c.accurateEcn?.feedback.review(segment.accEcn);
    c.receiver.offerInitial();
    takeWindowOfSyn(c, segment);
    acknowledge(c.sender, now, segment, true, false);
    c.setState('ESTABLISHED', 'SYN+ACK arrives');
    established(c, now);
    c.receiver.ackNow = true;
    c.fastOpen?.synAckArrived(now, segment);
    if (c.closesWhenOpen) c.close(now);
  } else {
    // Simultaneous open: "form a SYN,ACK segment and send it". Linux scales its window whatever the other end offers.
    if (c.settings.segmentRule === 'linux' && c.settings.windowScaling) tcb.rcvScale = c.receiver.scale;
    takeWindowOfSyn(c, segment);
    c.ecn = ecnAsked(segment.flags, c.settings, segment.ecn);
    c.setState('SYN_RCVD', 'SYN arrives (simultaneous open)');
    c.sender.resendSyn(now, SYN | ACK | c.synAckEcn, false);
  }
}

/** First: the sequence number, with PAWS before it (RFC 7323 §5.3 R1). */
function checkSequence(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  // RFC 7323 §3.2: "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the segment."
  if (c.settings.requiresTimestamps && tcb.timestampsOn && !segment.hasTimestamps && !segment.has(RST)) {
    c.observer?.decided('no timestamp', 'a segment without the timestamps that both ends agreed on');
    return false;
  }
  if (failsPaws(c, now, segment)) {
    c.observer?.decided('paws', 'an old timestamp: a duplicate from the past');
    if (!segment.has(SYN | RST)) noteOld(c, segment);
    acknowledgeUnacceptable(c, now, segment);
    return false;
  }
  if (isAcceptable(c, segment)) return true;
  // Our SYN+ACK was lost: the SYN comes again, and so does the answer.
  if (c.state === 'SYN_RCVD' && segment.has(SYN) && !segment.has(RST) && segment.seq === tcb.irs) {
    // With an ACK it is the other half of a simultaneous open (RFC 9293 §3.5, figure 8): its ACK is what we wait for.
    if (segment.has(ACK)) return true;
    repeatSynAck(c, now, segment);
    return false;
  }
  // RFC 9293 §3.10.7.4: "special allowance should be made to accept valid ACKs, URGs, and RSTs" at a zero window.
  if (tcb.rcvWnd === 0 && segment.seq === tcb.rcvNxt && segment.has(ACK) && !segment.has(SYN | RST)) {
    if (processAck(c, now, segment)) afterAck(c, now);
  }
  if (c.state === 'CLOSED') return false;
  if (seqGt(segment.end, tcb.rcvEdge)) c.observer?.dropped('beyond-window');
  if (segment.has(FIN) && c.state === 'TIME_WAIT') restartTimeWait(c, now);
  if (c.settings.segmentRule === 'linux' && segment.has(RST) && isLateReset(c, segment)) {
    resetArrives(c);
    return false;
  }
  if (!segment.has(SYN | RST)) noteOld(c, segment);
  acknowledgeUnacceptable(c, now, segment);
  return false;
}

/** Data that had come before is reported (RFC 2883 §4.1). */
function noteOld(c: TcpConnection, segment: Segment): void {
  c.accurateEcn?.repeated(segment.seq);
  const { rcvNxt } = c.tcb;
  // A FIN by itself is no data; Linux reports it all the same.
  const length = c.settings.segmentRule === 'linux' ? segment.sequenceLength : segment.length;
  if (length === 0 || !seqLt(segment.seq, rcvNxt)) return;
  const end = seqAdd(segment.seq, length);
  c.receiver.noteDuplicate(segment.seq, seqGt(end, rcvNxt) ? rcvNxt : end);
  c.receiver.policy.beQuick(16);
}

/** The four cases of RFC 9293 §3.4, table 6. */
function isAcceptable(c: TcpConnection, segment: Segment): boolean {
  const { rcvNxt, rcvWnd, lastAckSent } = c.tcb;
  const length = segment.sequenceLength;
  if (c.settings.segmentRule === 'linux') {
    // Anything that touches what lies between the last acknowledgement and the window's edge; what goes beyond the
    // edge only while nothing waits to be read.
    const edge = c.tcb.rcvEdge;
    if (seqLt(segment.end, lastAckSent) || seqGt(segment.seq, edge)) return false;
    // A FIN may lie beyond: some send it into a closed window, over and over.
    return !seqGt(seqAdd(segment.seq, segment.length), edge) || c.receiver.readable === 0;
  }
  if (length === 0) return rcvWnd === 0 ? segment.seq === rcvNxt : seqInWindow(segment.seq, rcvNxt, rcvWnd);
  if (rcvWnd === 0) return false;
  const last = seqAdd(segment.seq, length - 1);
  return (
    seqInWindow(segment.seq, rcvNxt, rcvWnd) ||
    seqInWindow(last, rcvNxt, rcvWnd) ||
    // It covers the whole window. By distances: half the space away, comparisons say both before and after.
    (seqLt(segment.seq, rcvNxt) && seqDiff(segment.seq, rcvNxt) + length > rcvWnd)
  );
}

/** "An acknowledgment should be sent in reply (unless the RST bit is set)". */
function acknowledgeUnacceptable(c: TcpConnection, now: Instant, segment: Segment): void {
  if (segment.has(RST)) return;
  // What carries data or a FIN is an honest retransmission; the rest is limited like a challenge.
  const honest = segment.sequenceLength > 0 && !segment.has(SYN);
  if (honest) c.receiver.ackNow = true;
  else c.challengeAck(now, 'a segment outside the window');
}

/** Fourth: SYN. RFC 5961 §4.2: a challenge ACK, whatever the sequence number. */
function checkSyn(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(SYN)) return true;
  // The SYN+ACK of a simultaneous open: its SYN is a duplicate, its ACK counts.
  const answers = c.state === 'SYN_RCVD' && segment.has(ACK) && segment.seq === c.tcb.irs;
  if (answers && (segment.ack === c.tcb.sndNxt || c.settings.segmentRule !== 'linux')) return true;
  if (c.state === 'SYN_RCVD' && c.passive) {
    c.finish('a new SYN arrives'); // "return this connection to the LISTEN state"
    return false;
  }
  if (c.settings.believesSyns) {
    // RFC 793 §3.9: "If the SYN is in the window it is an error, send a reset".
    c.sendReset(now);
    c.fail('ECONNRESET', 'a SYN arrived inside the window');
    return false;
  }
  c.accurateEcn?.reflect(segment.ecn);
  c.challengeAck(now, 'a SYN on a connection that exists');
  c.accurateEcn?.reflected();
  return false;
}

/** Fifth: ACK. */
function checkAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (!segment.has(ACK)) return false;
  if (c.state === 'SYN_RCVD') {
    // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED"; behind a cookie SND.UNA is past the SYN already.
    const acceptable = seqGt(segment.ack, tcb.iss) && seqLe(segment.ack, tcb.sndNxt);
    if (!acceptable) {
      c.send(bareReset(segment.ack));
      return false;
    }
    if (defersAccept(c, segment)) return false;
    tcb.sndWnd = segment.window << tcb.sndScale;
    tcb.sndWl1 = segment.seq;
    if (c.settings.segmentRule === 'linux') tcb.setLargestWindow(tcb.sndWnd, true);
    c.accurateEcn?.thirdAck(segment.flags, segment.length > 0);
    const accepted = processAck(c, now, segment);
    if (!accepted) return false;
    c.setState('ESTABLISHED', 'ACK of SYN arrives');
    established(c, now);
    // Linux counts the SYN of a simultaneous open once more, with its SYN+ACK.
    if (!c.passive && c.settings.segmentRule === 'linux') c.sender.recovery.rate.delivered++;
    return afterAck(c, now);
  }
  if (c.sendsEarly && c.state === 'FIN_WAIT_1' && seqLe(tcb.sndUna, tcb.iss)) established(c, now);
  return processAck(c, now, segment) && afterAck(c, now);
}

/** TCP_DEFER_ACCEPT: the server wants to hear of a connection when there is something to read. */
function defersAccept(c: TcpConnection, segment: Segment): boolean {
  const waits = c.passive && c.sender.recovery.timeouts < c.settings.deferAccept;
  if (!waits || segment.sequenceLength > 0) return false;
  c.ackDeferred = true;
  return true;
}

/** RFC 5961 §5.2: ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT), all else is challenged. */
function processAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (seqGt(segment.ack, tcb.sndMax)) {
    // "If the ACK acks something not yet sent, then send an ACK, drop the segment, and return."
    c.challengeAck(now, 'an ACK of something not yet sent');
    return false;
  }
  // Linux looks at timestamps when it is sure of the segment, or when header prediction lets it pass.
  const isLinux = c.settings.segmentRule === 'linux';
  if (!isLinux || isPredicted(c, segment)) updateTimestamp(c, now, segment);
  if (seqDiff(tcb.sndUna, segment.ack) > oldestAck(c)) {
    c.challengeAck(now, 'an ACK from too long ago');
    return false;
  }
  if (isLinux) updateTimestamp(c, now, segment);
  if (seqLt(segment.ack, tcb.sndUna)) {
    acknowledgeOld(c.sender, now, segment);
    return true;
  }
  if (segment.has(CWR) && c.ecn?.isAccurate === false) c.ecn.reduced();
  c.accurateEcn?.feedback.review(segment.accEcn);
  const windowUpdated = updateWindow(c, segment);
  // The SYN+ACK was not ECN-capable: nothing that is said with its acknowledgement can be about us.
  const handshake = segment.has(SYN) || c.state === 'SYN_RCVD';
  const ece = !handshake && c.ecn?.isAccurate === false && segment.has(ECE);
  acknowledge(c.sender, now, segment, windowUpdated, ece);
  c.softError = undefined;
  return true;
}

/** How far behind SND.UNA an ACK may lie; Linux knows that nothing before the first byte was ever sent. */
function oldestAck(c: TcpConnection): number {
  const { maxSndWnd } = c.tcb;
  return c.settings.segmentRule === 'linux' ? Math.min(maxSndWnd, c.sender.acknowledgedBytes) : maxSndWnd;
}

/**
 * "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND". True when the
 * segment is thereby not a duplicate (RFC 5681 §2 (e)).
 */
function updateWindow(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  const newer = seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && seqLe(tcb.sndWl2, segment.ack));
  if (!newer) return false;
  const window = segment.window << tcb.sndScale;
  const advanced = seqGt(segment.ack, tcb.sndUna);
  const changed = window !== tcb.sndWnd;
  // A smaller window in a duplicate may come from data that the other end's user has not read: it counts all the same.
  const isUpdate =
    c.settings.segmentRule === 'linux'
      ? advanced || seqLt(tcb.sndWl1, segment.seq) || window > tcb.sndWnd || window === 0
      : changed;
  if (c.settings.segmentRule === 'linux' && !isUpdate) return false;
  tcb.sndWnd = window;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  if (window > tcb.maxSndWnd) tcb.setLargestWindow(window, c.settings.segmentRule === 'linux');
  return isUpdate;
}

/** What the acknowledgement of our FIN does. False: there is nothing left to do with the segment. */
function afterAck(c: TcpConnection, now: Instant): boolean {
  if (!c.sender.finAcknowledged) return true;
  switch (c.state) {
    case 'FIN_WAIT_1':
      c.enterFinWait2(now);
      return true;
    case 'CLOSING':
      c.enterTimeWait(now, 'ACK of FIN arrives');
      return false;
    case 'LAST_ACK':
      c.finish('ACK of FIN arrives');
      return false;
    default:
      return true;
  }
}

/** Sixth: URG. The user is told, and the data stays in line (RFC 6093 §6). */
function takeUrgent(c: TcpConnection, segment: Segment): void {
  if (!mayReceive(c.state)) return;
  // Linux takes no pointer into what has arrived already.
  const old = c.settings.segmentRule === 'linux' && !seqGt(seqAdd(segment.seq, segment.urgentPointer), c.tcb.rcvNxt);
  c.urgent ??= new Urgent();
  if (!old && c.urgent.arrived(segment, c.receiver.readSeq)) c.emit({ type: 'urgent' });
}

/** Seventh: the segment's text. */
function takeText(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { state } = c;
  if (!mayReceive(state)) {
    // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
    if (state === 'TIME_WAIT' && segment.has(FIN)) restartTimeWait(c, now);
    // Linux takes it for the retransmission that it is.
    else if (c.settings.segmentRule === 'linux' && segment.sequenceLength > 0) takeBehindFin(c, segment);
    return false;
  }
  if (segment.has(SYN) && c.settings.segmentRule === 'linux') {
    c.receiver.noteDuplicate(segment.seq, seqAdd(segment.seq, 1));
    c.receiver.ackNow = true;
  }
  // What rides on a SYN is not taken: its sender will send it again.
  if (segment.has(SYN) || (segment.length === 0 && !segment.has(FIN))) return false;
  if (
    (c.orphaned || (c.readShut && c.sender.finRequested && c.settings.socketRule === 'linux')) &&
    (segment.length > 0 || c.settings.segmentRule === 'linux') &&
    seqGt(seqAdd(segment.seq, segment.length), c.tcb.rcvNxt)
  ) {
    if (c.settings.windowRule !== 'rfc') {
      c.send(bareReset(segment.ack));
      if (c.orphaned) c.finish('data arrives after the user has closed');
      else c.fail('ECONNRESET', 'data arrives after the user has closed');
    } else {
      c.abort(now, 'data arrives after the user has closed');
    }
    return false;
  }
  if (c.settings.segmentRule === 'linux' && seqLe(segment.end, c.tcb.rcvNxt)) {
    noteOld(c, segment);
    c.receiver.ackNow = true;
    return false;
  }
  const isNew = segment.length > 0 && seqGt(segment.end, c.tcb.rcvNxt);
  takeData(c, now, segment, segment.has(FIN));
  // RFC 3168 §6.1.3: what the IP header said of congestion on the way here.
  if (c.ecn?.isAccurate === false) {
    if (isNew && c.ecn.dataArrived(segment.ecn)) c.receiver.policy.beQuick(2);
    // The other end's window may be one segment now.
    if (segment.has(CWR)) c.receiver.ackNow = true;
  }
  return true;
}

function takeData(c: TcpConnection, now: Instant, segment: Segment, hasFin: boolean): void {
  const fate = c.receiver.accept(now, segment, hasFin);
  if (fate === 'readable') c.emit(READABLE);
  else if (fate !== 'taken') c.observer?.dropped(fate);
}

/** Linux: what claims to be behind the other end's FIN is an error, what is before it the retransmission that it is. */
function takeBehindFin(c: TcpConnection, segment: Segment): void {
  const { rcvNxt } = c.tcb;
  if (!seqLt(segment.seq, rcvNxt)) return;
  if (seqGt(seqAdd(segment.seq, segment.length), rcvNxt)) {
    c.send(bareReset(segment.ack));
    return resetArrives(c);
  }
  noteOld(c, segment);
  c.receiver.ackNow = true;
}

/** Eighth: the FIN, once everything before it is here. */
function checkFin(c: TcpConnection, now: Instant): void {
  if (!c.receiver.finReceived) return;
  switch (c.state) {
    case 'ESTABLISHED':
      c.setState('CLOSE_WAIT', 'FIN arrives');
      break;
    case 'FIN_WAIT_1':
      // Linux acknowledges before it sends what is left.
      if (c.settings.segmentRule === 'linux') c.send(c.build(now, ACK, c.acceptableSeq));
      // Our FIN is not acknowledged, or we would be in FIN_WAIT_2.
      c.setState('CLOSING', 'FIN arrives (simultaneous close)');
      break;
    case 'FIN_WAIT_2':
      c.enterTimeWait(now, 'FIN arrives');
      break;
    default:
      return;
  }
  c.emit({ type: 'fin' });
  c.tellEnd();
}

/** "Restart the 2 MSL time-wait timeout", and acknowledge: the last ACK was lost. */
function restartTimeWait(c: TcpConnection, now: Instant): void {
  c.deadlines.set(DUE.timeWait, now + c.timeWait);
  c.receiver.ackNow = true;
}
