/** What sockets of processes need of the host below them. */
import type { Duration } from '../base/instant.ts';
import type { Host } from '../host/host.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import type { Queues, TcpListener } from '../transport/tcp/listener.ts';
import type { IpAddress } from '../wire/ip-address.ts';
import { CallLimit } from './call-limit.ts';
import type { Errno } from './results.ts';
import type { StreamSocket } from './stream-socket.ts';

const FAILURES = { 'no-route': 'ENETUNREACH', 'no-port': 'EADDRNOTAVAIL', 'in-use': 'EADDRINUSE' } as const;

/** net.core.somaxconn is left to the caller; one more than was asked for may wait to be accepted. */
const queuesOfLinux = (backlog: number): Queues => ({
  halfOpen: Math.max(backlog, 1),
  unaccepted: Math.max(backlog, 0) + 1,
  whenFull: 'ignore',
});

/** kern.ipc.soacceptqueue. */
const MOST_UNACCEPTED = 128;
/** net.inet.tcp.syncache.cachelimit. */
const MOST_CACHED = 15_360;

/** BSD adds half as many, and one (sonewconn); the cache of half-open connections is the host's. */
function queuesOfBsd(backlog: number): Queues {
  const asked = backlog < 0 || backlog > MOST_UNACCEPTED ? MOST_UNACCEPTED : backlog;
  return { halfOpen: MOST_CACHED, unaccepted: Math.floor(1.5 * asked) + 1, whenFull: 'reset' };
}

export class StreamStack {
  readonly host: Host;
  /** Something has happened that a call may wait for. */
  changed: () => void = () => {};

  constructor(host: Host) {
    this.host = host;
  }

  listen(socket: StreamSocket, backlog: number): TcpListener | undefined {
    const { bound, settings } = socket;
    return this.host.tcp.listen({
      port: bound?.port ?? 0,
      address: bound?.address,
      backlog: Math.max(backlog, 1),
      queues: this.isBsd ? queuesOfBsd(backlog) : queuesOfLinux(backlog),
      settings,
      fastOpenBacklog: socket.flags.get('TCP_FASTOPEN') ?? 0,
    });
  }

  connect(socket: StreamSocket, address: IpAddress, port: number): TcpEndpoint | Errno {
    const { bound, settings } = socket;
    const endpoint = this.host.tcp.connect({
      remoteAddress: address,
      remotePort: port,
      localAddress: bound?.address,
      localPort: bound === undefined || bound.port === 0 ? undefined : bound.port,
      settings: { ...settings },
    });
    return typeof endpoint === 'string' ? FAILURES[endpoint] : endpoint;
  }

  get isBsd(): boolean {
    return this.host.tcp.settings.socketRule === 'bsd';
  }

  /** BSD and POSIX say that the socket is not connected, Linux that the pipe is broken. */
  get unconnectedWrite(): Errno {
    return this.isBsd ? 'ENOTCONN' : 'EPIPE';
  }

  limit(timeout: Duration | undefined): CallLimit {
    return new CallLimit(this.host.context.scheduler, timeout, () => this.changed());
  }

  knowsCookie(address: IpAddress, socket: StreamSocket): boolean {
    return this.fastOpenRoom(address, socket) > 0;
  }

  private withoutCookie(socket: StreamSocket): boolean {
    return this.host.tcp.settings.fastOpen.clientWithoutCookie || socket.flags.get('TCP_FASTOPEN_NO_COOKIE') === 1;
  }

  /** Bytes that a SYN to there may carry. */
  fastOpenRoom(address: IpAddress, socket: StreamSocket): number {
    const { tcp, ip, ip6 } = this.host;
    if (!tcp.settings.fastOpen.client) return 0;
    const known = tcp.fastOpenCache.get(address);
    if (known?.cookie === undefined && !this.withoutCookie(socket)) return 0;
    if (known !== undefined && this.isBlocked(known.lostSyns, known.lastLost)) return 0;
    const mtu = typeof address === 'number' ? ip.mtuFor(address) - 40 : ip6.mtuFor(address) - 60;
    return Math.max(0, Math.min(known?.mss ?? mtu, mtu) - 40);
  }

  /** RFC 7413 §4.1.3.1: a path that loses SYNs with data is left alone for a while, longer each time. */
  private isBlocked(times: number, last: number): boolean {
    return times > 1 && this.host.context.scheduler.now() < last + 60e9 * 2 ** Math.min(times, 20);
  }

  prepareFastOpen(endpoint: TcpEndpoint, socket: StreamSocket): void {
    const { tcp, context } = this.host;
    if (!tcp.settings.fastOpen.client) return;
    const address = endpoint.remoteAddress;
    const known = tcp.fastOpenCache.get(address);
    if (known !== undefined && this.isBlocked(known.lostSyns, known.lastLost)) return;
    const fastOpen = endpoint.connection.useFastOpen();
    fastOpen.client = {
      cookie: known?.cookie,
      experimental: known?.experimental ?? false,
      mss: known?.mss ?? endpoint.connection.localMss,
      withoutCookie: this.withoutCookie(socket),
    };
    fastOpen.onOutcome = ({ cookie, mss, experimental, synLost }) => {
      const lost = synLost
        ? { lostSyns: (known?.lostSyns ?? 0) + 1, lastLost: context.scheduler.now() }
        : { lostSyns: 0 };
      tcp.fastOpenCache.update(address, { mss, experimental, ...(cookie === undefined ? {} : { cookie }), ...lost });
    };
  }
}
