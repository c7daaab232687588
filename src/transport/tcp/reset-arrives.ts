/** RST (RFC 9293 §3.10.7.4, second, by RFC 5961 §3.2): which is believed, and what it does. */
import type { Instant } from '../../base/instant.ts';
import { RST, type Segment } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';

/** Second: RST, by RFC 5961 §3.2: only one that hits RCV.NXT exactly resets. */
export function checkReset(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!segment.has(RST)) return true;
  if (segment.seq === c.tcb.rcvNxt) resetArrives(c);
  else c.challengeAck(now, 'a RST inside the window that is not at RCV.NXT');
  return false;
}

/** What an acceptable RST does in each state. */
function resetArrives(c: TcpConnection): void {
  switch (c.state) {
    case 'SYN_RCVD':
      // With Fast Open there may be a user already.
      if (c.sendsEarly) c.fail('ECONNRESET', 'a RST arrived');
      else if (c.passive) c.finish('RST arrives');
      else c.fail('ECONNREFUSED', 'a RST answered the SYN');
      return;
    case 'CLOSING':
    case 'LAST_ACK':
      // "enter the CLOSED state, delete the TCB": the user has closed.
      return c.finish('RST arrives');
    case 'TIME_WAIT':
      // RFC 1337: a RST must not end TIME_WAIT early.
      if (!c.settings.protectsTimeWait) c.finish('RST arrives');
      return;
    default:
      c.fail('ECONNRESET', 'a RST arrived');
  }
}
