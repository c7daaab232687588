/**
 * SEGMENT ARRIVES (RFC 9293 §3.10.7), one function for each of its numbered checks, in its order, with RFC 5961's
 * answers to blind attacks and RFC 7323's timestamps where they belong. The kernels go about it in orders of their own:
 * linux-arrives.ts, bsd-arrives.ts.
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGt, seqInWindow, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, FIN, RST, type Segment, SYN, URG } from '../../wire/tcp.ts';
import { checkAck, processAck } from './ack-arrives.ts';
import { acknowledge } from './acknowledge.ts';
import { takeAsBsd } from './bsd-arrives.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { ecnAnswered, ecnAsked } from './ecn.ts';
import { agree, established, takeWindowOfSyn } from './handshake.ts';
import { isExpected, opensNothing } from './header-prediction.ts';
import { takeAsLinux } from './linux-arrives.ts';
import { checkReset } from './reset-arrives.ts';
import { bareReset } from './syn-received.ts';
import { checkFin, takeData, takeText, takeUrgent } from './text-arrives.ts';
import { failsPaws, lacksTimestamp, updateTimestamp } from './timestamps.ts';
import { acknowledgeUnacceptable, dropForTimestamp, makeAllowance, noteOld, takeRepeatedSyn } from './unacceptable.ts';
import { updateWindow } from './window-update.ts';

/** By whose rules what is not plainly the next segment is taken. False: it was dropped. */
const TAKE = { rfc9293: takeByRfc, linux: takeAsLinux, bsd: takeAsBsd };

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
  return TAKE[c.settings.segmentRule](c, now, segment) ? consequence : 'nothing';
}

/** The numbered checks. */
function takeByRfc(c: TcpConnection, now: Instant, segment: Segment): boolean {
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
    if (c.settings.retriesSynAtOnce && c.sender.recovery.timeouts === 0) {
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
    if (c.fastOpen === undefined && c.settings.takesBehindSyn) takeBehindSyn(c, now, segment);
    if (c.closesWhenOpen) c.close(now);
  } else {
    // Simultaneous open: "form a SYN,ACK segment and send it".
    if (c.settings.offersRegardless && c.settings.windowScaling) tcb.rcvScale = c.receiver.scale;
    takeWindowOfSyn(c, segment);
    c.ecn = ecnAsked(segment.flags, c.settings, segment.ecn);
    c.setState('SYN_RCVD', 'SYN arrives (simultaneous open)');
    c.sender.resendSyn(now, SYN | ACK | c.synAckEcn, false);
  }
}

/** "If there are other controls or text in the segment, then continue processing at the sixth step"; Linux does not. */
function takeBehindSyn(c: TcpConnection, now: Instant, answer: Segment): void {
  if (answer.length === 0 && !answer.has(FIN | URG)) return;
  const segment = answer.copy();
  segment.flags &= ~SYN;
  segment.seq = seqAdd(segment.seq, 1);
  if (segment.has(URG)) takeUrgent(c, segment);
  if (takeText(c, now, segment)) checkFin(c, now);
}

/** First: the sequence number, with PAWS before it (RFC 7323 §5.3 R1). */
function checkSequence(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (lacksTimestamp(c, segment)) return false;
  if (failsPaws(c, now, segment)) return dropForTimestamp(c, now, segment, segment.length);
  if (isAcceptable(c, segment)) return true;
  const counts = takeRepeatedSyn(c, now, segment);
  if (counts !== undefined) return counts;
  if (!makeAllowance(c, now, segment, processAck)) return false;
  if (!segment.has(SYN | RST)) noteOld(c, segment, segment.length);
  acknowledgeUnacceptable(c, now, segment);
  return false;
}

/** The four cases of RFC 9293 §3.4, table 6. */
function isAcceptable(c: TcpConnection, segment: Segment): boolean {
  const { rcvNxt, rcvWnd } = c.tcb;
  const length = segment.sequenceLength;
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

/** Fourth: SYN. RFC 5961 §4.2: a challenge ACK, whatever the sequence number. */
function checkSyn(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(SYN)) return true;
  // The SYN+ACK of a simultaneous open: its SYN is a duplicate, its ACK counts.
  if (c.state === 'SYN_RCVD' && segment.has(ACK) && segment.seq === c.tcb.irs) return true;
  if (c.state === 'SYN_RCVD' && c.passive) {
    c.finish('a new SYN arrives'); // "return this connection to the LISTEN state"
    return false;
  }
  c.challengeSyn(now, segment);
  return false;
}
