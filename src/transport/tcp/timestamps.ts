/** Timestamps of segments that arrive (RFC 7323): which are too old, and which of them are echoed. */
import { type Instant, seconds } from '../../base/instant.ts';
import { seqGe, seqLe, seqLt } from '../../base/seq32.ts';
import { RST, type Segment } from '../../wire/tcp.ts';
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

/** The same for a connection, where a TS.Recent that is too old itself does not count. */
export const failsPaws = (c: TcpConnection, now: Instant, segment: Segment): boolean =>
  !segment.has(RST) && hasOldTimestamp(c, segment) && now - c.tcb.tsRecentAt < TIMESTAMP_AGE;

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
