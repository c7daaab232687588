/**
 * What Linux keeps of a connection that nobody looks at any more, in FIN_WAIT_2 and in TIME_WAIT: the numbers by which to
 * answer, and no more. Segments that come for it are judged by rules of their own.
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqGe, seqGt } from '../../base/seq32.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { isBetween, mayAnswer, resetFor } from './syn-received.ts';
import { hasOldTimestamp } from './timestamps.ts';

export const isForgotten = (c: TcpConnection): boolean =>
  c.settings.keepsRemains && (c.state === 'TIME_WAIT' || (c.state === 'FIN_WAIT_2' && c.orphaned));

/** True: the segment goes on to the checks of SEGMENT ARRIVES; that is the FIN which is waited for. */
export function wakes(c: TcpConnection, now: Instant, segment: Segment): boolean {
  return c.state === 'TIME_WAIT' ? inTimeWait(c, now, segment) : inFinWait2(c, now, segment);
}

function inFinWait2(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { rcvNxt, rcvWnd } = c.tcb;
  if (hasOldTimestamp(c, segment) || !isBetween(segment, rcvNxt, seqAdd(rcvNxt, rcvWnd)))
    return answered(c, now, segment);
  if (segment.has(RST)) return ended(c, 'RST arrives');
  if (segment.has(SYN) && seqGe(segment.seq, rcvNxt)) return reset(c, segment);
  if (!segment.has(ACK) || !seqGt(segment.end, rcvNxt) || segment.sequenceLength === 0) return false;
  // Data, where nobody will read it (RFC 9293 §3.6.1).
  return segment.has(FIN) && segment.end === seqAdd(rcvNxt, 1) ? true : reset(c, segment);
}

function inTimeWait(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { tcb, settings } = c;
  const old = hasOldTimestamp(c, segment);
  if (!old && segment.seq === tcb.rcvNxt && (segment.sequenceLength === 0 || segment.has(RST))) {
    // RFC 1337: a RST must not end TIME_WAIT early.
    if (segment.has(RST) && !settings.protectsTimeWait) return ended(c, 'RST arrives');
    if (segment.hasTimestamps) noteTimestamp(c, now, segment.tsVal);
    restart(c, now);
    return false;
  }
  if (segment.has(RST)) return false;
  if (old || segment.has(ACK)) restart(c, now);
  return answered(c, now, segment);
}

function noteTimestamp({ tcb }: TcpConnection, now: Instant, value: Seq): void {
  tcb.tsRecent = value;
  tcb.tsRecentAt = now;
}

const restart = (c: TcpConnection, now: Instant): void => c.deadlines.set(DUE.timeWait, now + c.timeWait);

/** Acknowledged; what carries no data, not too often. */
function answered(c: TcpConnection, now: Instant, segment: Segment): false {
  if (mayAnswer(c, now, segment)) c.receiver.ackNow = true;
  return false;
}

function ended(c: TcpConnection, why: string): false {
  c.finish(why);
  return false;
}

function reset(c: TcpConnection, segment: Segment): false {
  c.send(resetFor(segment));
  return ended(c, 'data arrives after the user has closed');
}
