/** What there is to know of a connection at a moment (RFC 4898 in short, tcp(7)'s TCP_INFO): the one snapshot type. */
import type { Duration, Instant } from '../../base/instant.ts';
import { seqDiff } from '../../base/seq32.ts';
import type { AccurateEcn } from './accurate-ecn.ts';
import type { TcpConnection } from './connection.ts';
import type { EcnBytes } from './ecn-field.ts';
import type { FastOpenSide } from './fast-open-side.ts';
import { LIMIT } from './limits.ts';
import { pacingRate } from './pacing.ts';
import type { CongestionState } from './recovery.ts';
import type { State } from './state.ts';

export interface TcpInfo {
  state: State;
  congestionState: CongestionState;
  congestionControl: string;
  /** Timeouts in a row, window probes unanswered, how often the timer is backed off. */
  retransmits: number;
  probes: number;
  backoff: number;
  timestamps: boolean;
  sack: boolean;
  windowScaling: boolean;
  ecn: boolean;
  ecnSeen: boolean;
  synDataAcknowledged: boolean;
  fastOpenFailure: FastOpenSide['failure'];
  sndScale: number;
  rcvScale: number;
  rto: Duration;
  /** Until a delayed acknowledgement. */
  ato: Duration;
  sndMss: number;
  rcvMss: number;
  advertisedMss: number;
  pathMtu: number;
  /** Segments. */
  out: number;
  sacked: number;
  lost: number;
  resent: number;
  cwnd: number;
  ssthresh: number;
  reordering: number;
  reorderings: number;
  totalRetransmissions: number;
  /** Durations since. */
  lastDataSent: Duration;
  lastDataReceived: Duration;
  lastAckReceived: Duration;
  srtt: Duration;
  rttvar: Duration;
  minRtt: Duration;
  receiveRtt: Duration;
  /** Bytes. */
  sndWnd: number;
  rcvWnd: number;
  /** Up to where the window may grow now, and what the user is thought to read in a round trip. */
  rcvThreshold: number;
  rcvSpace: number;
  bytesAcked: number;
  bytesReceived: number;
  bytesSent: number;
  bytesRetransmitted: number;
  unsent: number;
  /** Bytes per second. */
  deliveryRate: number;
  deliveryRateAppLimited: boolean;
  pacingRate: number;
  segmentsOut: number;
  segmentsIn: number;
  dataSegmentsOut: number;
  dataSegmentsIn: number;
  outOfOrderSegments: number;
  duplicateSacks: number;
  delivered: number;
  deliveredMarked: number;
  /** Undefined: AccECN was not agreed on. */
  accurateEcn: AccurateEcnInfo | undefined;
  busyTime: Duration;
  windowLimited: Duration;
  bufferLimited: Duration;
}

/** Bytes by codepoint as the other end has told, and as they came here; packets that came marked. */
export interface AccurateEcnInfo {
  delivered: EcnBytes;
  received: EcnBytes;
  receivedMarked: number;
  option: AccurateEcn['feedback']['option'];
  failsReceived: boolean;
  failsSent: boolean;
  optionIsLost: boolean;
}

/** Without the initial values of the counters. */
const counted = ({ e0b, e1b, ceb }: EcnBytes): EcnBytes => ({ e0b: e0b - 1, e1b: e1b - 1, ceb });

function accurateInfo({ feedback, received, ...rest }: AccurateEcn): AccurateEcnInfo {
  const { failsReceived, failsSent, optionIsLost } = rest;
  return {
    delivered: counted(feedback.bytes),
    received: counted(received.bytes),
    receivedMarked: received.packets,
    option: feedback.option,
    failsReceived,
    failsSent,
    optionIsLost,
  };
}

export function tcpInfo(c: TcpConnection, now: Instant): TcpInfo {
  const { tcb, sender, receiver, settings } = c;
  const { recovery, rtt, queue, limits, transmitter } = sender;
  const headers = c.localMss < 1500 - 40 ? 60 : 40;
  return {
    state: c.state,
    congestionState: recovery.state,
    congestionControl: recovery.congestion.name,
    retransmits: recovery.timeouts,
    probes: sender.prober?.unanswered ?? 0,
    backoff: rtt.backoffs,
    timestamps: tcb.timestampsOn,
    sack: tcb.sackOn,
    windowScaling: tcb.scalingOn,
    ecn: c.ecnOn,
    ecnSeen: c.ecn?.hasSeen ?? false,
    synDataAcknowledged: c.fastOpen?.dataAcknowledged ?? false,
    fastOpenFailure: c.fastOpen?.failure ?? 'none',
    sndScale: tcb.sndScale,
    rcvScale: tcb.rcvScale,
    rto: rtt.rto,
    ato: settings.delayedAck,
    sndMss: tcb.mss,
    rcvMss: receiver.policy.fullSize,
    advertisedMss: c.advertisedMss - (tcb.timestampsOn ? 12 : 0),
    pathMtu: tcb.pathMss + headers,
    out: queue.out,
    sacked: queue.sacked,
    lost: queue.lost,
    resent: queue.resent,
    cwnd: recovery.window.cwnd,
    ssthresh: recovery.window.ssthresh,
    reordering: recovery.reordering,
    reorderings: recovery.reorderings,
    totalRetransmissions: recovery.totalRetransmissions,
    lastDataSent: transmitter.lastSentAt < 0 ? 0 : now - transmitter.lastSentAt,
    lastDataReceived: now - (receiver.lastDataAt === 0 ? c.openedAt : receiver.lastDataAt),
    lastAckReceived: now - sender.lastAckAt,
    srtt: rtt.srtt ?? 0,
    rttvar: settings.rtoRule === 'windowed' ? rtt.deviation : rtt.rttvar,
    minRtt: rtt.min,
    receiveRtt: rtt.srtt ?? 0,
    sndWnd: tcb.sndWnd,
    rcvWnd: tcb.rcvWnd,
    rcvThreshold: receiver.window.threshold,
    rcvSpace: receiver.window.roundSpace,
    bytesAcked: sender.acknowledgedBytes,
    bytesReceived: receiver.bytesReceived,
    bytesSent: sender.sentBytes,
    bytesRetransmitted: sender.retransmittedBytes,
    unsent: Math.max(0, seqDiff(sender.writeSeq, tcb.sndNxt)),
    deliveryRate: recovery.rate.sampled,
    deliveryRateAppLimited: recovery.rate.sampledAppLimited,
    pacingRate: pacingRate(sender),
    segmentsOut: sender.segmentsSent,
    segmentsIn: c.segmentsReceived,
    dataSegmentsOut: sender.dataSegmentsSent,
    dataSegmentsIn: receiver.segmentsWithData,
    outOfOrderSegments: receiver.outOfOrder,
    duplicateSacks: recovery.duplicates,
    delivered: recovery.rate.delivered,
    deliveredMarked: c.accurateEcn?.feedback.packets ?? recovery.rate.deliveredMarked,
    accurateEcn: c.accurateEcn === undefined ? undefined : accurateInfo(c.accurateEcn),
    busyTime: limits.total(now, LIMIT.busy),
    windowLimited: limits.total(now, LIMIT.window),
    bufferLimited: limits.total(now, LIMIT.buffer),
  };
}
