/** The kernels' knobs, translated into settings of the host under test. A name that is not here is not understood. */
import { ms, seconds } from '../base/instant.ts';
import type { TcpLayer } from '../transport/tcp/layer.ts';
import { CONGESTION_CONTROLS } from '../transport/tcp/profiles.ts';
import type { EcnMode, TcpSettings } from '../transport/tcp/types.ts';

type Change = (tcp: TcpLayer, value: string) => Partial<TcpSettings> | 'unknown';

const numberOf = (value: string): number => Number(value.trim().split(/\s+/)[0]);
const on = (value: string): boolean => numberOf(value) !== 0;
const triple = (value: string): number[] => value.trim().split(/\s+/).map(Number);
const ECN_MODES: Record<string, EcnMode> = {
  0: 'off',
  1: 'on',
  2: 'passive',
  3: 'accurate',
  4: 'accurate-on',
  5: 'accurate-passive',
};

function congestion(system: keyof typeof CONGESTION_CONTROLS): Change {
  return (_, value) => {
    const known = CONGESTION_CONTROLS[system] as Record<string, TcpSettings['congestionControl']>;
    const congestionControl = known[value.trim()];
    return congestionControl === undefined ? 'unknown' : { congestionControl };
  };
}

/** Bits of Linux's tcp_fastopen. */
const FAST_OPEN = { client: 1, server: 2, clientWithoutCookie: 4, serverWithoutCookie: 0x200 };

const LINUX: Record<string, Change> = {
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

function probing(tcp: TcpLayer, change: Partial<TcpSettings['mtuProbing']>): Partial<TcpSettings> {
  return { mtuProbing: { ...tcp.settings.mtuProbing, ...change } };
}

function keepAlive(tcp: TcpLayer, change: Partial<NonNullable<TcpSettings['keepAlive']>>): Partial<TcpSettings> {
  tcp.keepAliveDefaults = { ...tcp.keepAliveDefaults, ...change };
  return {};
}

/** Knobs of memory, logging and the like, which have nothing to turn here. */
const WITHOUT_EFFECT = new Set([
  'tcp_fack',
  // Since 6.16 there is nothing but RACK.
  'tcp_recovery',
  'tcp_no_metrics_save',
  'tcp_mem',
  'tcp_low_latency',
  'tcp_autocorking',
  'tcp_limit_output_bytes',
  'tcp_adv_win_scale',
  'tcp_retries1',
  'tcp_challenge_ack_limit',
  'tcp_max_syn_backlog',
  'tcp_backlog_ack_defer',
  'tcp_tw_reuse',
  'ip_local_port_range',
]);

/** Knobs that are as here when they have these values; with another one a script says nothing of us. */
const AS_IT_IS: Readonly<Record<string, number>> = {
  tcp_app_win: 31,
  tcp_reflect_tos: 0,
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
const WITHOUT_EFFECT_ELSEWHERE = /^(net\.core\.|net\.ipv[46]\.(conf|neigh|route)\.|kern\.|vm\.|hw\.|net\.ipv6\.)/;

const FREEBSD: Record<string, Change> = {
  'tcp.recvspace': (_, v) => ({ receiveBuffer: numberOf(v) }),
  'tcp.sendspace': (_, v) => ({ sendBuffer: numberOf(v) }),
  'tcp.recvbuf_max': (_, v) => ({ receiveBufferMax: numberOf(v) }),
  'tcp.sendbuf_max': (_, v) => ({ sendBufferMax: numberOf(v) }),
  'tcp.recvbuf_auto': (_, v) => ({ receiveBufferTuning: on(v) ? 'auto' : 'off' }),
  'tcp.sendbuf_auto': (_, v) => (on(v) ? {} : { sendBufferMax: 0 }),
  'tcp.rfc1323': (_, v) => ({
    windowScaling: (numberOf(v) & 1) !== 0,
    timestamps: numberOf(v) === 1 || numberOf(v) === 2,
  }),
  'tcp.tolerate_missing_ts': (_, v) => ({ requiresTimestamps: !on(v) }),
  'tcp.mssdflt': ({ settings }, v) => ({ defaultMss: { ...settings.defaultMss, ipv4: numberOf(v) } }),
  'tcp.v6mssdflt': ({ settings }, v) => ({ defaultMss: { ...settings.defaultMss, ipv6: numberOf(v) } }),
  'tcp.minmss': (_, v) => ({ leastSegment: numberOf(v) }),
  'tcp.ack_war_cnt': ({ settings }, v) => ({ challengeRate: { ...settings.challengeRate, most: numberOf(v) } }),
  'tcp.ack_war_timewindow': ({ settings }, v) => ({
    challengeRate: { ...settings.challengeRate, within: ms(numberOf(v)) },
  }),
  'tcp.blackhole': (_, v) => ({ answersUnclaimed: BLACK_HOLE[numberOf(v)] ?? 'all' }),
  'tcp.drop_synfin': (_, v) => ({ dropsSynFin: on(v) ? 'always' : 'never' }),
  'tcp.insecure_rst': (_, v) => ({ believesResets: on(v) }),
  'tcp.insecure_syn': (_, v) => ({ believesSyns: on(v) }),
  'tcp.keepinit': (_, v) => ({ connectTimeout: ms(numberOf(v)) }),
  'tcp.rexmit_slop': (_, v) => ({ rtoSlop: ms(numberOf(v)) }),
  'tcp.maxunacktime': (_, v) => ({ userTimeout: on(v) ? ms(numberOf(v)) : undefined }),
  'tcp.sack.enable': (_, v) => ({ sack: on(v) }),
  // tcp(4): 4 is AccECN for those who ask, and nothing asked for.
  'tcp.ecn.enable': (_, v) => ({ ecn: numberOf(v) === 4 ? 'accurate-passive' : (ECN_MODES[numberOf(v)] ?? 'off') }),
  'tcp.delayed_ack': (_, v) => (on(v) ? {} : { delayedAck: 0 }),
  'tcp.delacktime': (_, v) => ({ delayedAck: ms(numberOf(v)) }),
  'tcp.msl': (_, v) => ({ msl: ms(numberOf(v)) }),
  'tcp.rexmit_min': (_, v) => ({ minRto: ms(numberOf(v)) }),
  'tcp.rexmit_initial': (_, v) => ({ initialRto: ms(numberOf(v)) }),
  'tcp.initcwnd_segments': (_, v) => ({ initialWindow: numberOf(v) }),
  'tcp.cc.algorithm': congestion('freebsd'),
  // How long, where it is not left to the keep-alive timer.
  'tcp.finwait2_timeout': ({ settings }, v) => (settings.finWait2 < seconds(600) ? { finWait2: ms(numberOf(v)) } : {}),
  'tcp.fast_finwait2_recycle': (_, v) => ({ finWait2: seconds(on(v) ? 60 : 600) }),
  'tcp.path_mtu_discovery': (_, v) => ({ discoverMtu: on(v) }),
  'tcp.always_keepalive': (tcp, v) => ({ keepAlive: on(v) ? tcp.keepAliveDefaults : undefined }),
  'tcp.ecn.maxretries': (_, v) => ({ ecnRetries: numberOf(v) }),
  'tcp.syncache.rexmtlimit': (_, v) => ({ synAckRetries: numberOf(v) }),
  'tcp.persmin': (_, v) => ({ minProbeInterval: ms(numberOf(v)) }),
  'tcp.persmax': (_, v) => ({ maxProbeInterval: ms(numberOf(v)) }),
  'tcp.fastopen.server_enable': (tcp, v) => ({ fastOpen: { ...tcp.settings.fastOpen, server: on(v) } }),
  'tcp.fastopen.client_enable': (tcp, v) => ({ fastOpen: { ...tcp.settings.fastOpen, client: on(v) } }),
  // Any cookie will do.
  'tcp.fastopen.acceptany': (tcp, v) => ({ fastOpen: { ...tcp.settings.fastOpen, serverWithoutCookie: on(v) } }),
  'tcp.keepidle': (tcp, v) => keepAlive(tcp, { idle: ms(numberOf(v)) }),
  'tcp.keepintvl': (tcp, v) => keepAlive(tcp, { interval: ms(numberOf(v)) }),
  'tcp.keepcnt': (tcp, v) => keepAlive(tcp, { count: numberOf(v) }),
};
const BLACK_HOLE = ['all', 'all-but-syn', 'none', 'none'] as const;

/** Knobs that are as here when they have these values; with another one a script says nothing of us. */
const FREEBSD_AS_IT_IS: Readonly<Record<string, number>> = {
  'tcp.abc_l_var': 2,
  'tcp.do_prr': 1,
  'tcp.icmp_may_rst': 1,
  'tcp.insecure_ack': 0,
  'tcp.newcwv': 0,
  'tcp.pmtud_blackhole_detection': 0,
  'tcp.rexmit_drop_options': 0,
  'tcp.rfc3042': 1,
  'tcp.rfc3390': 1,
  'tcp.rfc3465': 1,
  'tcp.syncookies_only': 0,
  'tcp.udp_tunneling_port': 0,
};

/** What is left of their families: logging, memory, caches, and stacks that are chosen by name. */
const FREEBSD_WITHOUT_EFFECT =
  /^net\.inet6?\.(tcp\.(bb|cc|do_|ecn|eenable|fastopen|functions|hostcache|lro|log_|maxtcptw|nolocaltimewait|pacing|per_cpu|rack|bbr|newreno|reass|recvbuf_inc|rfc6675|sack|sendbuf_inc|syncache|syncookies|ts_offset|tso|udp)|ip6?\.|icmp6?\.|udp\.)/;

/** What holds for connections that are there already, as Linux looks at it anew each time. */
const AT_ONCE =
  /tcp_(ecn_option|ecn_option_beacon|ecn_fallback|early_retrans|frto|tso_win_divisor|min_tso_segs|slow_start_after_idle|pacing_\w+|dsack|retries2|thin_linear_timeouts|orphan_retries|max_reordering|comp_sack_nr|invalid_ratelimit|rfc1337|shrink_window|moderate_rcvbuf)$/;

/** False: the knob is not known. */
export function applySysctl(tcp: TcpLayer, name: string, value: string): boolean {
  const short = name.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
  const linux = /^net\.ipv4\.(.+)$/.exec(short);
  const freebsd = /^net\.inet\.(.+)$/.exec(short);
  const change = linux !== null ? LINUX[linux[1]] : freebsd !== null ? FREEBSD[freebsd[1]] : undefined;
  if (change === undefined) {
    return (
      (linux !== null && (WITHOUT_EFFECT.has(linux[1]) || AS_IT_IS[linux[1]] === numberOf(value))) ||
      WITHOUT_EFFECT_ELSEWHERE.test(short) ||
      isIdleOnFreebsd(short, value)
    );
  }
  const settings = change(tcp, value);
  if (settings === 'unknown') return false;
  if (AT_ONCE.test(name)) for (const { connection } of tcp.connections()) Object.assign(connection.settings, settings);
  tcp.settings = { ...tcp.settings, ...settings };
  return true;
}

function isIdleOnFreebsd(name: string, value: string): boolean {
  const expected = FREEBSD_AS_IT_IS[name.replace('net.inet.', '')];
  return expected === undefined ? FREEBSD_WITHOUT_EFFECT.test(name) : expected === numberOf(value);
}
