/**
 * What Linux lets through to a half-open connection. There SYN-RECEIVED of a listener is no connection yet but a request,
 * which answers by rules of its own: with bare acknowledgements of the SYN, and a SYN that comes again with the SYN+ACK.
 * With Fast Open the connection exists beside the request until the handshake is complete.
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { ACK, RST, Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { hasOldTimestamp } from './timestamps.ts';

/** Of a request this is all that a window can be. */
const MOST_WINDOW = 65535;

/** A listener's, which nobody has seen yet. */
export const isHalfOpen = (c: TcpConnection): boolean => c.passive && c.state === 'SYN_RCVD' && !c.sendsEarly;

export const isRequest = (c: TcpConnection): boolean =>
  c.passive && (c.state === 'SYN_RCVD' || (c.state === 'FIN_WAIT_1' && c.sendsEarly && seqLe(c.tcb.sndUna, c.tcb.iss)));

/** False: the segment has been dealt with. `reset` answers one that deserves a RST. */
export function admits(c: TcpConnection, now: Instant, segment: Segment, reset: () => void): boolean {
  const { tcb } = c;
  const fresh = segment.seq !== tcb.irs;
  const old = !segment.has(RST) && hasOldTimestamp(c, segment);
  if (!fresh && (segment.flags & (SYN | ACK | RST)) === SYN && !old) {
    repeatAnswer(c, now, segment);
    return false;
  }
  const acknowledges = segment.has(ACK) && !segment.has(RST);
  if (acknowledges && !c.sendsEarly && segment.ack !== seqAdd(tcb.iss, 1)) {
    c.send(bareReset(segment.ack));
    return false;
  }
  if (old || echoesOther(c, segment) || !isBetween(segment, c.requestNext, seqAdd(c.requestNext, MOST_WINDOW))) {
    if (!segment.has(RST) && mayAnswer(c, now, segment)) answer(c, now);
    return false;
  }
  // RFC 5961 §3.2: a RST inside the window that is not at RCV.NXT is challenged.
  if (segment.has(RST) && segment.seq !== c.requestNext) {
    if (c.challenges.allow(now)) answer(c, now);
    return false;
  }
  if (segment.has(RST) || (segment.has(SYN) && fresh)) {
    endRequest(c, segment, reset);
    return false;
  }
  return segment.has(ACK);
}

/** What it echoes is no timestamp of a SYN+ACK of ours: it cannot answer one. */
function echoesOther(c: TcpConnection, segment: Segment): boolean {
  const { tcb, sender } = c;
  const synAck = sender.queue.first;
  if (!tcb.timestampsOn || !segment.hasTimestamps || segment.tsEcr === 0 || c.sendsEarly) return false;
  if (synAck === undefined) return false;
  return seqLt(segment.tsEcr, tcb.timestamp(c.openedAt)) || seqGt(segment.tsEcr, tcb.timestamp(synAck.sentAt));
}

/** Is it in the window from `next` to `edge`, or touches it? */
export function isBetween(segment: Segment, next: Seq, edge: Seq): boolean {
  if (segment.seq === next) return true;
  if (seqGt(segment.end, next) && seqLt(segment.seq, edge)) return true;
  return segment.seq === edge && segment.end === edge;
}

/** The SYN has come again: so does our SYN+ACK, which was lost. */
export function repeatSynAck(c: TcpConnection, now: Instant, syn: Segment): void {
  c.accurateEcn?.synRepeated(syn.flags, syn.ecn);
  c.sender.resendSyn(now, SYN | ACK | c.synAckEcn, false);
}

/** Not too often; data that is on the SYN is not taken now either. */
function repeatAnswer(c: TcpConnection, now: Instant, syn: Segment): void {
  if (!c.challenges.allowByInterval(now)) return;
  const { sender } = c;
  repeatSynAck(c, now, syn);
  sender.recovery.totalRetransmissions++;
  // Karn's algorithm: which of them is acknowledged cannot be told.
  if (sender.queue.first !== undefined) sender.queue.first.everResent = true;
  if (!c.sendsEarly) c.deadlines.setTransmit(DUE.retransmit, now + sender.synAckTimeout);
}

/** What carries data is no part of a loop of acknowledgements. */
export const mayAnswer = (c: TcpConnection, now: Instant, segment: Segment): boolean =>
  (segment.sequenceLength > 0 && !segment.has(SYN)) || c.challenges.allowByInterval(now);

/** An acknowledgement of the SYN and of nothing behind it. */
function answer(c: TcpConnection, now: Instant): void {
  const { tcb, receiver, settings } = c;
  const segment = new Segment();
  segment.order = settings.optionOrder;
  segment.flags = ACK;
  segment.seq = tcb.sndNxt;
  segment.ack = c.requestNext;
  segment.window = Math.min(receiver.window.initial(), MOST_WINDOW) >> tcb.rcvScale;
  if (tcb.timestampsOn) {
    segment.hasTimestamps = true;
    segment.tsVal = tcb.timestamp(now);
    segment.tsEcr = tcb.tsRecent;
  }
  c.send(segment);
}

/** A RST ends it; a SYN of somebody else ends what nobody has seen yet. */
function endRequest(c: TcpConnection, segment: Segment, reset: () => void): void {
  if (segment.has(RST)) return reset();
  c.send(resetFor(segment));
  if (!c.sendsEarly) c.finish('a new SYN arrives');
}

/** RFC 9293 §3.10.7.1: by what the segment acknowledges, or by what it is to be acknowledged with. */
export const resetFor = (about: Segment): Segment => (about.has(ACK) ? bareReset(about.ack) : resetOfSyn(about));

/** RFC 9293 §3.10.7.1: "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>". */
export function resetOfSyn(about: Segment): Segment {
  const segment = new Segment();
  segment.flags = RST | ACK;
  segment.ack = about.end;
  return segment;
}

/** "<SEQ=SEG.ACK><CTL=RST>" */
export function bareReset(seq: Seq): Segment {
  const segment = new Segment();
  segment.seq = seq;
  segment.flags = RST;
  return segment;
}
