/** Timestamps of segments that arrive (RFC 7323): which are too old, and which of them are echoed. */
import { type Instant, seconds } from '../../base/instant.ts';
import { seqDiff, seqGe, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, RST, type Segment } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';

/** RFC 7323 §5.5: a TS.Recent older than 24 days says nothing any more. */
const TIMESTAMP_AGE = seconds(24 * 86400);

/** RFC 7323 §3.2: "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the segment." */
export function lacksTimestamp(c: TcpConnection, segment: Segment): boolean {
  const lacks = c.settings.requiresTimestamps && c.tcb.timestampsOn && !segment.hasTimestamps && !segment.has(RST);
  if (lacks) c.observer?.decided('no timestamp', 'a segment without the timestamps that both ends agreed on');
  return lacks;
}

/** RFC 7323 §5.3 R1. */
export const hasOldTimestamp = ({ tcb }: TcpConnection, segment: Segment): boolean =>
  tcb.timestampsOn && segment.hasTimestamps && seqLt(segment.tsVal, tcb.tsRecent);

/** The same for a connection, where a TS.Recent that is too old itself does not count, nor on Linux what was overtaken. */
export function failsPaws(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb } = c;
  if (segment.has(RST) || !hasOldTimestamp(c, segment) || now - tcb.tsRecentAt >= TIMESTAMP_AGE) return false;
  return !isReorderedAck(c, segment);
}

/** A pure ACK that was overtaken says nothing that could be wrong. */
function isReorderedAck(c: TcpConnection, segment: Segment): boolean {
  const { tcb } = c;
  if (c.settings.segmentRule !== 'linux' || segment.sequenceLength > 0 || !segment.has(ACK)) return false;
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

/** RFC 7323 §4.3 (2): "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent, then SEG.TSval is copied to TS.Recent". */
export function updateTimestamp(c: TcpConnection, now: Instant, segment: Segment): void {
  const { tcb } = c;
  if (!tcb.timestampsOn || !segment.hasTimestamps) return;
  if (seqGe(segment.tsVal, tcb.tsRecent) && seqLe(segment.seq, tcb.lastAckSent)) {
    tcb.tsAdvanced ||= segment.tsVal !== tcb.tsRecent;
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = now;
  }
}
