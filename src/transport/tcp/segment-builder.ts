/** A segment as a connection sends them: acknowledgement, window, timestamps, SACK, and on a SYN what we offer. */
import type { Instant } from '../../base/instant.ts';
import type { Seq } from '../../base/seq32.ts';
import { ACK, Segment, SYN } from '../../wire/tcp.ts';
import { tcpOptionsLength } from '../../wire/tcp-options.ts';
import type { AccurateEcn } from './accurate-ecn.ts';
import type { TcpConnection } from './connection.ts';
import { ECT0 } from './ecn-field.ts';
import { isForgotten } from './forgotten.ts';

export function buildSegment(c: TcpConnection, now: Instant, flags: number, seq: Seq): Segment {
  const { tcb, receiver, settings } = c;
  const segment = new Segment();
  segment.order = settings.optionOrder;
  segment.seq = seq;
  segment.flags = flags;
  const isSyn = (flags & SYN) !== 0;
  const hasAck = (flags & ACK) !== 0;
  if (hasAck) segment.ack = tcb.rcvNxt;
  // Of a simultaneous open Linux's SYN+ACK is the SYN again, and offers what that one did.
  const answers = hasAck && (c.passive || settings.segmentRule !== 'linux');
  if (isSyn) offerOptions(c, segment, answers);
  // RFC 7323 §2.2: the window field of a SYN is never scaled.
  if (!isSyn) segment.window = isRemembered(c) ? rememberedWindow(c) : receiver.offerWindow(tcb.rcvScale);
  else segment.window = hasAck ? receiver.offerInitial() : Math.min(receiver.window.initial(), 65535);
  if (tcb.timestampsOn || (isSyn && !answers && settings.timestamps)) {
    segment.hasTimestamps = true;
    segment.tsVal = tcb.timestamp(now);
    segment.tsEcr = hasAck ? tcb.tsRecent : 0;
  }
  if (hasAck) {
    if (!isSyn) {
      if (tcb.sackOn && (receiver.hasGap || receiver.hasDuplicate)) segment.sack = receiver.sackBlocks();
      if (c.ecn !== undefined) segment.flags |= c.ecn.ackFlags;
    }
    if (c.ecn?.isAccurate) countMarks(c, c.ecn, segment, isSyn);
    if (!isSyn) c.urgent?.mark(segment, tcb);
    receiver.acknowledged();
  }
  return segment;
}

/** RFC 9768 §3.2.3. */
function countMarks({ settings }: TcpConnection, ecn: AccurateEcn, segment: Segment, isSynAck: boolean): void {
  segment.accEcn = ecn.option(40 - tcpOptionsLength(segment), segment.sack.length > 0, isSynAck);
  // Acknowledgements and retransmissions of Linux's are ECN-capable too, since marks of them are counted.
  if (!isSynAck && !ecn.isMangled && settings.segmentRule === 'linux') segment.ecn = ECT0;
}

/** It is Linux's remains of a connection that answer, no longer the connection as it did the FIN. */
const isRemembered = (c: TcpConnection): boolean => isForgotten(c) && c.receiver.unacknowledged === 0;

/** They know the window that was meant, and send as much of it as the field holds. */
const rememberedWindow = ({ tcb }: TcpConnection): number => (tcb.rcvWnd >> tcb.rcvScale) & 0xffff;

function offerOptions(c: TcpConnection, segment: Segment, answer: boolean): void {
  const { tcb, settings } = c;
  segment.mss = c.advertisedMss;
  // In an answer, only what the other end has offered (RFC 7323 §2.2, §3.2; RFC 2018 §2).
  if (answer ? tcb.scalingOn : settings.windowScaling) segment.windowScale = c.receiver.scale;
  segment.sackPermitted = answer ? tcb.sackOn : settings.sack;
  c.fastOpen?.offer(segment, answer);
}
