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

export function takeForgotten(c: TcpConnection, now: Instant, segment: Segment): void {
  c.receiver.forgetHeld();
  if (c.state === 'TIME_WAIT') inTimeWait(c, now, segment);
  else inFinWait2(c, now, segment);
}

function inFinWait2(c: TcpConnection, now: Instant, segment: Segment): void {
  const { rcvNxt, rcvWnd } = c.tcb;
  if (hasOldTimestamp(c, segment) || !isBetween(segment, rcvNxt, seqAdd(rcvNxt, rcvWnd)))
    return answer(c, now, segment);
  if (segment.has(RST)) return c.finish('RST arrives');
  if (segment.has(SYN) && seqGe(segment.seq, rcvNxt)) return reset(c, segment);
  if (!segment.has(ACK) || !seqGt(segment.end, rcvNxt) || segment.sequenceLength === 0) return;
  // Data, where nobody will read it (RFC 9293 §3.6.1).
  if (segment.has(FIN) && segment.end === seqAdd(rcvNxt, 1)) takeLastFin(c, now, segment);
  else reset(c, segment);
}

/** The FIN that was waited for: it is what is kept that acknowledges it. */
function takeLastFin(c: TcpConnection, now: Instant, segment: Segment): void {
  const { tcb, receiver } = c;
  tcb.rcvAdv = seqAdd(tcb.rcvAdv, 1);
  tcb.rcvNxt = seqAdd(tcb.rcvNxt, 1);
  receiver.resumeBehindFin();
  if (segment.hasTimestamps) noteTimestamp(c, now, segment.tsVal);
  c.enterTimeWait(now, 'FIN arrives');
  receiver.ackNow = true;
}

function inTimeWait(c: TcpConnection, now: Instant, segment: Segment): void {
  const { tcb, settings } = c;
  const old = hasOldTimestamp(c, segment);
  if (!old && segment.seq === tcb.rcvNxt && (segment.sequenceLength === 0 || segment.has(RST))) {
    // RFC 1337: a RST must not end TIME_WAIT early.
    if (segment.has(RST) && !settings.protectsTimeWait) return c.finish('RST arrives');
    if (segment.hasTimestamps) noteTimestamp(c, now, segment.tsVal);
    return restart(c, now);
  }
  if (segment.has(RST)) return;
  if (old || segment.has(ACK)) restart(c, now);
  answer(c, now, segment);
}

function noteTimestamp({ tcb }: TcpConnection, now: Instant, value: Seq): void {
  tcb.tsRecent = value;
  tcb.tsRecentAt = now;
}

const restart = (c: TcpConnection, now: Instant): void => c.deadlines.set(DUE.timeWait, now + c.timeWait);

/** What carries no data not too often. */
function answer(c: TcpConnection, now: Instant, segment: Segment): void {
  if (mayAnswer(c, now, segment)) c.receiver.ackNow = true;
}

function reset(c: TcpConnection, segment: Segment): void {
  c.send(resetFor(segment));
  c.finish('data arrives after the user has closed');
}
