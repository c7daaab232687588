/** Linux's knobs (net.ipv4.tcp_...), translated. */
import { ms, seconds } from '../base/instant.ts';
import type { TcpSettings } from '../transport/tcp/types.ts';
import { type Change, congestion, ECN_MODES, type Knobs, keepAlive, numberOf, on, probing } from './knobs.ts';

const triple = (value: string): number[] => value.trim().split(/\s+/).map(Number);

/** Bits of Linux's tcp_fastopen. */
const FAST_OPEN = { client: 1, server: 2, clientWithoutCookie: 4, serverWithoutCookie: 0x200 };

const CHANGES: Record<string, Change> = {
  tcp_rmem: (_, v) => ({ receiveBuffer: triple(v)[1], receiveBufferMax: triple(v)[2] }),
  tcp_wmem: (_, v) => ({ sendBuffer: triple(v)[1], sendBufferMax: triple(v)[2] }),
  tcp_timestamps: (_, v) => ({ timestamps: on(v), timestampOffsets: numberOf(v) === 1 }),
  tcp_sack: (_, v) => ({ sack: on(v) }),
  tcp_dsack: (_, v) => ({ duplicateSack: on(v) }),
  tcp_window_scaling: (_, v) => ({ windowScaling: on(v) }),
  tcp_syncookies: (tcp, v) => {
    tcp.synCookies = (['never', 'when-full', 'always'] as const)[numberOf(v)] ?? 'when-full';
    return {};
  },
  tcp_reflect_tos: (_, v) => ({ reflectsTos: on(v) }),
  tcp_shrink_window: (_, v) => ({ shrinksWindow: on(v) }),
  tcp_syn_retries: (_, v) => ({ synRetries: numberOf(v) }),
  tcp_synack_retries: (_, v) => ({ synAckRetries: numberOf(v) }),
  tcp_syn_linear_timeouts: (_, v) => ({ synLinearTimeouts: numberOf(v) }),
  tcp_thin_linear_timeouts: (_, v) => ({ thinLinearTimeouts: on(v) }),
  tcp_retries2: (_, v) => ({ retries: numberOf(v) }),
  tcp_orphan_retries: (_, v) => ({ orphanRetries: numberOf(v) === 0 ? 8 : numberOf(v) }),
  tcp_frto: (_, v) => ({ frto: on(v) }),
  tcp_reordering: (_, v) => ({ reordering: numberOf(v) }),
  tcp_max_reordering: (_, v) => ({ maxReordering: numberOf(v) }),
  tcp_congestion_control: congestion('linux'),
  tcp_slow_start_after_idle: (_, v) => ({ slowStartAfterIdle: on(v) }),
  tcp_early_retrans: (_, v) => ({ tailLossProbe: numberOf(v) === 3 || numberOf(v) === 4 }),
  tcp_tso_win_divisor: (_, v) => ({ deferDivisor: numberOf(v) }),
  tcp_min_tso_segs: (_, v) => ({ minBurst: numberOf(v) }),
  tcp_ecn: (_, v) => ({ ecn: ECN_MODES[numberOf(v)] ?? 'off' }),
  tcp_ecn_fallback: (_, v) => ({ ecnFallback: on(v) }),
  tcp_ecn_option: (_, v) => ({
    accurateEcnOption: (['off', 'minimal', 'full', 'persistent'] as const)[numberOf(v)] ?? 'full',
  }),
  tcp_ecn_option_beacon: (_, v) => ({ accurateEcnBeacons: numberOf(v) }),
  tcp_pacing_ss_ratio: (_, v) => ({ pacingSlowStart: numberOf(v) / 100 }),
  tcp_pacing_ca_ratio: (_, v) => ({ pacingAvoidance: numberOf(v) / 100 }),
  tcp_notsent_lowat: (_, v) => ({
    notSentLowWater: numberOf(v) >= 0xffffffff ? Number.POSITIVE_INFINITY : numberOf(v),
  }),
  tcp_fastopen: (tcp, v) => {
    const bits = numberOf(v);
    const fastOpen = Object.fromEntries(Object.entries(FAST_OPEN).map(([name, bit]) => [name, (bits & bit) !== 0]));
    tcp.fastOpenAllListeners = (bits & 0x400) !== 0;
    return { fastOpen: fastOpen as unknown as TcpSettings['fastOpen'] };
  },
  tcp_fastopen_key: (tcp, v) => {
    const keys = v
      .trim()
      .split(',')
      .map(key => Uint32Array.from(key.split('-').map(part => Number.parseInt(part, 16))));
    if (keys.some(key => key.length !== 4)) return 'unknown';
    tcp.fastOpenCookies.setKeys(keys);
    return {};
  },
  tcp_fin_timeout: (_, v) => ({ finWait2: seconds(numberOf(v)) }),
  tcp_rfc1337: (_, v) => ({ protectsTimeWait: on(v) }),
  tcp_invalid_ratelimit: (_, v) => ({ challengeInterval: ms(numberOf(v)) }),
  tcp_comp_sack_nr: (_, v) => ({ maxCompressedAcks: numberOf(v) }),
  tcp_mtu_probing: (tcp, v) => probing(tcp, { mode: (['off', 'black-hole', 'on'] as const)[numberOf(v)] ?? 'off' }),
  tcp_base_mss: (tcp, v) => probing(tcp, { base: numberOf(v) }),
  tcp_probe_threshold: (tcp, v) => probing(tcp, { threshold: numberOf(v) }),
  tcp_probe_interval: (tcp, v) => probing(tcp, { interval: seconds(numberOf(v)) }),
  tcp_keepalive_time: (tcp, v) => keepAlive(tcp, { idle: seconds(numberOf(v)) }),
  tcp_keepalive_intvl: (tcp, v) => keepAlive(tcp, { interval: seconds(numberOf(v)) }),
  tcp_keepalive_probes: (tcp, v) => keepAlive(tcp, { count: numberOf(v) }),
  tcp_rto_max_ms: (_, v) => ({ maxRto: ms(numberOf(v)) }),
  tcp_rto_min_us: (_, v) => ({ minRto: numberOf(v) * 1000 }),
  tcp_moderate_rcvbuf: (_, v) => ({ receiveBufferTuning: on(v) ? 'auto' : 'off' }),
  tcp_min_rtt_wlen: (_, v) => ({ minRttWindow: seconds(numberOf(v)) }),
  ip_default_ttl: (_, v) => ({ ttl: numberOf(v) }),
};

/** Since 6.16 there is nothing but RACK, whatever tcp_recovery says. */
const WITHOUT_EFFECT =
  /^(tcp_(fack|recovery|no_metrics_save|mem|low_latency|autocorking|limit_output_bytes|adv_win_scale|retries1|challenge_ack_limit|max_syn_backlog|backlog_ack_defer|tw_reuse)|ip_local_port_range)$/;

const AS_IT_IS: Readonly<Record<string, number>> = {
  tcp_app_win: 31,
  tcp_workaround_signed_windows: 0,
  tcp_fastopen_blackhole_timeout_sec: 0,
  tcp_abort_on_overflow: 0,
  tcp_tso_rtt_log: 9,
  tcp_comp_sack_delay_ns: 1_000_000,
  tcp_comp_sack_slack_ns: 100_000,
  tcp_rcvbuf_low_rtt: 1000,
  tcp_plb_enabled: 0,
  tcp_l3mdev_accept: 0,
  tcp_stdurg: 0,
};

export const LINUX_KNOBS: Knobs = {
  prefix: /^net\.ipv4\./,
  changes: CHANGES,
  asItIs: AS_IT_IS,
  withoutEffect: WITHOUT_EFFECT,
};
