/** The operating system's network in the shape of ours (socket/types.ts): the same HTTP and DNS code runs over both. */
import { createSocket, type Socket as NodeDatagramSocket } from 'node:dgram';
import { createServer, isIP, type Socket as NodeSocket, connect as nodeConnect } from 'node:net';
import { NetworkError } from '../socket/errors.ts';
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
} from '../socket/types.ts';

/**
 * Listening and binding are asynchronous in Node, so a port that is taken can't be thrown: it comes to `onError`.
 * Port 0 is therefore refused where its number is needed at once.
 */
export class NodeNetwork implements Network {
  onError: (error: NetworkError) => void = error => {
    throw error;
  };

  connect(to: ConnectRequest, handler: SocketHandler): ByteSocket {
    const socket = nodeConnect({ host: to.address, port: to.port, noDelay: to.noDelay ?? false, allowHalfOpen: true });
    return new OsSocket(socket, { address: to.address, port: to.port }, handler);
  }

  listen(request: ListenRequest, accept: (socket: ByteSocket) => SocketHandler): Listener {
    if (request.port === 0) throw new NetworkError({ code: 'EINVAL', syscall: 'listen', why: 'a port must be chosen' });
    const server = createServer({ allowHalfOpen: true }, socket => {
      const remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
      const wrapped = new OsSocket(socket, remote, NOBODY);
      wrapped.handler = accept(wrapped);
    });
    server.on('error', error => this.onError(networkError(error, request.port)));
    server.listen({ port: request.port, host: request.address ?? '0.0.0.0', backlog: request.backlog });
    return { port: request.port, close: () => void server.close() };
  }

  datagram(request: { port?: number; address?: string }, handler: DatagramHandler): DatagramSocket {
    const socket = createSocket('udp4');
    socket.on('message', (bytes, from) => handler.message({ from: { address: from.address, port: from.port }, bytes }));
    socket.on('error', error => this.onError(networkError(error, request.port ?? 0)));
    socket.bind(request.port ?? 0, request.address);
    return new OsDatagramSocket(socket, request.port ?? 0, handler);
  }
}

class OsDatagramSocket implements DatagramSocket {
  readonly port: number;
  private readonly socket: NodeDatagramSocket;
  private readonly handler: DatagramHandler;

  constructor(socket: NodeDatagramSocket, port: number, handler: DatagramHandler) {
    this.socket = socket;
    this.port = port;
    this.handler = handler;
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    this.socket.send(bytes, to.port, to.address, error => {
      if (error !== null) this.handler.error(networkError(error, to.port), to);
    });
  }

  close(): void {
    this.socket.close();
  }
}

class OsSocket implements ByteSocket {
  readonly remote: SocketAddress;
  handler: SocketHandler;
  private readonly socket: NodeSocket;

  constructor(socket: NodeSocket, remote: SocketAddress, handler: SocketHandler) {
    this.socket = socket;
    this.remote = remote;
    this.handler = handler;
    socket.on('connect', () => this.handler.connected?.());
    socket.on('data', bytes => this.handler.data(bytes));
    socket.on('end', () => this.handler.end());
    socket.on('drain', () => this.handler.writable?.());
    socket.on('error', error => this.handler.error(networkError(error, remote.port)));
    socket.on('close', () => this.handler.closed());
  }

  get local(): SocketAddress {
    return { address: this.socket.localAddress ?? '0.0.0.0', port: this.socket.localPort ?? 0 };
  }

  /** Node takes everything and remembers it; its high-water mark says when it has had enough. */
  write(bytes: Uint8Array): number {
    if (!this.socket.writable) return bytes.length;
    if (this.socket.writableNeedDrain) return 0;
    this.socket.write(bytes);
    return bytes.length;
  }

  end(): void {
    this.socket.end();
  }

  /** What was written is still sent, and what still comes is thrown away, until the other end is done too. */
  destroy(): void {
    if (this.socket.destroyed) return;
    this.socket.removeAllListeners('data');
    this.socket.on('end', () => this.socket.destroy());
    this.socket.resume();
    this.socket.end();
    if (this.socket.readableEnded) this.socket.destroySoon();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}

const NOBODY: SocketHandler = { data() {}, end() {}, error() {}, closed() {} };

function networkError(error: Error, port: number): NetworkError {
  const { code = 'EIO', syscall, address } = error as NodeJS.ErrnoException & { address?: string };
  return new NetworkError({
    code,
    syscall,
    address: address !== undefined && isIP(address) ? address : undefined,
    port,
  });
}
