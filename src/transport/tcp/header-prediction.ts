/**
 * Header prediction: the segments that nearly all are, told by a few comparisons (Van Jacobson; RFC 7323 §5.8 (3)), and
 * what Linux does differently for them.
 */
import { seqGt, seqLt } from '../../base/seq32.ts';
import { ACK, AE, CWR, ECE, PSH, type Segment } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { SMALL_SEGMENT } from './memory-window.ts';

/** The next segment of an established connection, with nothing about it that any of the numbered checks would stop at. */
export function isExpected(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  if (tcb.state !== 'ESTABLISHED' || (segment.flags & ~PSH) !== ACK || segment.seq !== tcb.rcvNxt) return false;
  if (segment.hasTimestamps !== tcb.timestampsOn) return false;
  if (tcb.timestampsOn && seqLt(segment.tsVal, tcb.tsRecent)) return false;
  if (seqLt(segment.ack, tcb.sndUna) || seqGt(segment.ack, tcb.sndMax)) return false;
  return segment.length <= tcb.rcvWnd && c.ecn === undefined && !c.orphaned && !c.readShut;
}

/** The next in order, a pure acknowledgement with the window known already. */
export function isPredicted(c: TcpConnection, segment: Segment): boolean {
  const { tcb, ecn } = c;
  if (ecn?.isAccurate && !ecn.expects(segment.flags)) return false;
  const flags = ecn?.isAccurate ? segment.flags & ~(AE | CWR | ECE) : segment.flags;
  const plain = (flags & ~PSH) === ACK && segment.seq === tcb.rcvNxt && !c.receiver.hasGap;
  // Urgent data that waits to be read switches it off.
  if (c.urgent !== undefined && c.urgentRemaining > 0) return false;
  return plain && tcb.state === 'ESTABLISHED' && segment.window << tcb.sndScale === tcb.sndWnd;
}

/**
 * Linux, by its header prediction: the next data, which acknowledges nothing new, is no occasion to send. For more than
 * a little of it memory has to be asked for, and that is done off the predicted path.
 */
export const opensNothing = (c: TcpConnection, segment: Segment): boolean =>
  segment.length > 0 &&
  segment.length <= SMALL_SEGMENT &&
  segment.ack === c.tcb.sndUna &&
  c.settings.expectedOpensNothing &&
  isPredicted(c, segment);
