/** TCP_INFO's fields by the names that code blocks and getsockopt have for them, in the kernel's units. */
import { NO_SSTHRESH } from '../transport/tcp/congestion/types.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import type { TcpInfo } from '../transport/tcp/info.ts';
import type { TcpListener } from '../transport/tcp/listener.ts';
import type { ProfileName } from '../transport/tcp/profiles.ts';
import { TIMESTAMPS_LENGTH } from '../transport/tcp/tcb.ts';
import { BSD_STATES, CA_STATES, STATE_NUMBERS } from './symbols.ts';

const FAST_OPEN_FAILURES: readonly TcpInfo['fastOpenFailure'][] = [
  'none',
  'no-cookie',
  'data-not-acknowledged',
  'syn-resent',
];
const micros = (ns: number): number => Math.floor(ns / 1e3);
const millis = (ns: number): number => Math.floor(ns / 1e6);

const bit = (on: boolean, mask: number): number => (on ? mask : 0);

const agreedOptions = (i: TcpInfo): number => bit(i.timestamps, 1) | bit(i.sack, 2) | bit(i.windowScaling, 4);

export const infoFields = (i: TcpInfo, profile: ProfileName): Record<string, number> =>
  profile === 'freebsd' ? { ...commonFields(i), ...bsdFields(i) } : commonFields(i);

/** What a socket without a connection has of them: one that listens, or is closed. */
export function unconnectedFields(listener: TcpListener | undefined, profile: ProfileName): Record<string, number> {
  const isBsd = profile === 'freebsd';
  const tcpi_state = (isBsd ? BSD_STATES : STATE_NUMBERS)[listener === undefined ? 'CLOSED' : 'LISTEN'];
  if (isBsd || listener === undefined) return { tcpi_state };
  return { tcpi_state, tcpi_unacked: listener.queued, tcpi_sacked: listener.backlog };
}

/** What BSD has otherwise: windows of bytes, and an MSS that options are not taken off. */
function bsdFields(i: TcpInfo): Record<string, number> {
  const mss = i.sndMss + bit(i.timestamps, TIMESTAMPS_LENGTH);
  return {
    tcpi_state: BSD_STATES[i.state],
    tcpi_options:
      agreedOptions(i) |
      bit(i.ecn && i.accurateEcn === undefined, 8) |
      bit(i.synDataAcknowledged, 0x20) |
      bit(i.accurateEcn !== undefined, 0x40),
    tcpi_snd_mss: mss,
    tcpi_rcv_mss: mss,
    tcpi_snd_cwnd: i.cwnd * i.sndMss,
    tcpi_snd_ssthresh: i.ssthresh >= NO_SSTHRESH ? 65535 << 14 : i.ssthresh * i.sndMss,
    tcpi_last_data_recv: micros(i.lastDataReceived),
    tcpi_rcv_space: i.rcvWnd,
  };
}

function commonFields(i: TcpInfo): Record<string, number> {
  return {
    // On Linux what is in TIME_WAIT is no longer the socket's.
    tcpi_state: STATE_NUMBERS[i.state === 'TIME_WAIT' ? 'CLOSED' : i.state],
    tcpi_ca_state: CA_STATES.indexOf(i.congestionState),
    tcpi_retransmits: i.retransmits,
    tcpi_probes: i.probes,
    tcpi_backoff: i.backoff,
    tcpi_options: agreedOptions(i) | bit(i.ecn, 8) | bit(i.ecnSeen, 16) | bit(i.synDataAcknowledged, 32),
    tcpi_snd_wscale: i.sndScale,
    tcpi_rcv_wscale: i.rcvScale,
    tcpi_delivery_rate_app_limited: i.deliveryRateAppLimited ? 1 : 0,
    tcpi_fastopen_client_fail: FAST_OPEN_FAILURES.indexOf(i.fastOpenFailure),
    tcpi_rto: micros(i.rto),
    tcpi_ato: micros(i.ato),
    tcpi_snd_mss: i.sndMss,
    tcpi_rcv_mss: i.rcvMss,
    tcpi_unacked: i.out,
    tcpi_sacked: i.sacked,
    tcpi_lost: i.lost,
    tcpi_retrans: i.resent,
    tcpi_fackets: 0,
    tcpi_last_data_sent: millis(i.lastDataSent),
    tcpi_last_ack_sent: 0,
    tcpi_last_data_recv: millis(i.lastDataReceived),
    tcpi_last_ack_recv: millis(i.lastAckReceived),
    tcpi_pmtu: i.pathMtu,
    tcpi_rcv_ssthresh: i.rcvThreshold,
    tcpi_rtt: micros(i.srtt),
    tcpi_rttvar: micros(i.rttvar),
    tcpi_snd_ssthresh: i.ssthresh,
    tcpi_snd_cwnd: i.cwnd,
    tcpi_advmss: i.advertisedMss,
    tcpi_reordering: i.reordering,
    tcpi_rcv_rtt: micros(i.receiveRtt),
    tcpi_rcv_space: i.rcvSpace,
    tcpi_total_retrans: i.totalRetransmissions,
    tcpi_pacing_rate: Number.isFinite(i.pacingRate) ? Math.floor(i.pacingRate) : 2 ** 64,
    tcpi_max_pacing_rate: 2 ** 64,
    tcpi_bytes_acked: i.bytesAcked,
    tcpi_bytes_received: i.bytesReceived,
    tcpi_segs_out: i.segmentsOut,
    tcpi_segs_in: i.segmentsIn,
    tcpi_notsent_bytes: i.unsent,
    tcpi_min_rtt: Number.isFinite(i.minRtt) ? micros(i.minRtt) : 0xffffffff,
    tcpi_data_segs_in: i.dataSegmentsIn,
    tcpi_data_segs_out: i.dataSegmentsOut,
    tcpi_delivery_rate: Math.floor(i.deliveryRate),
    tcpi_busy_time: micros(i.busyTime),
    tcpi_rwnd_limited: micros(i.windowLimited),
    tcpi_sndbuf_limited: micros(i.bufferLimited),
    tcpi_delivered: i.delivered,
    tcpi_delivered_ce: i.deliveredMarked,
    tcpi_bytes_sent: i.bytesSent,
    tcpi_bytes_retrans: i.bytesRetransmitted,
    tcpi_dsack_dups: i.duplicateSacks,
    tcpi_reord_seen: i.reorderings,
    tcpi_rcv_ooopack: i.outOfOrderSegments,
    tcpi_snd_wnd: i.sndWnd,
    tcpi_rcv_wnd: i.rcvWnd,
    tcpi_snd_rexmitpack: i.totalRetransmissions,
    tcpi_snd_zerowin: 0,
    ...accurateFields(i),
  };
}

const OPTION_SEEN = { 'not seen': 0, empty: 1, seen: 2, zeroed: 3 } as const;

function accurateFields({ ecn, accurateEcn: i }: TcpInfo): Record<string, number> {
  return {
    tcpi_ecn_mode: i === undefined ? (ecn ? 1 : 0) : 2,
    tcpi_received_ce: i?.receivedMarked ?? 0,
    tcpi_delivered_e1_bytes: i?.delivered.e1b ?? 0,
    tcpi_delivered_e0_bytes: i?.delivered.e0b ?? 0,
    tcpi_delivered_ce_bytes: i?.delivered.ceb ?? 0,
    tcpi_received_e1_bytes: i?.received.e1b ?? 0,
    tcpi_received_e0_bytes: i?.received.e0b ?? 0,
    tcpi_received_ce_bytes: i?.received.ceb ?? 0,
    tcpi_accecn_fail_mode:
      (i?.failsSent ? 1 : 0) |
      (i?.failsReceived ? 2 : 0) |
      (i?.optionIsLost ? 4 : 0) |
      (i?.option === 'zeroed' ? 8 : 0),
    tcpi_accecn_opt_seen: OPTION_SEEN[i?.option ?? 'not seen'],
  };
}

/** SO_MEMINFO, as far as it is about what a user can set or a window depends on. */
export function memoryFields({ connection }: TcpEndpoint): Record<string, number> {
  const { receiver, sender } = connection;
  return {
    SK_MEMINFO_RMEM_ALLOC: receiver.memory,
    SK_MEMINFO_RCVBUF: receiver.window.capacity,
    SK_MEMINFO_SNDBUF: sender.capacity,
    SK_MEMINFO_WMEM_QUEUED: sender.memoryUsed,
  };
}
