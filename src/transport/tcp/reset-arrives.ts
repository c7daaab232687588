/** RST (RFC 9293 §3.10.7.4, second, by RFC 5961 §3.2): which is believed, and what it does. */
import type { Instant } from '../../base/instant.ts';
import { seqAdd } from '../../base/seq32.ts';
import { RST, type Segment } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';

/** Second: RST, by RFC 5961 §3.2: only one that hits RCV.NXT exactly resets. */
export function checkReset(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(RST)) return true;
  // RFC 793 §3.4: "A reset is valid if its sequence number is in the window."
  const believed = segment.seq === c.tcb.rcvNxt || c.settings.believesResets;
  if (!believed && !isResetBehindGap(c, segment)) {
    c.challengeAck(now, 'a RST inside the window that is not at RCV.NXT');
    return false;
  }
  resetArrives(c);
  return false;
}

/** What an acceptable RST does in each state. */
export function resetArrives(c: TcpConnection): void {
  switch (c.state) {
    case 'SYN_RCVD':
      // With Fast Open there may be a user already.
      if (c.sendsEarly) c.fail('ECONNRESET', 'a RST arrived');
      else if (c.passive) c.finish('RST arrives');
      else if (c.settings.segmentRule === 'linux') c.fail('ECONNRESET', 'a RST arrived');
      else c.fail('ECONNREFUSED', 'a RST answered the SYN');
      return;
    case 'CLOSING':
    case 'LAST_ACK':
      // "enter the CLOSED state, delete the TCB": the user has closed. On Linux one who only shut down is told.
      if (c.settings.segmentRule === 'linux') c.fail('ECONNRESET', 'a RST arrived');
      else c.finish('RST arrives');
      return;
    case 'TIME_WAIT':
      // RFC 1337: a RST must not end TIME_WAIT early.
      if (!c.settings.protectsTimeWait) c.finish('RST arrives');
      return;
    case 'CLOSE_WAIT':
      // On Linux there is nobody any more who could have reset it; the pipe is broken.
      c.fail(c.settings.socketRule === 'linux' ? 'EPIPE' : 'ECONNRESET', 'a RST arrived');
      return;
    default:
      c.fail('ECONNRESET', 'a RST arrived');
  }
}

/** Where the highest SACKed data ends: the sender of the RST had got so far (RFC 5961 §3.2 does not forbid it). */
function isResetBehindGap(c: TcpConnection, segment: Segment): boolean {
  if (c.settings.segmentRule !== 'linux') return false;
  return (c.tcb.sackOn && segment.seq === c.receiver.highestHeld) || isLateReset(c, segment);
}

/** A RST that follows the other end's FIN: it may not have heard of our acknowledgement of it. */
export const isLateReset = (c: TcpConnection, segment: Segment): boolean =>
  c.receiver.finReceived &&
  segment.seq === seqAdd(c.tcb.rcvNxt, -1) &&
  (c.state === 'CLOSE_WAIT' || c.state === 'LAST_ACK' || c.state === 'CLOSING');
