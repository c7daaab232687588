/** The sixth to eighth check of SEGMENT ARRIVES (RFC 9293 §3.10.7.4): urgent data, the text, and the FIN behind it. */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqGt } from '../../base/seq32.ts';
import { CWR, FIN, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { mayReceive } from './state.ts';
import type { TcpEvent } from './types.ts';
import { Urgent } from './urgent.ts';

const READABLE: TcpEvent = { type: 'readable' };

/** Sixth: URG. The user is told, and the data stays in line (RFC 6093 §6). */
export function takeUrgent(c: TcpConnection, segment: Segment): void {
  if (!mayReceive(c.state)) return;
  c.urgent ??= new Urgent();
  if (c.urgent.arrived(segment, c.receiver.readSeq)) c.emit({ type: 'urgent' });
}

/** Seventh: the segment's text. False: there is no FIN to look for behind it. */
export function takeText(c: TcpConnection, now: Instant, segment: Segment): boolean {
  if (!mayReceive(c.state)) {
    // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
    if (c.state === 'TIME_WAIT' && segment.has(FIN)) restartTimeWait(c, now);
    return false;
  }
  // What rides on a SYN is not taken: its sender will send it again.
  if (segment.has(SYN) || (segment.length === 0 && !segment.has(FIN))) return false;
  const unwanted = c.orphaned || (c.readShut && c.sender.finRequested);
  if (unwanted && segment.length > 0 && isNews(c, segment)) {
    c.abort(now, 'data arrives after the user has closed');
    return false;
  }
  takeInOrder(c, now, segment);
  return true;
}

/** Does its data reach beyond RCV.NXT? */
export const isNews = (c: TcpConnection, segment: Segment): boolean =>
  seqGt(seqAdd(segment.seq, segment.length), c.tcb.rcvNxt);

/** Data and FIN that are wanted. */
export function takeInOrder(c: TcpConnection, now: Instant, segment: Segment): void {
  const isNew = segment.length > 0 && seqGt(segment.end, c.tcb.rcvNxt);
  takeData(c, now, segment, segment.has(FIN));
  // RFC 3168 §6.1.3: what the IP header said of congestion on the way here.
  if (c.ecn?.isAccurate === false) {
    if (isNew && c.ecn.dataArrived(segment.ecn)) c.receiver.policy.beQuick(2);
    // The other end's window may be one segment now.
    if (segment.has(CWR)) c.receiver.ackNow = true;
  }
}

export function takeData(c: TcpConnection, now: Instant, segment: Segment, hasFin: boolean): void {
  const fate = c.receiver.accept(now, segment, hasFin);
  if (fate === 'readable') c.emit(READABLE);
  else if (fate !== 'taken') c.observer?.dropped(fate);
}

/** Eighth: the FIN, once everything before it is here. */
export function checkFin(c: TcpConnection, now: Instant): void {
  if (!c.receiver.finReceived) return;
  switch (c.state) {
    case 'ESTABLISHED':
      c.setState('CLOSE_WAIT', 'FIN arrives');
      break;
    case 'FIN_WAIT_1':
      // Our FIN is not acknowledged, or we would be in FIN_WAIT_2.
      c.setState('CLOSING', 'FIN arrives (simultaneous close)');
      break;
    case 'FIN_WAIT_2':
      c.enterTimeWait(now, 'FIN arrives');
      break;
    default:
      return;
  }
  c.emit({ type: 'fin' });
  c.tellEnd();
}

/** "Restart the 2 MSL time-wait timeout", and acknowledge: the last ACK was lost. */
export function restartTimeWait(c: TcpConnection, now: Instant): void {
  c.deadlines.set(DUE.timeWait, now + c.timeWait);
  c.receiver.ackNow = true;
}
