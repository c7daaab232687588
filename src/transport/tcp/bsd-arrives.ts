/**
 * SEGMENT ARRIVES as BSD goes about it (4.4BSD to FreeBSD, tcp_do_segment). A segment is not judged by RFC 9293's four
 * cases but trimmed to the window: of one that came late the acknowledgement still counts, and one at the very edge is
 * taken. RST and SYN are looked at first, and what is unacceptable is acknowledged without a limit.
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGt, seqInWindow, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN, URG } from '../../wire/tcp.ts';
import { afterAck, beginEarly, isTooOld, oldestSent, takeAckInRange } from './ack-arrives.ts';
import type { TcpConnection } from './connection.ts';
import { established } from './handshake.ts';
import { mayReceive, type State } from './state.ts';
import { cacheAdmits } from './syn-cache.ts';
import { isHalfOpen, repeatSynAck, resetFor } from './syn-received.ts';
import { checkFin, restartTimeWait, takeInOrder, takeUrgent } from './text-arrives.ts';
import { failsPaws, lacksTimestamp, updateTimestamp } from './timestamps.ts';
import { updateWindow } from './window-update.ts';

/** A user who has closed in one of them wants no data any more. */
const CLOSED_BY_USER: ReadonlySet<State> = new Set(['FIN_WAIT_1', 'FIN_WAIT_2', 'CLOSING', 'LAST_ACK']);

/** False: it was dropped. */
export function takeAsBsd(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (c.state === 'TIME_WAIT') return inTimeWait(c, now, segment);
  if (isHalfOpen(c) && !cacheAdmits(c, now, segment)) return false;
  if (lacksTimestamp(c, segment)) return false;
  if (c.state === 'SYN_RCVD' && !acknowledgesSyn(c, segment)) return reset(c, segment);
  if (segment.has(RST)) return takeReset(c, now, segment);
  if (segment.has(SYN) && c.state !== 'SYN_RCVD') return takeSyn(c, now, segment);
  if (failsPaws(c, now, segment)) return dropped(c, segment.length > 0);
  // A partial fix for the "LAND" attack, where both ends are the same.
  if (c.state === 'SYN_RCVD' && seqLt(segment.seq, c.tcb.irs)) return reset(c, segment);
  const repeatsSyn = c.state === 'SYN_RCVD' && segment.has(SYN) && !segment.has(ACK);
  const { length, pieces, sequenceLength } = segment;
  const answer = c.accurateEcn?.packetArrived(segment.ecn, length, pieces, sequenceLength > 0);
  const fresh = trimFront(c, segment);
  if (c.orphaned && CLOSED_BY_USER.has(c.state) && fresh.length > 0) {
    c.finish('data arrives after the user has closed');
    return reset(c, segment);
  }
  const kept = trimBack(c, fresh);
  if (kept === undefined) return dropped(c, true);
  if (seqLe(c.tcb.lastAckSent, kept.end)) updateTimestamp(c, now, kept);
  if (repeatsSyn) repeatSynAck(c, now, segment);
  if (!kept.has(ACK)) return false;
  if (!takeAcknowledgement(c, now, kept)) return false;
  if (kept.has(URG)) takeUrgent(c, kept);
  // Behind a FIN there is nothing to be taken.
  if (kept.sequenceLength > 0 && mayReceive(c.state)) {
    takeInOrder(c, now, kept);
    checkFin(c, now);
  }
  if (answer) c.receiver.ackNow = true;
  return true;
}

function dropped(c: TcpConnection, acknowledged: boolean): false {
  if (acknowledged) c.receiver.ackNow = true;
  return false;
}

function reset(c: TcpConnection, segment: Segment): false {
  c.send(resetFor(segment));
  return false;
}

/** False: it acknowledges something, and not our SYN. */
function acknowledgesSyn({ tcb }: TcpConnection, segment: Segment): boolean {
  if (segment.has(RST) || !segment.has(ACK)) return true;
  return seqGt(segment.ack, tcb.iss) && seqLe(segment.ack, tcb.sndMax);
}

/** RCV.WND: the room that there is, where it is more than was promised. */
const windowOf = ({ tcb, receiver }: TcpConnection): number => Math.max(tcb.rcvWnd, receiver.room);

/** RFC 5961 §3.2 asks for RCV.NXT; here it is what was acknowledged last, which the sender of the RST knows of. */
function inWindow(c: TcpConnection, segment: Segment): boolean {
  const window = windowOf(c);
  const { lastAckSent } = c.tcb;
  return window === 0 ? segment.seq === lastAckSent : seqInWindow(segment.seq, lastAckSent, window);
}

function takeReset(c: TcpConnection, now: Instant, segment: Segment): false {
  if (!inWindow(c, segment)) return false;
  if (segment.seq !== c.tcb.lastAckSent && !c.settings.believesResets) {
    c.challengeAck(now, 'a RST inside the window that is not where the last acknowledgement was');
  } else if (c.state === 'SYN_RCVD') {
    c.fail('ECONNREFUSED', 'a RST answered the SYN');
  } else {
    c.fail('ECONNRESET', 'a RST arrived');
  }
  return false;
}

/** RFC 5961 §4.2: a challenge ACK, whatever the sequence number. */
function takeSyn(c: TcpConnection, now: Instant, segment: Segment): false {
  if (c.settings.believesSyns && inWindow(c, segment)) {
    c.sendReset(now);
    c.fail('ECONNRESET', 'a SYN arrived inside the window');
    return false;
  }
  c.challengeSyn(now, segment);
  return false;
}

/** Without what was received before, which is acknowledged again; a FIN among it is no news. */
function trimFront(c: TcpConnection, whole: Segment): Segment {
  const { tcb, receiver } = c;
  let behind = seqDiff(tcb.rcvNxt, whole.seq);
  if (behind <= 0) return whole;
  const segment = whole.copy();
  if (segment.has(SYN)) {
    segment.flags &= ~SYN;
    cutFront(segment, 1, 0);
    behind--;
  }
  if (behind > segment.length || (behind === segment.length && !segment.has(FIN))) {
    segment.flags &= ~FIN;
    receiver.ackNow = true;
    behind = segment.length;
  }
  if (behind === 0) return segment;
  receiver.noteDuplicate(segment.seq, seqAdd(segment.seq, behind));
  if (tcb.sackOn) receiver.ackNow = true;
  cutFront(segment, behind, behind);
  return segment;
}

/** `count` sequence numbers, of which so many are bytes of data. */
function cutFront(segment: Segment, count: number, bytes: number): void {
  segment.seq = seqAdd(segment.seq, count);
  segment.length -= bytes;
  segment.payload = segment.payload?.subarray(bytes);
  if (segment.urgentPointer > count) segment.urgentPointer -= count;
  else segment.flags &= ~URG;
}

/** Without what lies beyond the window; undefined: nothing is left of it. */
function trimBack(c: TcpConnection, whole: Segment): Segment | undefined {
  const { tcb, receiver } = c;
  const window = windowOf(c);
  const beyond = seqDiff(seqAdd(whole.seq, whole.length), seqAdd(tcb.rcvNxt, window));
  if (beyond <= 0) return whole;
  c.observer?.dropped('beyond-window');
  if (beyond >= whole.length) {
    // A window probe: its acknowledgement counts.
    if (window > 0 || whole.seq !== tcb.rcvNxt) return undefined;
    receiver.ackNow = true;
  }
  const segment = whole.copy();
  segment.length -= beyond;
  segment.payload = segment.payload?.subarray(0, segment.length);
  segment.flags &= ~(PSH | FIN);
  return segment;
}

function takeAcknowledgement(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (isTooOld(c, now, segment, oldestSent(c))) return false;
  const opens = c.state === 'SYN_RCVD';
  if (opens) {
    tcb.sndWnd = segment.window << tcb.sndScale;
    tcb.sndWl1 = seqAdd(segment.seq, -1);
    c.accurateEcn?.thirdAck(segment.flags, segment.length > 0);
  }
  beginEarly(c, now);
  if (seqGt(segment.ack, tcb.sndMax)) return dropped(c, true);
  // A later segment's window counts, though its acknowledgement be old.
  if (seqLt(segment.ack, tcb.sndUna)) updateWindow(c, segment);
  takeAckInRange(c, now, segment);
  if (opens) {
    c.setState('ESTABLISHED', 'ACK of SYN arrives');
    established(c, now);
  }
  return afterAck(c, now);
}

/** A SYN that is newer has been seen to before (layer.ts). */
function inTimeWait(c: TcpConnection, now: Instant, segment: Segment): false {
  const { tcb } = c;
  // RFC 1337: a RST must not end TIME_WAIT early.
  if (segment.has(RST)) return false;
  if (!segment.has(ACK) || lacksTimestamp(c, segment)) return false;
  if (segment.has(FIN) && segment.end === tcb.rcvNxt) restartTimeWait(c, now);
  const isDuplicate = segment.flags === ACK && segment.length === 0 && segment.seq === tcb.rcvNxt;
  return dropped(c, !isDuplicate || segment.ack !== tcb.sndNxt);
}
