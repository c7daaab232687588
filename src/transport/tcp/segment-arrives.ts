/**
 * SEGMENT ARRIVES (RFC 9293 §3.10.7), one function for each of its numbered checks, in its order, with RFC 5961's
 * answers to blind attacks and RFC 7323's timestamps where they belong.
 */
import { type Instant, seconds } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqInWindow, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, FIN, RST, Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { mayReceive } from './state.ts';

/** RFC 7323 §5.5: a TS.Recent older than 24 days says nothing any more. */
const TIMESTAMP_AGE = seconds(24 * 86400);

export function segmentArrives(c: TcpConnection, now: Instant, segment: Segment): void {
  if (c.state === 'CLOSED' || c.state === 'LISTEN') return;
  if (c.state === 'SYN_SENT') return inSynSent(c, now, segment);
  if (!checkSequence(c, now, segment)) return;
  updateTimestamp(c, now, segment);
  if (!checkReset(c, now, segment)) return;
  // Third, security and compartment: RFC 9293 appendix A.1, ignored.
  if (!checkSyn(c, now, segment)) return;
  if (!checkAck(c, now, segment)) return;
  // Sixth, URG: the urgent pointer is not told to the user; the data stays in line (RFC 6093 §6).
  if (!takeText(c, now, segment)) return;
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
    return;
  }
  // Second. RFC 5961 §3.2: in SYN-SENT a RST is acceptable if its ACK acknowledges the SYN.
  if (segment.has(RST)) {
    if (segment.has(ACK)) c.fail('ECONNREFUSED', 'a RST answered the SYN');
    return;
  }
  // Fourth.
  if (!segment.has(SYN)) return;
  c.agree(segment);
  c.receiver.open(segment.seq);
  tcb.tsRecentAt = now;
  if (segment.has(ACK)) {
    c.sender.acknowledge(now, segment, false);
    c.takeWindowOfSyn(segment);
    c.setState('ESTABLISHED', 'SYN+ACK arrives');
    c.receiver.ackNow = true;
  } else {
    // Simultaneous open: "form a SYN,ACK segment and send it".
    c.takeWindowOfSyn(segment);
    c.setState('SYN_RCVD', 'SYN arrives (simultaneous open)');
    c.sender.synDue = true;
  }
}

/** First: the sequence number, with PAWS before it (RFC 7323 §5.3 R1). */
function checkSequence(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (failsPaws(c, now, segment)) {
    c.observer?.decided('paws', 'an old timestamp: a duplicate from the past');
    c.receiver.noteDuplicate(segment.seq, seqAdd(segment.seq, segment.length));
    acknowledgeUnacceptable(c, now, segment);
    return false;
  }
  if (isAcceptable(segment, tcb.rcvNxt, tcb.rcvWnd)) return true;
  // Our SYN+ACK was lost: the SYN comes again, and so does the answer.
  if (c.state === 'SYN_RCVD' && segment.has(SYN) && !segment.has(RST) && segment.seq === tcb.irs) {
    // With an ACK it is the other half of a simultaneous open (RFC 9293 §3.5, figure 8): its ACK is what we wait for.
    if (segment.has(ACK)) return true;
    c.sender.synDue = true;
    return false;
  }
  // RFC 9293 §3.10.7.4: "special allowance should be made to accept valid ACKs, URGs, and RSTs" at a zero window.
  if (tcb.rcvWnd === 0 && segment.seq === tcb.rcvNxt && segment.has(ACK) && !segment.has(SYN | RST)) {
    processAck(c, now, segment);
  }
  if (c.state === 'CLOSED') return false;
  if (segment.has(FIN) && c.state === 'TIME_WAIT') restartTimeWait(c, now);
  if (segment.length > 0 && seqLe(segment.end, tcb.rcvNxt)) c.receiver.noteDuplicate(segment.seq, segment.end);
  acknowledgeUnacceptable(c, now, segment);
  return false;
}

/** The four cases of RFC 9293 §3.4, table 6. */
function isAcceptable(segment: Segment, rcvNxt: number, rcvWnd: number): boolean {
  const length = segment.sequenceLength;
  if (length === 0) return rcvWnd === 0 ? segment.seq === rcvNxt : seqInWindow(segment.seq, rcvNxt, rcvWnd);
  if (rcvWnd === 0) return false;
  const last = seqAdd(segment.seq, length - 1);
  return (
    seqInWindow(segment.seq, rcvNxt, rcvWnd) ||
    seqInWindow(last, rcvNxt, rcvWnd) ||
    (seqLt(segment.seq, rcvNxt) && seqGe(last, seqAdd(rcvNxt, rcvWnd)))
  );
}

/** "An acknowledgment should be sent in reply (unless the RST bit is set)". */
function acknowledgeUnacceptable(c: TcpConnection, now: Instant, segment: Segment): void {
  if (segment.has(RST)) return;
  // What carries data or a FIN is an honest retransmission; the rest is limited like a challenge.
  if (segment.sequenceLength > 0 && !segment.has(SYN)) c.receiver.ackNow = true;
  else c.challengeAck(now, 'a segment outside the window');
}

function failsPaws(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (!tcb.timestampsOn || !segment.hasTimestamps || segment.has(RST)) return false;
  return seqLt(segment.tsVal, tcb.tsRecent) && now - tcb.tsRecentAt < TIMESTAMP_AGE;
}

/** RFC 7323 §4.3 (2): "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent, then SEG.TSval is copied to TS.Recent". */
function updateTimestamp(c: TcpConnection, now: Instant, segment: Segment): void {
  const { tcb } = c;
  if (!tcb.timestampsOn || !segment.hasTimestamps) return;
  if (seqGe(segment.tsVal, tcb.tsRecent) && seqLe(segment.seq, tcb.lastAckSent)) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = now;
  }
}

/** Second: RST, by RFC 5961 §3.2: only one that hits RCV.NXT exactly resets. */
function checkReset(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(RST)) return true;
  if (segment.seq !== c.tcb.rcvNxt) {
    c.challengeAck(now, 'a RST inside the window that is not at RCV.NXT');
    return false;
  }
  switch (c.state) {
    case 'SYN_RCVD':
      if (c.passive) c.finish('RST arrives');
      else c.fail('ECONNREFUSED', 'a RST answered the SYN');
      return false;
    case 'CLOSING':
    case 'LAST_ACK':
    case 'TIME_WAIT':
      // RFC 1337: a RST must not end TIME_WAIT early.
      if (c.state !== 'TIME_WAIT') c.finish('RST arrives');
      return false;
    default:
      c.fail('ECONNRESET', 'a RST arrived');
      return false;
  }
}

/** Fourth: SYN. RFC 5961 §4.2: a challenge ACK, whatever the sequence number. */
function checkSyn(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(SYN)) return true;
  // The SYN+ACK of a simultaneous open: its SYN is a duplicate, its ACK counts.
  if (c.state === 'SYN_RCVD' && segment.has(ACK) && segment.seq === c.tcb.irs) return true;
  if (c.state === 'SYN_RCVD' && c.passive) {
    c.finish('a new SYN arrives'); // "return this connection to the LISTEN state"
    return false;
  }
  c.challengeAck(now, 'a SYN on a connection that exists');
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
    tcb.sndWnd = segment.window << tcb.sndScale;
    c.setState('ESTABLISHED', 'ACK of SYN arrives');
  }
  return processAck(c, now, segment) && afterAck(c, now);
}

/** RFC 5961 §5.2: ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT), all else is challenged. */
function processAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (seqGt(segment.ack, tcb.sndMax)) {
    c.challengeAck(now, 'an ACK of something not yet sent');
    return false;
  }
  if (seqDiff(tcb.sndUna, segment.ack) > tcb.maxSndWnd) {
    c.challengeAck(now, 'an ACK from too long ago');
    return false;
  }
  if (seqLt(segment.ack, tcb.sndUna)) return true;
  const changed = updateWindow(c, segment);
  c.sender.acknowledge(now, segment, changed);
  return true;
}

/** "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND". */
function updateWindow(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  const newer = seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && seqLe(tcb.sndWl2, segment.ack));
  if (!newer) return false;
  const window = segment.window << tcb.sndScale;
  const changed = window !== tcb.sndWnd;
  tcb.sndWnd = window;
  tcb.maxSndWnd = Math.max(tcb.maxSndWnd, window);
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  return changed;
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

/** Seventh: the segment's text. */
function takeText(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { state } = c;
  if (!mayReceive(state)) {
    // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
    if (state === 'TIME_WAIT' && segment.has(FIN)) restartTimeWait(c, now);
    return false;
  }
  // What rides on a SYN is not taken: its sender will send it again.
  if (segment.has(SYN) || (segment.length === 0 && !segment.has(FIN))) return false;
  if (c.orphaned && segment.length > 0 && seqGt(seqAdd(segment.seq, segment.length), c.tcb.rcvNxt)) {
    c.abort('data arrives after the user has closed');
    return false;
  }
  if (c.receiver.accept(now, segment, segment.has(FIN))) c.emit({ type: 'readable' });
  return true;
}

/** Eighth: the FIN, once everything before it is here. */
function checkFin(c: TcpConnection, now: Instant): void {
  if (!c.receiver.finReceived) return;
  switch (c.state) {
    case 'ESTABLISHED':
      c.setState('CLOSE_WAIT', 'FIN arrives');
      break;
    case 'FIN_WAIT_1':
      // Our FIN is not acknowledged, or we would be in FIN_WAIT_2.
      c.setState('CLOSING', 'FIN arrives (simultaneous close)');
      break;
    case 'FIN_WAIT_2':
      c.enterTimeWait(now, 'FIN arrives');
      break;
    default:
      return;
  }
  c.tellEnd();
}

/** "Restart the 2 MSL time-wait timeout", and acknowledge: the last ACK was lost. */
function restartTimeWait(c: TcpConnection, now: Instant): void {
  c.deadlines.set('timeWait', now + 2 * c.settings.msl);
  c.receiver.ackNow = true;
}

function bareReset(seq: number): Segment {
  const segment = new Segment();
  segment.seq = seq;
  segment.flags = RST;
  return segment;
}
