/** Socket options by name: settings of the connection, or of those that a listener makes. */
import { type Duration, ms, seconds, us } from '../base/instant.ts';
import type { StampedPoint } from '../posix/error-queue.ts';
import { type Failed, failed, isFailed, type Result } from '../posix/results.ts';
import type { StreamSocket } from '../posix/stream-socket.ts';
import { FastOpenCookies, littleEndian } from '../transport/tcp/fast-open.ts';
import { keepAliveChanged } from '../transport/tcp/keep-alive.ts';
import { CONGESTION_CONTROLS } from '../transport/tcp/profiles.ts';
import { TIMESTAMPS_LENGTH } from '../transport/tcp/tcb.ts';
import type { Urge } from '../transport/tcp/transmitter.ts';
import type { TcpSettings } from '../transport/tcp/types.ts';
import { answerOf, isRemembered, ownOption, refusalOf } from './bsd-options.ts';
import { ERRNO, SYMBOLS } from './symbols.ts';
import { Unsupported } from './values.ts';
import type { World } from './world.ts';

export type OptionValue = number | string | { [field: string]: OptionValue };

/** Linux's limits of SO_SNDBUF and SO_RCVBUF, before doubling. */
const MOST_BUFFER = 212_992 * 64;
const LEAST_SEND_BUFFER = 4608;
const LEAST_RECEIVE_BUFFER = 2304;
const FAST_OPEN_KEY = 16;

/** Remembered for getsockopt; what they change is not TCP's. */
const INERT = new Set([
  'SO_REUSEADDR',
  'SO_REUSEPORT',
  'SO_TIMESTAMP',
  'SO_PRIORITY',
  'SO_MARK',
  'SO_BROADCAST',
  'SO_DONTROUTE',
  'SO_NO_CHECK',
  'IP_RECVERR',
  'IP_FREEBIND',
  'IPV6_RECVERR',
  'IPV6_V6ONLY',
  'TCP_LOG_ID',
  'TCP_FASTOPEN_CONNECT',
  'TCP_FASTOPEN_NO_COOKIE',
  'TCP_SAVE_SYN',
]);

/** On BSD a buffer is as large as was asked for. */
const bufferSize = (world: World, asked: number, least: number): number =>
  world.profile === 'freebsd' ? asked : Math.max(2 * Math.min(asked, MOST_BUFFER), least);

/** A timeval; of nothing: as long as it takes. */
function durationOf(value: OptionValue): Duration | undefined {
  const { tv_sec, tv_usec } = fields(value, ['tv_sec', 'tv_usec']);
  return tv_sec + tv_usec === 0 ? undefined : seconds(tv_sec) + us(tv_usec);
}

const timevalOf = (timeout: Duration = 0): OptionValue => ({
  tv_sec: Math.floor(timeout / 1e9),
  tv_usec: Math.floor((timeout % 1e9) / 1e3),
});

export function setOption(world: World, socket: StreamSocket, name: string, value: OptionValue): Result<number> {
  const n = typeof value === 'number' ? value : 0;
  const isBsd = world.profile === 'freebsd';
  const refusal = isBsd ? refusalOf(socket, name, n, fields(value, ['onoff', 'linger']).linger) : undefined;
  if (refusal !== undefined) return failed(refusal);
  const { endpoint } = socket;
  const now = world.now;
  const change = (settings: Partial<TcpSettings>): void => {
    Object.assign(socket.settings, settings);
    if (endpoint !== undefined) Object.assign(endpoint.connection.settings, settings);
  };
  const push = (urge: Urge): void => {
    endpoint?.connection.sender.transmitter.push(now, urge);
    endpoint?.run();
  };
  switch (name) {
    case 'SO_SNDBUF':
    case 'SO_SNDBUFFORCE': {
      const size = bufferSize(world, n, LEAST_SEND_BUFFER);
      change({ sendBuffer: size, sendBufferMax: 0 });
      if (endpoint !== undefined) endpoint.connection.sender.capacity = size;
      return 0;
    }
    case 'SO_RCVBUF':
    case 'SO_RCVBUFFORCE': {
      const size = bufferSize(world, n, LEAST_RECEIVE_BUFFER);
      change({ receiveBuffer: size, receiveBufferTuning: 'fixed' });
      endpoint?.connection.receiver.window.setCapacity(size);
      return 0;
    }
    case 'SO_RCVLOWAT':
      socket.receiveLowWater = Math.max(n, 1);
      return 0;
    case 'SO_RCVTIMEO':
      socket.receiveTimeout = durationOf(value);
      return 0;
    case 'SO_SNDTIMEO':
      socket.sendTimeout = durationOf(value);
      return 0;
    case 'SO_LINGER': {
      const { onoff, linger } = fields(value, ['onoff', 'linger']);
      socket.lingerSeconds = onoff ? linger : undefined;
      change({ linger: onoff && linger === 0 ? 0 : undefined });
      return 0;
    }
    case 'SO_KEEPALIVE':
      socket.flags.set(name, n === 0 ? 0 : 1);
      // On BSD all connections are kept alive (net.inet.tcp.always_keepalive), asked for or not.
      if (n === 0 && world.host.tcp.settings.keepAlive !== undefined) return 0;
      change({ keepAlive: n ? { ...world.host.tcp.keepAliveDefaults, ...keepAliveOf(socket) } : undefined });
      if (endpoint !== undefined) keepAliveChanged(endpoint.connection, now);
      return 0;
    case 'TCP_KEEPINIT':
      change({ connectTimeout: seconds(n) });
      return 0;
    case 'TCP_KEEPIDLE':
    case 'TCP_KEEPINTVL':
    case 'TCP_KEEPCNT':
      // On BSD nothing is the host's.
      if (n < (isBsd ? 0 : 1)) return failed('EINVAL');
      if (n === 0) socket.flags.delete(name);
      else socket.flags.set(name, n);
      if ((endpoint?.connection.settings ?? { ...world.host.tcp.settings, ...socket.settings }).keepAlive) {
        change({ keepAlive: { ...world.host.tcp.keepAliveDefaults, ...keepAliveOf(socket) } });
        if (endpoint !== undefined) keepAliveChanged(endpoint.connection, now);
      }
      return 0;
    case 'TCP_NODELAY':
      change({ noDelay: n !== 0 });
      if (n !== 0) push('push');
      return 0;
    case 'TCP_CORK':
    case 'TCP_NOPUSH':
      change({ cork: n !== 0 });
      // On Linux Nagle's algorithm goes on from there.
      if (n === 0) push(world.profile === 'linux' && !socket.settings.noDelay ? 'nagle' : 'push');
      return 0;
    case 'TCP_MAXSEG':
      if (!isBsd && n !== 0 && (n < 88 || n > 32767)) return failed('EINVAL');
      change({ maxSegment: n });
      return 0;
    case 'TCP_USER_TIMEOUT':
      if (n < 0) return failed('EINVAL');
      change({ userTimeout: n === 0 ? undefined : ms(n) });
      return 0;
    case 'TCP_MAXUNACKTIME':
      change({ userTimeout: n === 0 ? undefined : seconds(n) });
      return 0;
    case 'TCP_SYNCNT':
      if (n < 1 || n > 127) return failed('EINVAL');
      change({ synRetries: n, synAckRetries: n });
      return 0;
    case 'TCP_NOTSENT_LOWAT':
      change({ notSentLowWater: n === 0 || n >= 0xffffffff ? Number.POSITIVE_INFINITY : n });
      return 0;
    case 'TCP_QUICKACK':
      endpoint?.connection.receiver.setQuick(n !== 0);
      endpoint?.run();
      return 0;
    case 'TCP_NOOPT':
      change({ noOptions: n !== 0 });
      return 0;
    case 'TCP_THIN_LINEAR_TIMEOUTS':
      if (n < 0 || n > 1) return failed('EINVAL');
      change({ thinLinearTimeouts: n === 1 });
      return 0;
    case 'TCP_CONGESTION':
      return setCongestion(world, change, String(value));
    case 'TCP_FASTOPEN':
      socket.flags.set(name, n);
      if (socket.listener !== undefined) socket.listener.fastOpenBacklog = n;
      return 0;
    case 'TCP_FASTOPEN_KEY':
      return setFastOpenKey(socket, value);
    case 'TCP_DEFER_ACCEPT':
      socket.flags.set(name, retriesToSeconds(secondsToRetries(n)));
      change({ deferAccept: secondsToRetries(n) });
      return 0;
    case 'TCP_LINGER2':
      socket.flags.set(name, n);
      change({ finWait2: seconds(Math.max(0, Math.min(n, 120))) });
      return 0;
    case 'TCP_WINDOW_CLAMP':
      if (n === 0 && endpoint !== undefined) return failed('EINVAL');
      socket.flags.set(name, n);
      change({ windowClamp: n === 0 ? Number.POSITIVE_INFINITY : Math.max(n, LEAST_RECEIVE_BUFFER / 2) });
      if (endpoint !== undefined) {
        const { receiver } = endpoint.connection;
        receiver.window.setMost(Math.max(n, LEAST_RECEIVE_BUFFER / 2), receiver.lastOffered);
      }
      return 0;
    case 'TCP_RTO_MAX_MS':
      if (n < 1000 || n > 120_000) return failed('EINVAL');
      change({ maxRto: ms(n) });
      return 0;
    case 'TCP_RTO_MIN_US':
      if (n < 1 || n > 1_000_000) return failed('EINVAL');
      change({ minRto: n * 1000 });
      return 0;
    case 'TCP_INQ':
      if (n < 0 || n > 1) return failed('EINVAL');
      socket.reportsInq = n === 1;
      return 0;
    case 'SO_OOBINLINE':
      socket.mark.inline = n !== 0;
      return 0;
    case 'SO_ZEROCOPY':
      if (n < 0 || n > 1) return failed('EINVAL');
      socket.zeroCopy = n === 1;
      return 0;
    case 'SO_TIMESTAMPING':
    case 'SO_TIMESTAMPING_NEW':
      return setStamps(socket, name, n);
    case 'SO_MAX_PACING_RATE':
      change({ maxPacingRate: n >= 0xffffffff ? Number.POSITIVE_INFINITY : n });
      return 0;
    case 'IP_TOS':
    case 'IPV6_TCLASS':
      change({ tos: n });
      return 0;
    case 'IP_TTL':
    case 'IPV6_UNICAST_HOPS':
      change({ ttl: n });
      return 0;
    case 'IP_MTU_DISCOVER':
    case 'IPV6_MTU_DISCOVER':
      change({ discoverMtu: n !== 0 });
      return 0;
    case 'TCP_FUNCTION_BLK':
      return setStack(socket, value);
    case 'TCP_REPAIR':
      throw new Unsupported('TCP_REPAIR is not here');
    default:
      if (!INERT.has(name) && !(isBsd && isRemembered(name)))
        throw new Unsupported(`the socket option ${name} is not known here`);
      socket.flags.set(name, n);
      if (typeof value === 'object') socket.remembered.set(name, value);
      return 0;
  }
}

/** Of FreeBSD's stacks there is the one that it comes with. */
function setStack(socket: StreamSocket, value: OptionValue): Result<number> {
  const name = typeof value === 'object' ? value.function_set_name : '';
  if (name !== 'freebsd') throw new Unsupported(`the TCP stack '${String(name)}' is not here`);
  if (typeof value === 'object') socket.remembered.set('TCP_FUNCTION_BLK', value);
  return 0;
}

/** One key of 16 bytes, or two: the first makes cookies, the second is still known. */
function setFastOpenKey(socket: StreamSocket, value: OptionValue): Result<number> {
  const bytes = Uint8Array.from(String(value), letter => letter.charCodeAt(0));
  if (bytes.length !== FAST_OPEN_KEY && bytes.length !== 2 * FAST_OPEN_KEY) return failed('EINVAL');
  const words = littleEndian(bytes);
  const keys = [words.slice(0, 4), words.slice(4)].filter(key => key.length > 0).map(key => Uint32Array.from(key));
  socket.fastOpenKey = String(value);
  socket.fastOpenCookies = FastOpenCookies.withKeys(keys);
  if (socket.listener !== undefined) socket.listener.fastOpenCookies = socket.fastOpenCookies;
  return 0;
}

/** Linux keeps such times as the number of repeated SYN+ACKs that they take: after 1, 3, 7 ... seconds. */
function secondsToRetries(wanted: number): number {
  if (wanted <= 0) return 0;
  let retries = 1;
  let timeout = 1;
  for (let period = 1; wanted > period && retries < 255; period += timeout) {
    retries++;
    timeout = Math.min(2 * timeout, 120);
  }
  return retries;
}

function retriesToSeconds(retries: number): number {
  let period = 0;
  let timeout = 1;
  for (let left = retries; left > 0; left--) {
    period += timeout;
    timeout = Math.min(2 * timeout, 120);
  }
  return period;
}

/** Bytes are counted from what is acknowledged, or from what is written. */
function setStamps(socket: StreamSocket, name: string, n: number): Result<number> {
  const counts = (n & SYMBOLS.SOF_TIMESTAMPING_OPT_ID) !== 0;
  const connection = socket.endpoint?.connection;
  if (counts && (connection === undefined || connection.state === 'CLOSED')) return failed('EINVAL');
  if (counts && socket.stampBase === undefined && connection !== undefined) {
    const fromWrite = (n & SYMBOLS.SOF_TIMESTAMPING_OPT_ID_TCP) !== 0;
    socket.stampBase = fromWrite ? connection.sender.writeSeq : connection.tcb.sndUna;
  } else if (!counts) socket.stampBase = undefined;
  socket.stamps = stampsOf(n);
  socket.flags.set(name, n);
  return 0;
}

/** What of a write SOF_TIMESTAMPING flags ask to be told of. */
export function stampsOf(n: number): ReadonlySet<StampedPoint> {
  const points = new Set<StampedPoint>();
  if (n & SYMBOLS.SOF_TIMESTAMPING_TX_SCHED) points.add('scheduled');
  if (n & SYMBOLS.SOF_TIMESTAMPING_TX_SOFTWARE) points.add('sent');
  if (n & SYMBOLS.SOF_TIMESTAMPING_TX_ACK) points.add('acknowledged');
  return points;
}

function keepAliveOf(socket: StreamSocket): Partial<NonNullable<TcpSettings['keepAlive']>> {
  const { flags } = socket;
  const idle = flags.get('TCP_KEEPIDLE');
  const interval = flags.get('TCP_KEEPINTVL');
  const count = flags.get('TCP_KEEPCNT');
  return {
    ...(idle === undefined ? {} : { idle: seconds(idle) }),
    ...(interval === undefined ? {} : { interval: seconds(interval) }),
    ...(count === undefined ? {} : { count }),
  };
}

function setCongestion(world: World, change: (settings: Partial<TcpSettings>) => void, name: string): Result<number> {
  const system = world.profile;
  const control = (CONGESTION_CONTROLS[system] as Record<string, TcpSettings['congestionControl'] | undefined>)[name];
  if (control === undefined) return failed('ENOENT');
  change({ congestionControl: control });
  world.replaceCongestion(control);
  return 0;
}

function fields<K extends string>(value: OptionValue, names: readonly K[]): Record<K, number> {
  const found = {} as Record<K, number>;
  for (const [index, name] of names.entries()) {
    const field = typeof value === 'object' ? (value[name] ?? value[`l_${name}`] ?? value[String(index)]) : 0;
    found[name] = typeof field === 'number' ? field : 0;
  }
  return found;
}

export function getOption(world: World, socket: StreamSocket, name: string): OptionValue | Failed {
  if (world.profile !== 'freebsd') return optionOf(world, socket, name);
  const value = ownOption(world, socket, name) ?? optionOf(world, socket, name);
  return isFailed(value) ? value : answerOf(name, value);
}

function optionOf(world: World, socket: StreamSocket, name: string): OptionValue | Failed {
  const { endpoint } = socket;
  const settings = endpoint?.connection.settings ?? { ...world.host.tcp.settings, ...socket.settings };
  switch (name) {
    case 'SO_ERROR':
      return errnoNumber(socket.takeAnyError());
    case 'SO_SNDBUF':
      return endpoint?.connection.sender.capacity ?? settings.sendBuffer;
    case 'SO_RCVBUF':
      return endpoint?.connection.receiver.window.capacity ?? settings.receiveBuffer;
    case 'SO_KEEPALIVE':
      return settings.keepAlive === undefined ? 0 : 1;
    case 'SO_RCVTIMEO':
      return timevalOf(socket.receiveTimeout);
    case 'SO_SNDTIMEO':
      return timevalOf(socket.sendTimeout);
    case 'SO_LINGER':
      return { onoff: socket.lingerSeconds === undefined ? 0 : 1, linger: socket.lingerSeconds ?? 0 };
    case 'SO_ACCEPTCONN':
      return socket.listener === undefined ? 0 : 1;
    case 'SO_TYPE':
      return SYMBOLS.SOCK_STREAM;
    case 'SO_DOMAIN':
      return SYMBOLS[world.domain];
    case 'SO_PROTOCOL':
      return SYMBOLS.IPPROTO_TCP;
    case 'SO_RCVLOWAT':
      return socket.receiveLowWater;
    case 'TCP_MAXSEG':
      if (endpoint?.state === 'SYN_SENT')
        return endpoint.connection.advertisedMss - (settings.timestamps ? TIMESTAMPS_LENGTH : 0);
      if (endpoint !== undefined && socket.isConnected) {
        const { mss, timestampsOn } = endpoint.connection.tcb;
        return world.profile === 'freebsd' && timestampsOn ? mss + TIMESTAMPS_LENGTH : mss;
      }
      return settings.maxSegment > 0 ? settings.maxSegment : 536;
    case 'TCP_NODELAY':
      return settings.noDelay ? 1 : 0;
    case 'TCP_NOOPT':
      return settings.noOptions ? 1 : 0;
    case 'TCP_THIN_LINEAR_TIMEOUTS':
      return settings.thinLinearTimeouts ? 1 : 0;
    case 'TCP_CORK':
    case 'TCP_NOPUSH':
      return settings.cork ? 1 : 0;
    case 'TCP_USER_TIMEOUT':
      return settings.userTimeout === undefined ? 0 : Math.round(settings.userTimeout / 1e6);
    case 'TCP_MAXUNACKTIME':
      return settings.userTimeout === undefined ? 0 : settings.userTimeout / 1e9;
    case 'TCP_SYNCNT':
      return settings.synRetries;
    case 'TCP_NOTSENT_LOWAT':
      return Number.isFinite(settings.notSentLowWater) ? settings.notSentLowWater : 0;
    case 'TCP_KEEPINIT':
      return (settings.connectTimeout ?? 0) / 1e9;
    case 'TCP_KEEPIDLE':
      return (settings.keepAlive ?? { ...world.host.tcp.keepAliveDefaults, ...keepAliveOf(socket) }).idle / 1e9;
    case 'TCP_KEEPINTVL':
      return (settings.keepAlive ?? { ...world.host.tcp.keepAliveDefaults, ...keepAliveOf(socket) }).interval / 1e9;
    case 'TCP_KEEPCNT':
      return (settings.keepAlive ?? { ...world.host.tcp.keepAliveDefaults, ...keepAliveOf(socket) }).count;
    case 'TCP_CONGESTION':
      return endpoint?.connection.sender.recovery.congestion.name ?? settings.congestionControl(settings).name;
    case 'TCP_FASTOPEN':
      return socket.flags.get(name) ?? 0;
    case 'TCP_FASTOPEN_KEY':
      return socket.fastOpenKey;
    case 'TCP_DEFER_ACCEPT':
    case 'TCP_WINDOW_CLAMP':
      return socket.flags.get(name) ?? 0;
    case 'TCP_LINGER2':
      return socket.flags.get(name) ?? settings.finWait2 / 1e9;
    case 'TCP_RTO_MAX_MS':
      return settings.maxRto / 1e6;
    case 'TCP_RTO_MIN_US':
      return settings.minRto / 1e3;
    case 'TCP_INQ':
      return socket.reportsInq ? 1 : 0;
    case 'SO_OOBINLINE':
      return socket.mark.inline ? 1 : 0;
    case 'SO_ZEROCOPY':
      return socket.zeroCopy ? 1 : 0;
    case 'IP_TOS':
    case 'IPV6_TCLASS':
      return settings.tos;
    case 'IP_TTL':
    case 'IPV6_UNICAST_HOPS':
      return settings.ttl;
    case 'IP_MTU':
    case 'IPV6_MTU':
      return endpoint === undefined ? failed('ENOTCONN') : endpoint.info().pathMtu;
    default: {
      const known = socket.remembered.get(name) ?? socket.flags.get(name);
      const isKnown = INERT.has(name) || (world.profile === 'freebsd' && isRemembered(name));
      if (known === undefined && !isKnown) throw new Unsupported(`the socket option ${name} is not known here`);
      return known ?? 0;
    }
  }
}

export const errnoNumber = (name: string | undefined): number => (name === undefined ? 0 : (ERRNO[name] ?? 5));
