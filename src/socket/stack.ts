/** Sockets over our own stack. */
import { type Scheduler, throwLater } from '../base/scheduler.ts';
import type { EndpointUser, TcpEndpoint } from '../transport/tcp/endpoint.ts';
import type { TcpLayer } from '../transport/tcp/layer.ts';
import type { TcpEvent } from '../transport/tcp/types.ts';
import type { UdpLayer } from '../transport/udp/layer.ts';
import { formatIp, type IpAddress, parseIp } from '../wire/ip-address.ts';
import { NetworkError } from './errors.ts';
import type {
  ByteSocket,
  ConnectRequest,
  DatagramHandler,
  DatagramSocket,
  Listener,
  ListenRequest,
  Network,
  SocketAddress,
  SocketHandler,
} from './types.ts';

const FAILURES = { 'no-route': 'ENETUNREACH', 'no-port': 'EADDRNOTAVAIL', 'in-use': 'EADDRINUSE' } as const;

export class StackNetwork implements Network {
  private readonly tcp: TcpLayer;
  private readonly udp: UdpLayer;
  private readonly scheduler: Scheduler;

  constructor(tcp: TcpLayer, udp: UdpLayer, scheduler: Scheduler) {
    this.tcp = tcp;
    this.udp = udp;
    this.scheduler = scheduler;
  }

  connect(to: ConnectRequest, handler: SocketHandler): ByteSocket {
    const remoteAddress = parseIp(to.address);
    if (remoteAddress === undefined) return this.failedSocket(to, handler, 'EINVAL', 'not an IP address');
    const settings = to.noDelay === undefined ? undefined : { noDelay: to.noDelay };
    const endpoint = this.tcp.connect({ remoteAddress, remotePort: to.port, settings });
    if (typeof endpoint === 'string') return this.failedSocket(to, handler, FAILURES[endpoint], endpoint);
    const socket = new StackSocket(endpoint, this.scheduler, handler);
    endpoint.open();
    return socket;
  }

  listen(request: ListenRequest, accept: (socket: ByteSocket) => SocketHandler): Listener {
    const address = addressToBind(request.address);
    const listener = this.tcp.listen({ port: request.port, address, backlog: request.backlog });
    if (listener === undefined) {
      throw new NetworkError({ code: 'EADDRINUSE', syscall: 'listen', address: request.address, port: request.port });
    }
    listener.onConnection = endpoint => {
      const socket = new StackSocket(endpoint, this.scheduler, IGNORE);
      try {
        this.scheduler.touched();
        socket.handler = accept(socket);
      } catch (thrown) {
        socket.reset();
        throwLater(this.scheduler, thrown);
      }
    };
    return { port: listener.port, close: () => listener.close() };
  }

  datagram(request: { port?: number; address?: string }, handler: DatagramHandler): DatagramSocket {
    const socket = this.udp.open(request.port ?? 0, addressToBind(request.address));
    if (socket === undefined) {
      throw new NetworkError({ code: 'EADDRINUSE', syscall: 'bind', address: request.address, port: request.port });
    }
    socket.onMessage = ({ from, fromPort, bytes }) => {
      this.scheduler.touched();
      try {
        handler.message({ from: { address: formatIp(from), port: fromPort }, bytes });
      } catch (thrown) {
        throwLater(this.scheduler, thrown);
      }
    };
    socket.onError = (error, port) => {
      this.scheduler.touched();
      const address = formatIp(error.destination);
      const why = `${error.name}, says ${formatIp(error.reporter)}`;
      const code = error.meaning === 'port' ? 'ECONNREFUSED' : 'EHOSTUNREACH';
      try {
        handler.error(new NetworkError({ code, syscall: 'send', address, port, why }), { address, port });
      } catch (thrown) {
        throwLater(this.scheduler, thrown);
      }
    };
    return {
      port: socket.port,
      send: (bytes, to) => this.sendDatagram(socket, handler, bytes, to),
      close: () => socket.close(),
    };
  }

  private sendDatagram(
    socket: NonNullable<ReturnType<UdpLayer['open']>>,
    handler: DatagramHandler,
    bytes: Uint8Array,
    to: SocketAddress,
  ): void {
    const address = parseIp(to.address);
    const failure = address === undefined ? { reason: 'no-route' } : socket.send(bytes, address, to.port);
    if (failure === undefined) return;
    const code = failure.reason === 'too-big' ? 'EMSGSIZE' : failure.reason === 'no-route' ? 'ENETUNREACH' : 'EACCES';
    this.later(() => handler.error(new NetworkError({ code, syscall: 'send', ...to }), to));
  }

  /** What fails before a segment was sent is told like everything else: to the handler, and not from inside the call. */
  private failedSocket(to: ConnectRequest, handler: SocketHandler, code: string, why: string): ByteSocket {
    const socket = new ClosedSocket(to, handler);
    this.later(() => {
      socket.handler.error(new NetworkError({ code, syscall: 'connect', address: to.address, port: to.port, why }));
      socket.handler.closed();
    });
    return socket;
  }

  private later(run: () => void): void {
    this.scheduler.at(this.scheduler.now(), () => {
      this.scheduler.touched();
      run();
    });
  }
}

function addressToBind(text: string | undefined): IpAddress | undefined {
  if (text === undefined || text === '0.0.0.0' || text === '::') return undefined;
  const address = parseIp(text);
  if (address === undefined) throw new NetworkError({ code: 'EADDRNOTAVAIL', syscall: 'bind', address: text });
  return address;
}

class StackSocket implements ByteSocket, EndpointUser {
  handler: SocketHandler;
  private readonly endpoint: TcpEndpoint;
  private readonly scheduler: Scheduler;
  private paused = false;
  private destroyed = false;
  private wasConnected = false;
  private localText: SocketAddress | undefined = undefined;
  private remoteText: SocketAddress | undefined = undefined;

  constructor(endpoint: TcpEndpoint, scheduler: Scheduler, handler: SocketHandler) {
    this.endpoint = endpoint;
    this.scheduler = scheduler;
    this.handler = handler;
    endpoint.user = this;
  }

  /** Text, made when somebody wants to read it. */
  get local(): SocketAddress {
    this.localText ??= { address: formatIp(this.endpoint.localAddress), port: this.endpoint.localPort };
    return this.localText;
  }

  get remote(): SocketAddress {
    this.remoteText ??= { address: formatIp(this.endpoint.remoteAddress), port: this.endpoint.remotePort };
    return this.remoteText;
  }

  write(bytes: Uint8Array): number {
    return this.destroyed ? bytes.length : this.endpoint.write(bytes);
  }

  end(): void {
    this.endpoint.close();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.endpoint.release();
  }

  reset(): void {
    this.destroyed = true;
    this.endpoint.abort();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.scheduler.at(this.scheduler.now(), () => {
      this.drain();
      this.endpoint.run();
    });
  }

  tcpEvent(event: TcpEvent): void {
    this.scheduler.touched();
    try {
      this.tell(event);
    } catch (thrown) {
      throwLater(this.scheduler, thrown);
    }
  }

  private tell(event: TcpEvent): void {
    switch (event.type) {
      case 'established':
        this.wasConnected = true;
        return this.handler.connected?.();
      case 'readable':
        return this.drain();
      case 'end':
        return this.destroyed ? undefined : this.handler.end();
      case 'writable':
        return this.destroyed ? undefined : this.handler.writable?.();
      case 'error':
        return this.destroyed ? undefined : this.fail(event.code, event.why);
      case 'closed':
        this.endpoint.forget();
        return this.handler.closed();
    }
  }

  private fail(code: string, why: string): void {
    const syscall = this.wasConnected ? 'read' : 'connect';
    this.handler.error(new NetworkError({ code, syscall, address: this.remote.address, port: this.remote.port, why }));
  }

  private drain(): void {
    const { endpoint } = this;
    if (this.paused || endpoint.connection.receiver.readable === 0) return;
    const now = this.scheduler.now();
    while (!this.paused) {
      const bytes = endpoint.readPiece(undefined, now);
      if (bytes === undefined) break;
      this.scheduler.touched();
      if (!this.destroyed) this.give(bytes);
    }
    endpoint.wasRead(true);
  }

  /** What throws has had its bytes all the same: more may wait behind them. */
  private give(bytes: Uint8Array): void {
    try {
      this.handler.data(bytes);
    } catch (thrown) {
      throwLater(this.scheduler, thrown);
    }
  }
}

/** What is left of a connect that could not even begin. */
class ClosedSocket implements ByteSocket {
  readonly local: SocketAddress = { address: '0.0.0.0', port: 0 };
  readonly remote: SocketAddress;
  handler: SocketHandler;

  constructor(remote: SocketAddress, handler: SocketHandler) {
    this.remote = { address: remote.address, port: remote.port };
    this.handler = handler;
  }

  write(bytes: Uint8Array): number {
    return bytes.length;
  }
  end(): void {}
  destroy(): void {}
  reset(): void {}
  pause(): void {}
  resume(): void {}
}

const IGNORE: SocketHandler = { data() {}, end() {}, error() {}, closed() {} };
