/**
 * BSD's half-open connections: a listener's are entries of a cache until the handshake is complete, and what comes for
 * one is held against the entry alone.
 */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqGt, seqInWindow, seqLe } from '../../base/seq32.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { bareReset, repeatSynAck } from './syn-received.ts';
import { hasOldTimestamp } from './timestamps.ts';

/** True: it completes the handshake. Else it has been dealt with. */
export function cacheAdmits(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (segment.has(RST)) takeReset(c, now, segment);
  else if (segment.has(SYN) && segment.has(ACK)) refuse(c, segment);
  else if (segment.has(SYN)) beginAgain(c, now, segment);
  else return segment.has(ACK) && completes(c, now, segment);
  return false;
}

function takeReset(c: TcpConnection, now: Instant, segment: Segment): void {
  const { rcvNxt, rcvWnd } = c.tcb;
  // RFC 9293 §3.10.7.3 knows no RST with these in answer to a SYN+ACK.
  if (segment.has(ACK | SYN | FIN) || !seqInWindow(segment.seq, rcvNxt, rcvWnd)) return;
  if (segment.seq === rcvNxt || c.settings.believesResets) c.finish('RST arrives');
  else c.challengeAck(now, 'a RST inside the window that is not at RCV.NXT');
}

/** A SYN+ACK to a listener is bogus, and the entry goes with it (syncache_badack). */
function refuse(c: TcpConnection, segment: Segment): void {
  c.send(bareReset(segment.ack));
  c.finish('a SYN+ACK arrives');
}

function completes(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { iss, irs, rcvWnd } = c.tcb;
  if (segment.ack !== seqAdd(iss, 1)) {
    c.send(bareReset(segment.ack));
    return false;
  }
  if (seqLe(segment.seq, irs) || seqGt(segment.seq, seqAdd(irs, rcvWnd))) {
    c.challengeAck(now, 'an ACK of the SYN+ACK from outside the window');
    return false;
  }
  return !hasOldTimestamp(c, segment);
}

/** Any SYN is the first one again, and its timestamp is the one to echo from now on. */
function beginAgain(c: TcpConnection, now: Instant, syn: Segment): void {
  const { tcb, sender } = c;
  if (syn.hasTimestamps) tcb.tsRecent = syn.tsVal;
  else tcb.timestampsOn = false;
  repeatSynAck(c, now, syn);
  sender.recovery.timeouts = 0;
  c.deadlines.setTransmit(DUE.retransmit, now + sender.synAckTimeout);
}
