/** FreeBSD's knobs (net.inet.tcp....), translated; tcp(4) says what they are. */
import { fromHex } from '../base/bytes.ts';
import { ms, seconds } from '../base/instant.ts';
import { littleEndian } from '../transport/tcp/fast-open.ts';
import type { TcpLayer } from '../transport/tcp/layer.ts';
import type { TcpSettings } from '../transport/tcp/types.ts';
import { type Change, congestion, ECN_MODES, type Knobs, keepAlive, numberOf, on, probing } from './knobs.ts';

const CHANGES: Record<string, Change> = {
  'tcp.recvspace': (_, v) => ({ receiveBuffer: numberOf(v) }),
  'tcp.sendspace': (_, v) => ({ sendBuffer: numberOf(v) }),
  'tcp.recvbuf_max': (_, v) => ({ receiveBufferMax: numberOf(v) }),
  'tcp.sendbuf_max': (_, v) => ({ sendBufferMax: numberOf(v) }),
  'tcp.recvbuf_auto': (_, v) => ({ receiveBufferTuning: on(v) ? 'auto' : 'off' }),
  'tcp.sendbuf_auto': (_, v) => (on(v) ? {} : { sendBufferMax: 0 }),
  'tcp.rfc1323': (_, v) => ({
    // 2: only the window scale option; 3: only timestamps.
    windowScaling: on(v) && numberOf(v) !== 3,
    timestamps: on(v) && numberOf(v) !== 2,
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
  'tcp.insecure_ack': (_, v) => ({ doubtsOldAcks: !on(v) }),
  'tcp.icmp_may_rst': (_, v) => ({ handshakeErrors: on(v) ? 'bsd' : 'none' }),
  'tcp.syncookies': (tcp, v, past) => cookies(tcp, v, past.get('tcp.syncookies_only')),
  'tcp.syncookies_only': (tcp, v, past) => cookies(tcp, past.get('tcp.syncookies'), v),
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
  'tcp.rexmit_max': (_, v) => ({ maxRto: ms(numberOf(v)) }),
  'tcp.retries': (_, v) => ({ retries: numberOf(v), synRetries: numberOf(v) }),
  'tcp.functions_default': (_, v) => (v.trim() === 'freebsd' ? {} : 'unknown'),
  'tcp.cc.abe': (_, v) => ({ alternativeBackoff: on(v) }),
  'tcp.newcwv': (_, v) => ({ validatesGrowth: on(v) }),
  'tcp.rexmit_initial': (_, v) => ({ initialRto: ms(numberOf(v)) }),
  'tcp.initcwnd_segments': (_, v, past) => initialWindow(v, past.get('tcp.rfc3390')),
  'tcp.rfc3390': (_, v, past) => initialWindow(past.get('tcp.initcwnd_segments'), v),
  'tcp.rfc3465': (_, v, past) => byteCounting(v, past.get('tcp.abc_l_var')),
  'tcp.abc_l_var': (_, v, past) => byteCounting(past.get('tcp.rfc3465'), v),
  'tcp.rfc3042': (_, v) => ({ limitedTransmit: on(v) }),
  'tcp.do_prr': (_, v) => ({ proportionalReduction: on(v) }),
  'tcp.do_lrd': (_, v) => ({ findsLostAgain: on(v) }),
  'tcp.sack.lrd': (_, v) => ({ findsLostAgain: on(v) }),
  'tcp.rexmit_drop_options': (_, v) => ({ plainSynAfter: on(v) ? 3 : Number.POSITIVE_INFINITY }),
  'tcp.pmtud_blackhole_detection': (tcp, v) => probing(tcp, { mode: on(v) ? 'bsd' : 'off' }),
  'tcp.pmtud_blackhole_mss': (tcp, v) => probing(tcp, { base: numberOf(v) }),
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
  'tcp.fastopen.setkey': (tcp, v) => {
    if (!/^[0-9a-f]{32}$/i.test(v.trim())) return 'unknown';
    // The newest makes cookies; those before it are known as well (net.inet.tcp.fastopen.maxkeys).
    tcp.fastOpenCookies.addKey(Uint32Array.from(littleEndian(fromHex(v.trim()))));
    return {};
  },
  'tcp.keepidle': (tcp, v) => keepAlive(tcp, { idle: ms(numberOf(v)) }),
  'tcp.keepintvl': (tcp, v) => keepAlive(tcp, { interval: ms(numberOf(v)) }),
  'tcp.keepcnt': (tcp, v) => keepAlive(tcp, { count: numberOf(v) }),
};
const BLACK_HOLE = ['all', 'all-but-syn', 'none', 'none'] as const;

/** A number of segments, or without one RFC 3390's, or RFC 5681's. */
function initialWindow(segments = '10', rfc3390 = '1'): Partial<TcpSettings> {
  if (on(segments)) return { initialWindow: numberOf(segments), initialWindowRule: 'rfc6928' };
  return { initialWindow: 4, initialWindowRule: on(rfc3390) ? 'rfc3390' : 'rfc5681' };
}

const byteCounting = (rfc3465 = '1', most = '2'): Partial<TcpSettings> => ({
  byteCounting: on(rfc3465) ? numberOf(most) : 0,
});

function cookies(tcp: TcpLayer, some = '1', only = '0'): Partial<TcpSettings> {
  tcp.synCookies = on(only) ? 'always' : on(some) ? 'when-full' : 'never';
  return {};
}

const AS_IT_IS: Readonly<Record<string, number>> = {
  'tcp.cc.abe_frlossreduce': 0,
  'tcp.cc.newreno.beta': 50,
  'tcp.cc.newreno.beta_ecn': 80,
  'tcp.do_prr_conservative': 0,
  'tcp.fastopen.psk_enable': 0,
  'tcp.rfc6675_pipe': 1,
  'tcp.sack.revised': 1,
  'tcp.udp_tunneling_port': 0,
};

/** Logging, memory, caches, and what a line describes either way. */
const WITHOUT_EFFECT =
  /^tcp\.(bb\.|cc\.available|do_tcpdrain|fastopen\.(autokey|ccache|max|keylen|numkeys|numpsks|path_disable)|functions_inherit|hostcache\.|hpts|log_|maxtcptw|map_limit|nolocaltimewait|per_cpu_timers|reass\.|recvbuf_inc|require_unique_port|sack\.(globalmaxholes|maxholes|tso)|sendbuf_(auto_lowat|inc)|soreceive_stream|split_limit|syncache\.|ts_offset_per_conn|tso|isn_reseed_interval|msl_local|v6pmtud_blackhole_mss|udp_tunneling_overhead)/;

export const FREEBSD_KNOBS: Knobs = {
  prefix: /^net\.inet6?\./,
  changes: CHANGES,
  asItIs: AS_IT_IS,
  withoutEffect: WITHOUT_EFFECT,
};
