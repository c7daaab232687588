/**
 * A passive OPEN for many: half-open connections up to the backlog, SYN cookies beyond it, and a queue of those that
 * are established and not yet accepted.
 */
import type { IpAddress } from '../../wire/ip-address.ts';
import type { Segment } from '../../wire/tcp.ts';
import { NOBODY_YET, type TcpEndpoint } from './endpoint.ts';
import type { FastOpenCookies } from './fast-open.ts';
import type { FourTuple } from './isn.ts';
import { bareReset } from './syn-received.ts';
import type { TcpSettings } from './types.ts';

export interface ListenOptions {
  port: number;
  /** Undefined: any address of this host. */
  address?: IpAddress;
  /** Half-open, and established but not accepted, connections: each at most this many, unless `queues` says otherwise. */
  backlog?: number;
  queues?: Queues;
  synCookies?: boolean;
  settings?: Partial<TcpSettings>;
  fastOpenBacklog?: number;
}

export interface Queues {
  halfOpen: number;
  unaccepted: number;
  /** Where there is no room for another that is unaccepted: no SYN is answered, or what completes a handshake is reset. */
  whenFull: 'ignore' | 'reset';
}

/** When a SYN is answered without remembering it. */
export type SynCookieMode = 'never' | 'when-full' | 'always';

/** What a listener has the layer do. */
export interface ListenerHost {
  /** A connection that answers `syn`. */
  acceptSyn(listener: TcpListener, ends: FourTuple, syn: Segment): TcpEndpoint;
  answerWithCookie(listener: TcpListener, ends: FourTuple, syn: Segment): void;
  /** Undefined: `ack` does not end a handshake that began with a cookie of ours. */
  acceptCookie(listener: TcpListener, ends: FourTuple, ack: Segment): TcpEndpoint | undefined;
  note(ends: FourTuple, decision: string, why: string): void;
  readonly synCookies: SynCookieMode;
  closed(listener: TcpListener): void;
}

const isSilent = ({ state, connection }: TcpEndpoint): boolean => state === 'SYN_RCVD' && !connection.sendsEarly;

export class TcpListener {
  readonly port: number;
  readonly address: IpAddress | undefined;
  readonly backlog: number;
  private readonly queues: Queues;
  settings: Partial<TcpSettings> | undefined;
  /** Connections that Fast Open has opened and no ACK has confirmed: at most this many (RFC 7413 §5.1). */
  fastOpenBacklog: number;
  /** Keys of its own (TCP_FASTOPEN_KEY); undefined: the host's. */
  fastOpenCookies: FastOpenCookies | undefined = undefined;
  /** Cookies sent and not yet too old: only then is a stray ACK looked at twice. */
  cookiesSent = 0;
  private readonly host: ListenerHost;
  private readonly synCookies: boolean;
  private readonly halfOpen = new Set<TcpEndpoint>();
  private readonly queue: TcpEndpoint[] = [];
  /** Something waits for `accept`. */
  onQueued: () => void = () => {};
  private handler: ((endpoint: TcpEndpoint) => void) | undefined = undefined;

  constructor(host: ListenerHost, options: ListenOptions) {
    this.host = host;
    this.port = options.port;
    this.address = options.address;
    const { backlog = 128 } = options;
    this.backlog = backlog;
    this.queues = options.queues ?? { halfOpen: backlog, unaccepted: backlog, whenFull: 'ignore' };
    this.synCookies = options.synCookies ?? true;
    this.settings = options.settings;
    this.fastOpenBacklog = options.fastOpenBacklog ?? 0;
  }

  get fastOpenPending(): number {
    let count = 0;
    for (const endpoint of this.halfOpen) if (endpoint.connection.sendsEarly) count++;
    return count;
  }

  get queued(): number {
    return this.queue.length;
  }

  get halfOpenCount(): number {
    return this.halfOpen.size;
  }

  /** Established connections go to `handler` at once; without one they wait for `accept`. */
  set onConnection(handler: ((endpoint: TcpEndpoint) => void) | undefined) {
    this.handler = handler;
    while (this.handler !== undefined && this.queue.length > 0) this.handler(this.accept() as TcpEndpoint);
  }

  accept(): TcpEndpoint | undefined {
    const endpoint = this.queue.shift();
    endpoint?.connection.receiver.window.setUser?.(true);
    return endpoint;
  }

  /** The half-open and the unaccepted are reset, as when a server's process ends. */
  close(): void {
    for (const endpoint of [...this.halfOpen, ...this.queue]) {
      if (endpoint.connection.settings.forgetsRequests && isSilent(endpoint)) endpoint.drop('no listener');
      else endpoint.abort();
    }
    this.queue.length = 0;
    this.host.closed(this);
  }

  /** A SYN without a connection. */
  synArrives(ends: FourTuple, syn: Segment): void {
    const { halfOpen, whenFull } = this.queues;
    if (this.isFull && whenFull === 'ignore') {
      return this.host.note(ends, 'accept-queue-full', 'a SYN is ignored until the server accepts');
    }
    const { synCookies } = this.host;
    if (this.halfOpen.size < halfOpen && !(this.synCookies && synCookies === 'always')) {
      const endpoint = this.host.acceptSyn(this, ends, syn);
      this.halfOpen.add(endpoint);
      this.watch(endpoint);
      if (endpoint.connection.sendsEarly) this.hand(endpoint);
    } else if (this.synCookies && synCookies !== 'never') {
      this.cookiesSent++;
      this.host.note(ends, 'syn-cookie', `${this.halfOpen.size} half-open connections: this SYN is not remembered`);
      this.host.answerWithCookie(this, ends, syn);
    } else {
      this.host.note(ends, 'syn-queue-full', `${this.halfOpen.size} half-open connections: a SYN is dropped`);
    }
  }

  /** An ACK without a connection. False: it is nobody's, and deserves a RST. */
  ackArrives(ends: FourTuple, ack: Segment): boolean {
    if (this.cookiesSent === 0) return false;
    // Those who are half-open have a place in the queue before it.
    if (this.handler === undefined && this.queue.length + this.halfOpen.size >= this.queues.unaccepted) {
      // What it carries will come again; a RST would end what the client takes for established.
      this.host.note(ends, 'accept-queue-full', 'an ACK is ignored until the server accepts');
      return true;
    }
    const endpoint = this.host.acceptCookie(this, ends, ack);
    if (endpoint === undefined) return false;
    this.watch(endpoint);
    endpoint.segmentArrives(ack, endpoint.now, false);
    return true;
  }

  private watch(endpoint: TcpEndpoint): void {
    endpoint.user = {
      tcpEvent: event => {
        if (event.type === 'established') this.established(endpoint);
        else if (event.type === 'closed') this.halfOpen.delete(endpoint);
      },
    };
  }

  private established(endpoint: TcpEndpoint): void {
    this.halfOpen.delete(endpoint);
    if (endpoint.connection.sendsEarly) return;
    endpoint.user = NOBODY_YET;
    if (!this.isFull || this.queues.whenFull === 'ignore') return this.hand(endpoint);
    const { connection } = endpoint;
    connection.send(bareReset(connection.tcb.sndNxt));
    endpoint.drop('the accept queue is full');
  }

  private get isFull(): boolean {
    return this.handler === undefined && this.queue.length >= this.queues.unaccepted;
  }

  private hand(endpoint: TcpEndpoint): void {
    if (this.handler !== undefined) this.handler(endpoint);
    else {
      this.queue.push(endpoint);
      endpoint.connection.receiver.window.setUser?.(false);
      this.onQueued();
    }
  }
}
