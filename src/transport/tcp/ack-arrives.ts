/**
 * The fifth check of SEGMENT ARRIVES (RFC 9293 §3.10.7.4): the acknowledgement and the window that come with a segment,
 * and what the acknowledgement of our SYN and our FIN does to the state.
 */
import type { Instant } from '../../base/instant.ts';
import { seqDiff, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, CWR, ECE, type Segment, SYN } from '../../wire/tcp.ts';
import { acknowledge, acknowledgeOld } from './acknowledge.ts';
import type { TcpConnection } from './connection.ts';
import { established } from './handshake.ts';
import { isPredicted } from './header-prediction.ts';
import { bareReset } from './syn-received.ts';
import { updateTimestamp } from './timestamps.ts';

/** Fifth: ACK. */
export function checkAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
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
export function processAck(c: TcpConnection, now: Instant, segment: Segment): boolean {
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
  takeAck(c, now, segment, updateWindow(c, segment));
  return true;
}

/** One between SND.UNA and SND.MAX. */
export function takeAck(c: TcpConnection, now: Instant, segment: Segment, windowUpdated: boolean): void {
  if (segment.has(CWR) && c.ecn?.isAccurate === false) c.ecn.reduced();
  c.accurateEcn?.feedback.review(segment.accEcn);
  // The SYN+ACK was not ECN-capable: nothing that is said with its acknowledgement can be about us.
  const handshake = segment.has(SYN) || c.state === 'SYN_RCVD';
  const ece = !handshake && c.ecn?.isAccurate === false && segment.has(ECE);
  acknowledge(c.sender, now, segment, windowUpdated, ece);
  c.softError = undefined;
}

/** How far behind SND.UNA an ACK may lie; Linux and FreeBSD know that nothing before the first byte was ever sent. */
export function oldestAck(c: TcpConnection): number {
  const { maxSndWnd } = c.tcb;
  return c.settings.segmentRule === 'rfc9293' ? maxSndWnd : Math.min(maxSndWnd, c.sender.acknowledgedBytes);
}

/**
 * "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND". True when the
 * segment is thereby not a duplicate (RFC 5681 §2 (e)).
 */
export function updateWindow(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  if (c.settings.segmentRule === 'bsd') return updateWindowAsBsd(c, segment);
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

/** BSD: of two that are equally new the larger window counts. With SACK, duplicates are told by their blocks alone. */
function updateWindowAsBsd({ tcb }: TcpConnection, segment: Segment): boolean {
  const window = segment.window << tcb.sndScale;
  const changed = window !== tcb.sndWnd;
  const isLater = tcb.sndWl2 === segment.ack ? window > tcb.sndWnd : seqLt(tcb.sndWl2, segment.ack);
  if (seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && isLater)) {
    tcb.sndWnd = window;
    tcb.sndWl1 = segment.seq;
    tcb.sndWl2 = segment.ack;
    if (window > tcb.maxSndWnd) tcb.setLargestWindow(window, false);
  }
  return changed && !tcb.sackOn;
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
