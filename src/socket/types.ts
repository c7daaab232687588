/**
 * What applications see of a network, ours or the operating system's. Synchronous and driven by callbacks: no promise
 * per packet; faces that await (duplex.ts) are thin and at the edge.
 */
import type { NetworkError } from './errors.ts';

export interface SocketAddress {
  address: string;
  port: number;
}

/** Called by a socket. Data that arrived before an error is given first. */
export interface SocketHandler {
  connected?(): void;
  /** A view: keep a copy, or the view, but do not write to it. */
  data(bytes: Uint8Array): void;
  /** The other end will send no more (its FIN); we still may. */
  end(): void;
  /** There is room again after a write that was not taken whole. */
  writable?(): void;
  error(error: NetworkError): void;
  /** The last call. */
  closed(): void;
}

export interface ByteSocket {
  /** Known at once, also while connecting. */
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  handler: SocketHandler;
  /** Bytes taken into the send buffer, synchronously; what was not must be offered again at `writable`. */
  write(bytes: Uint8Array): number;
  /** Half-close: a FIN behind everything written. */
  end(): void;
  /** Neither writing nor reading goes on; what was written is still sent. */
  destroy(): void;
  /** A RST at once. */
  reset(): void;
  /** While paused nothing is given to `data`; the window closes when the receive buffer is full. */
  pause(): void;
  resume(): void;
}

export interface Listener {
  readonly port: number;
  close(): void;
}

export interface Datagram {
  from: SocketAddress;
  bytes: Uint8Array;
}

export interface DatagramHandler {
  message(datagram: Datagram): void;
  /** An ICMP error about a datagram sent to `to`. */
  error(error: NetworkError, to: SocketAddress): void;
}

export interface DatagramSocket {
  readonly port: number;
  send(bytes: Uint8Array, to: SocketAddress): void;
  close(): void;
}

export interface ListenRequest {
  /** 0: a free one. */
  port: number;
  address?: string;
  backlog?: number;
}

export interface ConnectRequest extends SocketAddress {
  noDelay?: boolean;
}

export interface Network {
  /** Never throws for what the network does: that comes to the handler. */
  connect(to: ConnectRequest, handler: SocketHandler): ByteSocket;
  /** Throws NetworkError (EADDRINUSE, EADDRNOTAVAIL). */
  listen(request: ListenRequest, accept: (socket: ByteSocket) => SocketHandler): Listener;
  datagram(request: { port?: number; address?: string }, handler: DatagramHandler): DatagramSocket;
}

/** Names to addresses; throws (rejects with) a NameError of application/dns. */
export interface NameLookup {
  lookup(name: string): Promise<string[]>;
}
