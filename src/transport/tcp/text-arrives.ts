/** The sixth to eighth check of SEGMENT ARRIVES (RFC 9293 §3.10.7.4): urgent data, the text, and the FIN behind it. */
import type { Instant } from '../../base/instant.ts';
import { seqAdd, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, CWR, FIN, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { resetArrives } from './reset-arrives.ts';
import { mayReceive } from './state.ts';
import { bareReset } from './syn-received.ts';
import type { TcpEvent } from './types.ts';
import { Urgent } from './urgent.ts';

const READABLE: TcpEvent = { type: 'readable' };

/** Sixth: URG. The user is told, and the data stays in line (RFC 6093 §6). */
export function takeUrgent(c: TcpConnection, segment: Segment): void {
  if (!mayReceive(c.state)) return;
  // Linux takes no pointer into what has arrived already.
  const old = c.settings.segmentRule === 'linux' && !seqGt(seqAdd(segment.seq, segment.urgentPointer), c.tcb.rcvNxt);
  c.urgent ??= new Urgent();
  if (!old && c.urgent.arrived(segment, c.receiver.readSeq)) c.emit({ type: 'urgent' });
}

/** Seventh: the segment's text. */
export function takeText(c: TcpConnection, now: Instant, segment: Segment): boolean {
  const { state } = c;
  if (!mayReceive(state)) {
    // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
    if (state === 'TIME_WAIT' && segment.has(FIN)) restartTimeWait(c, now);
    // Linux takes it for the retransmission that it is.
    else if (c.settings.segmentRule === 'linux' && segment.sequenceLength > 0) takeBehindFin(c, segment);
    return false;
  }
  if (segment.has(SYN) && c.settings.segmentRule === 'linux') {
    c.receiver.noteDuplicate(segment.seq, seqAdd(segment.seq, 1));
    c.receiver.ackNow = true;
  }
  // What rides on a SYN is not taken: its sender will send it again.
  if (segment.has(SYN) || (segment.length === 0 && !segment.has(FIN))) return false;
  if (
    (c.orphaned || (c.readShut && c.sender.finRequested && c.settings.socketRule === 'linux')) &&
    (segment.length > 0 || c.settings.segmentRule === 'linux') &&
    seqGt(seqAdd(segment.seq, segment.length), c.tcb.rcvNxt)
  ) {
    if (c.settings.windowRule !== 'rfc') {
      c.send(bareReset(segment.ack));
      if (c.orphaned) c.finish('data arrives after the user has closed');
      else c.fail('ECONNRESET', 'data arrives after the user has closed');
    } else {
      c.abort(now, 'data arrives after the user has closed');
    }
    return false;
  }
  if (c.settings.segmentRule === 'linux' && seqLe(segment.end, c.tcb.rcvNxt)) {
    noteOld(c, segment);
    c.receiver.ackNow = true;
    return false;
  }
  const isNew = segment.length > 0 && seqGt(segment.end, c.tcb.rcvNxt);
  takeData(c, now, segment, segment.has(FIN));
  // RFC 3168 §6.1.3: what the IP header said of congestion on the way here.
  if (c.ecn?.isAccurate === false) {
    if (isNew && c.ecn.dataArrived(segment.ecn)) c.receiver.policy.beQuick(2);
    // The other end's window may be one segment now.
    if (segment.has(CWR)) c.receiver.ackNow = true;
  }
  return true;
}

export function takeData(c: TcpConnection, now: Instant, segment: Segment, hasFin: boolean): void {
  const fate = c.receiver.accept(now, segment, hasFin);
  if (fate === 'readable') c.emit(READABLE);
  else if (fate !== 'taken') c.observer?.dropped(fate);
}

/** Linux: what claims to be behind the other end's FIN is an error, what is before it the retransmission that it is. */
function takeBehindFin(c: TcpConnection, segment: Segment): void {
  const { rcvNxt } = c.tcb;
  if (!seqLt(segment.seq, rcvNxt)) return;
  if (seqGt(seqAdd(segment.seq, segment.length), rcvNxt)) {
    c.send(bareReset(segment.ack));
    return resetArrives(c);
  }
  noteOld(c, segment);
  c.receiver.ackNow = true;
}

/** Eighth: the FIN, once everything before it is here. */
export function checkFin(c: TcpConnection, now: Instant): void {
  if (!c.receiver.finReceived) return;
  switch (c.state) {
    case 'ESTABLISHED':
      c.setState('CLOSE_WAIT', 'FIN arrives');
      break;
    case 'FIN_WAIT_1':
      // Linux acknowledges before it sends what is left.
      if (c.settings.segmentRule === 'linux') c.send(c.build(now, ACK, c.acceptableSeq));
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

/** Data that had come before is reported (RFC 2883 §4.1). */
export function noteOld(c: TcpConnection, segment: Segment): void {
  c.accurateEcn?.repeated(segment.seq);
  const { rcvNxt } = c.tcb;
  // A FIN by itself is no data; Linux reports it all the same.
  const length = c.settings.segmentRule === 'linux' ? segment.sequenceLength : segment.length;
  if (length === 0 || !seqLt(segment.seq, rcvNxt)) return;
  const end = seqAdd(segment.seq, length);
  c.receiver.noteDuplicate(segment.seq, seqGt(end, rcvNxt) ? rcvNxt : end);
  c.receiver.policy.beQuick(16);
}
