/** A segment as a connection sends them: acknowledgement, window, timestamps, SACK, and on a SYN what we offer. */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd } from '../../base/seq32.ts';
import { ACK, FIN, RST, Segment, SYN } from '../../wire/tcp.ts';
import { sackLength, tcpOptionsLength } from '../../wire/tcp-options.ts';
import type { AccurateEcn } from './accurate-ecn.ts';
import type { TcpConnection } from './connection.ts';
import { optionLength } from './ecn-counters.ts';
import { ECT0 } from './ecn-field.ts';
import { isForgotten } from './forgotten.ts';
import { isPlain } from './handshake.ts';
import { TIMESTAMPS_LENGTH } from './tcb.ts';

export function buildSegment(c: TcpConnection, now: Instant, flags: number, seq: Seq): Segment {
  if (flags & SYN) return buildSyn(c, now, flags, seq);
  const { tcb, receiver, ecn } = c;
  const segment = begun(c, flags, seq);
  segment.window = isRemembered(c) ? rememberedWindow(c) : receiver.offerWindow();
  if (tcb.timestampsOn) stamp(c, segment, now);
  if ((flags & ACK) === 0) return segment;
  segment.ack = tcb.rcvNxt;
  const tellsTwice = receiver.hasDuplicate;
  if (tcb.sackOn && (receiver.hasGap || tellsTwice)) segment.sack = receiver.sackBlocks();
  if (ecn !== undefined) {
    if (!hasNoMarks(c)) segment.flags |= ecn.ackFlags;
    if (ecn.isAccurate) tellMarks(c, ecn, segment, now, tellsTwice);
  }
  c.urgent?.mark(segment, tcb);
  receiver.acknowledged(now);
  return segment;
}

function buildSyn(c: TcpConnection, now: Instant, flags: number, seq: Seq): Segment {
  const { tcb, receiver, settings } = c;
  const segment = begun(c, flags, seq);
  const hasAck = (flags & ACK) !== 0;
  const answers = hasAck && (c.passive || !settings.offersRegardless);
  offerOptions(c, segment, answers);
  // RFC 7323 §2.2: the window field of a SYN is never scaled.
  segment.window = hasAck ? receiver.offerInitial() : Math.min(receiver.window.initial(), 65535);
  if (tcb.timestampsOn || (!answers && settings.timestamps && !isPlain(c))) stamp(c, segment, now);
  if (!hasAck) return segment;
  segment.ack = tcb.rcvNxt;
  if (c.ecn?.isAccurate) segment.accEcn = c.ecn.synAckOption;
  receiver.acknowledged(now);
  return segment;
}

function begun({ settings }: TcpConnection, flags: number, seq: Seq): Segment {
  const segment = new Segment();
  segment.order = settings.optionOrder;
  segment.seq = seq;
  segment.flags = flags;
  return segment;
}

function stamp({ tcb }: TcpConnection, segment: Segment, now: Instant): void {
  segment.hasTimestamps = true;
  segment.tsVal = tcb.timestamp(now);
  segment.tsEcr = segment.flags & ACK ? tcb.tsRecent : 0;
}

/** An acknowledgement alone; BSD's flags are those of the state (tcp_outflags), and so a FIN under way goes along again. */
export function buildAcknowledgement(c: TcpConnection, now: Instant): Segment {
  const { finSent, finAcknowledged } = c.sender;
  if (!c.settings.repeatsFin || !finSent || finAcknowledged) return c.build(now, ACK, c.acceptableSeq);
  return c.build(now, ACK | FIN, seqAdd(c.tcb.sndNxt, -1));
}

/** RFC 5961 §3; BSD answers with what it has at hand (tcp_respond), which is no SACK blocks. */
export function buildChallenge(c: TcpConnection, now: Instant): Segment {
  const segment = c.build(now, ACK, c.acceptableSeq);
  if (!c.settings.challengesTellSack) segment.sack = [];
  return segment;
}

/** RFC 9293 §3.10.7.1: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. */
export function buildReset(c: TcpConnection, now: Instant): Segment {
  const segment = c.build(now, RST | ACK, c.acceptableSeq);
  segment.flags = RST | ACK;
  if (!c.settings.resetsTellWindow) segment.window = 0;
  if (!c.settings.resetsTellSack) segment.sack = [];
  return segment;
}

/** RFC 9768 §3.2.3: with the option where it has room. */
function tellMarks(c: TcpConnection, ecn: AccurateEcn, segment: Segment, now: Instant, tellsTwice: boolean): void {
  const { sack } = segment;
  if (!hasNoMarks(c)) {
    const { fields, blocks } = ecn.fit(now, 40 - tcpOptionsLength(segment), sack.length, c.rtt.srtt);
    segment.accEcn = ecn.option(now, fields, tellsTwice ? sack[0]?.start : undefined);
    if (blocks < sack.length) segment.sack = sack.slice(0, blocks);
  }
  if (!ecn.isMangled && c.settings.marksAcknowledgements) segment.ecn = ECT0;
}

/** What Linux keeps of a connection in TIME_WAIT does not count any more. */
const hasNoMarks = (c: TcpConnection): boolean =>
  c.settings.keepsRemains && (c.state === 'TIME_WAIT' || isRemembered(c));

/** It is Linux's remains of a connection that answer, no longer the connection as it did the FIN. */
const isRemembered = (c: TcpConnection): boolean => isForgotten(c) && c.receiver.unacknowledged === 0;

/** They know the window that was meant, and send as much of it as the field holds. */
const rememberedWindow = ({ tcb }: TcpConnection): number => (tcb.rcvWnd >> tcb.rcvScale) & 0xffff;

function offerOptions(c: TcpConnection, segment: Segment, answer: boolean): void {
  const { tcb, settings } = c;
  if (settings.noOptions) return;
  segment.mss = c.advertisedMss;
  if (isPlain(c)) return;
  // In an answer, only what the other end has offered (RFC 7323 §2.2, §3.2; RFC 2018 §2).
  if (answer ? tcb.scalingOn : settings.windowScaling) segment.windowScale = c.receiver.scale;
  segment.sackPermitted = answer ? tcb.sackOn : settings.sack;
  c.fastOpen?.offer(segment, answer);
}

/** Bytes that options of the next segment take beyond those that every segment has. */
export function optionsLength(c: TcpConnection): number {
  const sack = c.receiver.sackLength;
  if (!c.ecn?.isAccurate) return sack;
  const stamps = c.tcb.timestampsOn ? TIMESTAMPS_LENGTH : 0;
  const told = Math.max((sack - 4) >> 3, 0);
  const { fields, blocks } = c.ecn.fit(c.lastHeardAt, 40 - sack - stamps, told, c.rtt.srtt);
  return sackLength(blocks) + optionLength(fields, blocks > 0);
}
