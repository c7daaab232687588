/** What is done with a segment that is not acceptable (RFC 9293 §3.10.7.4, first). */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqGt, seqLt } from '../../base/seq32.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../../wire/tcp.ts';
import { afterAck, type TakeAck } from './ack-arrives.ts';
import type { TcpConnection } from './connection.ts';
import { repeatSynAck } from './syn-received.ts';
import { restartTimeWait } from './text-arrives.ts';

/** RFC 7323 §5.3 R1. `length`: as many of its sequence numbers as are data. */
export function dropForTimestamp(c: TcpConnection, now: Instant, segment: Segment, length: number): false {
  c.observer?.decided('paws', 'an old timestamp: a duplicate from the past');
  if (!segment.has(SYN | RST)) noteOld(c, segment, length);
  acknowledgeUnacceptable(c, now, segment);
  return false;
}

/** Our SYN+ACK was lost: the SYN comes again, and so does the answer. Undefined: it is no such SYN. */
export function takeRepeatedSyn(c: TcpConnection, now: Instant, segment: Segment): boolean | undefined {
  if (c.state !== 'SYN_RCVD' || !segment.has(SYN) || segment.has(RST) || segment.seq !== c.tcb.irs) return undefined;
  // With an ACK it is the other half of a simultaneous open (RFC 9293 §3.5, figure 8): its ACK is what we wait for.
  if (segment.has(ACK)) return true;
  repeatSynAck(c, now, segment);
  return false;
}

/**
 * "Special allowance should be made to accept valid ACKs, URGs, and RSTs" at a zero window; of what else it can be, what
 * does not need it to be acceptable. False: the connection has ended by that.
 */
export function makeAllowance(c: TcpConnection, now: Instant, segment: Segment, take: TakeAck): boolean {
  const { tcb } = c;
  if (tcb.rcvWnd === 0 && segment.seq === tcb.rcvNxt && segment.has(ACK) && !segment.has(SYN | RST)) {
    if (take(c, now, segment)) afterAck(c, now);
  }
  if (c.state === 'CLOSED') return false;
  if (seqGt(segment.end, tcb.rcvEdge)) c.observer?.dropped('beyond-window');
  if (segment.has(FIN) && c.state === 'TIME_WAIT') restartTimeWait(c, now);
  return true;
}

/** "An acknowledgment should be sent in reply (unless the RST bit is set)". */
export function acknowledgeUnacceptable(c: TcpConnection, now: Instant, segment: Segment): void {
  if (segment.has(RST)) return;
  // What carries data or a FIN is an honest retransmission; the rest is limited like a challenge.
  const honest = segment.sequenceLength > 0 && !segment.has(SYN);
  if (honest) c.receiver.ackNow = true;
  else c.challengeAck(now, 'a segment outside the window');
}

/** Data that had come before is reported (RFC 2883 §4.1). */
export function noteOld(c: TcpConnection, segment: Segment, length: number): void {
  c.accurateEcn?.repeated(segment.seq);
  const { rcvNxt } = c.tcb;
  if (length === 0 || !seqLt(segment.seq, rcvNxt)) return;
  const end = seqAdd(segment.seq, length);
  c.receiver.noteDuplicate(segment.seq, seqGt(end, rcvNxt) ? rcvNxt : end);
  c.receiver.policy.beQuick(16);
}
