/**
 * The fifth check of SEGMENT ARRIVES (RFC 9293 §3.10.7.4): the acknowledgement that comes with a segment, and what that
 * of our SYN and our FIN does to the state.
 */
import type { Instant } from '../../base/instant.ts';
import { seqDiff, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, CWR, ECE, type Segment, SYN } from '../../wire/tcp.ts';
import { acknowledge, acknowledgeOld } from './acknowledge.ts';
import type { TcpConnection } from './connection.ts';
import { established } from './handshake.ts';
import { bareReset } from './syn-received.ts';
import { updateTimestamp } from './timestamps.ts';
import { updateWindow } from './window-update.ts';

/** Looks at the acknowledgement of an acceptable segment. False: the segment is dropped for it. */
export type TakeAck = (c: TcpConnection, now: Instant, segment: Segment) => boolean;

/** Fifth: ACK. */
export function checkAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(ACK)) return false;
  if (c.state === 'SYN_RCVD') return completeHandshake(c, now, segment, processAck) && afterAck(c, now);
  beginEarly(c, now);
  return processAck(c, now, segment) && afterAck(c, now);
}

/** "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED"; behind a cookie SND.UNA is past the SYN already. */
export function completeHandshake(c: TcpConnection, now: Instant, segment: Segment, take: TakeAck): boolean {
  const { tcb } = c;
  const acceptable = seqGt(segment.ack, tcb.iss) && seqLe(segment.ack, tcb.sndNxt);
  if (!acceptable) {
    c.send(bareReset(segment.ack));
    return false;
  }
  if (defersAccept(c, segment)) return false;
  tcb.sndWnd = segment.window << tcb.sndScale;
  tcb.sndWl1 = segment.seq;
  c.accurateEcn?.thirdAck(segment.flags, segment.length > 0);
  if (!take(c, now, segment)) return false;
  c.setState('ESTABLISHED', 'ACK of SYN arrives');
  established(c, now);
  return true;
}

/** TCP_DEFER_ACCEPT: the server wants to hear of a connection when there is something to read. */
function defersAccept(c: TcpConnection, segment: Segment): boolean {
  const waits = c.passive && c.sender.recovery.timeouts < c.settings.deferAccept;
  if (!waits || segment.sequenceLength > 0) return false;
  c.ackDeferred = true;
  return true;
}

/** A server that has sent and closed before its SYN+ACK was acknowledged (RFC 7413): now both ends know of each other. */
export function beginEarly(c: TcpConnection, now: Instant): void {
  if (c.sendsEarly && c.state === 'FIN_WAIT_1' && seqLe(c.tcb.sndUna, c.tcb.iss)) established(c, now);
}

/** RFC 5961 §5.2: ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT), all else is challenged. */
export function processAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (isUnsent(c, now, segment)) return false;
  updateTimestamp(c, now, segment);
  if (isTooOld(c, now, segment, c.tcb.maxSndWnd)) return false;
  takeAckInRange(c, now, segment);
  return true;
}

/** "If the ACK acks something not yet sent, then send an ACK, drop the segment, and return." */
export function isUnsent(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!seqGt(segment.ack, c.tcb.sndMax)) return false;
  c.challengeAck(now, 'an ACK of something not yet sent');
  return true;
}

/** More than `oldest` behind SND.UNA. */
export function isTooOld(c: TcpConnection, now: Instant, segment: Segment, oldest: number): boolean {
  if (seqDiff(c.tcb.sndUna, segment.ack) <= oldest || !c.settings.doubtsOldAcks) return false;
  c.challengeAck(now, 'an ACK from too long ago');
  return true;
}

/** The same where nothing before the first byte can ever have been acknowledged ("ghost ACKs"): Linux and FreeBSD. */
export const oldestSent = ({ tcb, sender }: TcpConnection): number => Math.min(tcb.maxSndWnd, sender.acknowledgedBytes);

export function takeAckInRange(c: TcpConnection, now: Instant, segment: Segment): void {
  if (seqLt(segment.ack, c.tcb.sndUna)) acknowledgeOld(c.sender, now, segment);
  else takeNew(c, now, segment);
}

function takeNew(c: TcpConnection, now: Instant, segment: Segment): void {
  if (segment.has(CWR) && c.ecn?.isAccurate === false) c.ecn.reduced();
  c.accurateEcn?.feedback.review(segment.accEcn);
  // The SYN+ACK was not ECN-capable: nothing that is said with its acknowledgement can be about us.
  const handshake = segment.has(SYN) || c.state === 'SYN_RCVD';
  const ece = !handshake && c.ecn?.isAccurate === false && segment.has(ECE);
  acknowledge(c.sender, now, segment, updateWindow(c, segment), ece);
  c.softError = undefined;
}

/** What the acknowledgement of our FIN does. False: there is nothing left to do with the segment. */
export function afterAck(c: TcpConnection, now: Instant): boolean {
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
