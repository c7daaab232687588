/** Socket options where FreeBSD has its own: how it answers, what it refuses, and those that only it has. */
import type { StreamSocket } from '../posix/stream-socket.ts';
import type { OptionValue } from './options.ts';
import type { World } from './world.ts';

/** The bit of an option word is answered where Linux answers 1. */
const BITS: Readonly<Record<string, number>> = {
  SO_DEBUG: 1,
  SO_ACCEPTCONN: 2,
  SO_REUSEADDR: 4,
  SO_KEEPALIVE: 8,
  SO_DONTROUTE: 0x10,
  SO_BROADCAST: 0x20,
  SO_USELOOPBACK: 0x40,
  SO_OOBINLINE: 0x100,
  SO_REUSEPORT: 0x200,
  SO_TIMESTAMP: 0x400,
  SO_NOSIGPIPE: 0x800,
  SO_BINTIME: 0x2000,
  SO_REUSEPORT_LB: 0x1_0000,
  SO_RERROR: 0x2_0000,
  TCP_NODELAY: 4,
  TCP_NOOPT: 8,
  TCP_NOPUSH: 0x1000,
};

/** kern.ipc.maxsockbuf, 2 MB, less what its buffers take themselves. */
const MOST_BUFFER = 1_864_135;
/** What a full cluster holds: a socket is writable when there is room for one. */
const SEND_LOW_WATER = 2048;
/** Seconds of l_linger fit a short when they are counted in ticks of the usual 1,000 Hz. */
const MOST_LINGER = 65;
/** net.inet.tcp.mssdflt and net.inet.tcp.minmss. */
const DEFAULT_MSS = 536;
const LEAST_SEGMENT = 216;

const OF_BUFFERS = new Set(['SO_SNDBUF', 'SO_RCVBUF', 'SO_SNDLOWAT', 'SO_RCVLOWAT']);

/** Why a value is refused (getsockopt(2), tcp(4)); undefined: it is not. */
export function refusalOf(socket: StreamSocket, name: string, n: number, linger: number): string | undefined {
  if (OF_BUFFERS.has(name) && n < 1) return 'EINVAL';
  if ((name === 'SO_SNDBUF' || name === 'SO_RCVBUF') && n > MOST_BUFFER) return 'ENOBUFS';
  if (name === 'SO_LINGER' && (linger < 0 || linger > MOST_LINGER)) return 'EDOM';
  if (name === 'TCP_MAXSEG' && !isSegmentSize(socket, n)) return 'EINVAL';
  return undefined;
}

/** TCP_MAXSEG only ever makes segments smaller than they are. */
function isSegmentSize({ endpoint }: StreamSocket, n: number): boolean {
  const present = endpoint?.connection.tcb.mss ?? DEFAULT_MSS;
  return n > 0 && n <= present && n + 40 >= LEAST_SEGMENT;
}

/** Options that nothing but their reading back is known of. */
export const isRemembered = (name: string): boolean => name in BITS || name === 'SO_SNDLOWAT';

/** As it answers: the bit of the option, where it is one of a word. */
export function answerOf(name: string, value: OptionValue): OptionValue {
  const bit = BITS[name];
  return bit !== undefined && typeof value === 'number' && value !== 0 ? bit : value;
}

/** Those that only FreeBSD has; undefined: it is none of them. */
export function ownOption(world: World, socket: StreamSocket, name: string): OptionValue | undefined {
  switch (name) {
    case 'SO_SNDLOWAT':
      return socket.flags.get(name) ?? SEND_LOW_WATER;
    case 'SO_LISTENQLIMIT':
      return socket.listener?.backlog ?? 0;
    case 'SO_LISTENQLEN':
      return socket.listener?.queued ?? 0;
    case 'SO_LISTENINCQLEN':
      return 0; // half-open connections are entries of a cache, not of the listener
    case 'SO_KEEPALIVE':
      return socket.flags.get(name) ?? 0;
    case 'TCP_FUNCTION_BLK':
      return socket.remembered.get(name) ?? { function_set_name: world.profile };
    default:
      return undefined;
  }
}
