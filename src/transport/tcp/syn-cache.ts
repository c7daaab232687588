/**
 * BSD's half-open connections: a listener's are entries of a cache until the handshake is complete. What they are not
 * asked in so many words they do not answer; the general checks (segment-arrives.ts) deal with acknowledgements.
 */
import type { Instant } from '../../base/instant.ts';
import { seqInWindow } from '../../base/seq32.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { bareReset, isHalfOpen, repeatSynAck } from './syn-received.ts';

export const isCached = (c: TcpConnection): boolean => c.settings.synCache && isHalfOpen(c);

/** False: the segment has been dealt with. */
export function cacheAdmits(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (segment.has(RST)) {
    // RFC 9293 §3.10.7.3 knows no RST with these in answer to a SYN+ACK.
    const isSpurious = segment.has(ACK | SYN | FIN);
    return !isSpurious && seqInWindow(segment.seq, c.tcb.rcvNxt, c.tcb.rcvWnd);
  }
  if (!segment.has(SYN)) return true;
  if (segment.has(ACK)) c.send(bareReset(segment.ack));
  else beginAgain(c, now, segment);
  return false;
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
