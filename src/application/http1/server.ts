/** An HTTP/1.1 server on any Network: a handler that answers requests, and the limits that keep it alive. */
import { type Duration, seconds } from '../../base/instant.ts';
import type { Scheduler } from '../../base/scheduler.ts';
import { SlabAllocator } from '../../base/slab.ts';
import type { ByteSocket, Listener, Network } from '../../socket/types.ts';
import type { Body, IncomingBody } from './body.ts';
import { httpDate } from './date.ts';
import type { Headers } from './headers.ts';
import { ServerConnection, type Shared } from './server-connection.ts';

export interface ServerRequest {
  method: string;
  /** As in the request line. */
  target: string;
  /** Path and query; '*' for OPTIONS *. */
  path: string;
  query: string;
  /** The Host field, or the authority of an absolute target (RFC 9112 §3.2.2), without its port. */
  host: string;
  version: string;
  headers: Headers;
  body: IncomingBody;
  remote: { address: string; port: number };
}

export interface ServerResponse {
  status: number;
  headers?: Headers;
  body?: Body;
  trailers?: Headers;
}

export type RequestHandler = (request: ServerRequest) => ServerResponse | Promise<ServerResponse>;

export interface ServerOptions {
  scheduler: Scheduler;
  /** Milliseconds since 1970: for the Date field. */
  date: () => number;
  /** Bytes of request line and fields. */
  maxHead: number;
  maxFields: number;
  maxTarget: number;
  maxConnections: number;
  /** Requests read ahead of their answers. */
  maxPipelined: number;
  /** For a whole head to arrive. */
  headTimeout: Duration;
  /** Between two pieces of a request body. */
  bodyTimeout: Duration;
  /** Between two requests. */
  keepAlive: Duration;
}

export const SERVER_DEFAULTS: Omit<ServerOptions, 'scheduler' | 'date'> = {
  maxHead: 16 * 1024,
  maxFields: 100,
  maxTarget: 8000, // RFC 9112 §3: "at minimum, request-line lengths of 8000 octets"
  maxConnections: 1000,
  maxPipelined: 16,
  headTimeout: seconds(60),
  bodyTimeout: seconds(30),
  keepAlive: seconds(15),
};

export class HttpServer {
  readonly options: ServerOptions;
  private readonly handler: RequestHandler;
  private readonly shared: Shared;
  private readonly connections = new Set<ServerConnection>();
  private listener: Listener | undefined = undefined;

  constructor(handler: RequestHandler, options: Partial<ServerOptions> & Pick<ServerOptions, 'scheduler' | 'date'>) {
    this.handler = handler;
    this.options = { ...SERVER_DEFAULTS, ...options };
    this.shared = { slab: new SlabAllocator(), date: secondsOf(this.options.date) };
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Throws NetworkError when the port is taken. */
  listen(network: Network, port: number, address?: string): Listener {
    this.listener = network.listen({ port, address }, socket => this.accept(socket));
    return this.listener;
  }

  /** No new connections; the open ones end after the request they are at. */
  close(): void {
    this.listener?.close();
    for (const connection of this.connections) connection.drain();
  }

  private accept(socket: ByteSocket): ServerConnection {
    const connection = new ServerConnection(socket, this.handler, this.options, this.shared, () =>
      this.connections.delete(connection),
    );
    this.connections.add(connection);
    if (this.connections.size > this.options.maxConnections) connection.refuse();
    return connection;
  }
}

/** A date is text that is made once a second. */
function secondsOf(date: () => number): () => string {
  let second = Number.NaN;
  let text = '';
  return () => {
    const now = Math.floor(date() / 1000);
    if (now !== second) {
      second = now;
      text = httpDate(now * 1000);
    }
    return text;
  };
}
