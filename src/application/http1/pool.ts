/** Connections to origins: at most so many each, the idle ones used again, requests queued when all are busy. */
import { type Duration, seconds } from '../../base/instant.ts';
import { LazyTimer } from '../../base/lazy-timer.ts';
import type { Scheduler, Timer } from '../../base/scheduler.ts';
import type { SlabAllocator } from '../../base/slab.ts';
import { NetworkError } from '../../socket/errors.ts';
import type { Network } from '../../socket/types.ts';
import { ClientConnection } from './client-connection.ts';

export interface PoolOptions {
  /** What browsers settled on. */
  maxPerOrigin: number;
  /** How long an unused connection is kept. Below the usual server's, so that a request seldom meets a FIN. */
  idleTimeout: Duration;
  connectTimeout: Duration | undefined;
}

export const POOL_DEFAULTS: PoolOptions = { maxPerOrigin: 6, idleTimeout: seconds(10), connectTimeout: undefined };

export interface Lease {
  connection: ClientConnection;
  /** It has carried requests before. */
  reused: boolean;
}

interface Waiter {
  address: string;
  resolve(lease: Lease): void;
  reject(error: Error): void;
  connecting(connection: ClientConnection): void;
}

interface Origin {
  address: string;
  port: number;
  /** Each with the timer of its idleness. */
  connections: Map<ClientConnection, LazyTimer>;
  /** The one that was used last is the last. */
  idle: ClientConnection[];
  queue: Waiter[];
}

export class ConnectionPool {
  private readonly scheduler: Scheduler;
  private readonly network: Network;
  private readonly slab: SlabAllocator;
  private readonly options: PoolOptions;
  private readonly origins = new Map<string, Origin>();

  constructor(scheduler: Scheduler, network: Network, slab: SlabAllocator, options: Partial<PoolOptions> = {}) {
    this.scheduler = scheduler;
    this.slab = slab;
    this.network = network;
    this.options = { ...POOL_DEFAULTS, ...options };
  }

  /** A connection for one request; give it back with `release`. `key` names the origin. Rejects with NetworkError. */
  acquire(
    key: string,
    address: string,
    port: number,
    connecting: (connection: ClientConnection) => void,
    fresh = false,
  ): Promise<Lease> {
    const origin = this.originOf(key, address, port);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { address, resolve, reject, connecting };
      const idle = fresh ? undefined : origin.idle.pop();
      if (idle !== undefined) this.lend(origin, idle, waiter);
      else if (origin.connections.size < this.options.maxPerOrigin) this.open(origin, waiter);
      else origin.queue.push(waiter);
    });
  }

  /** After the response: the next in the queue has it, or it waits for one. */
  release(key: string, connection: ClientConnection): void {
    const origin = this.origins.get(key);
    if (origin === undefined || !origin.connections.has(connection)) return;
    if (!connection.isIdle) return this.forget(origin, connection);
    const next = origin.queue.shift();
    if (next !== undefined) return next.resolve({ connection, reused: true });
    origin.idle.push(connection);
    origin.connections.get(connection)?.set(this.scheduler.now() + this.options.idleTimeout);
  }

  /** Idle connections are closed. */
  closeIdle(): void {
    for (const origin of this.origins.values()) {
      for (const connection of [...origin.idle]) {
        connection.close();
        this.forget(origin, connection);
      }
    }
  }

  get openConnections(): number {
    let count = 0;
    for (const origin of this.origins.values()) count += origin.connections.size;
    return count;
  }

  private originOf(key: string, address: string, port: number): Origin {
    const known = this.origins.get(key);
    if (known !== undefined) {
      known.address = address;
      return known;
    }
    const origin: Origin = { address, port, connections: new Map(), idle: [], queue: [] };
    this.origins.set(key, origin);
    return origin;
  }

  private lend(origin: Origin, connection: ClientConnection, waiter: Waiter): void {
    origin.connections.get(connection)?.stop();
    waiter.resolve({ connection, reused: true });
  }

  private open(origin: Origin, waiter: Waiter): void {
    const connection = new ClientConnection(this.slab);
    origin.connections.set(connection, new LazyTimer(this.scheduler, () => this.unused(origin, connection)));
    let settled = false;
    let timer: Timer | undefined;
    const failed = (error: Error): void => {
      if (settled) return;
      settled = true;
      timer?.cancel();
      this.forget(origin, connection);
      waiter.reject(error);
    };
    connection.onGone = () => this.forget(origin, connection);
    connection.onConnected = () => {
      settled = true;
      timer?.cancel();
      waiter.resolve({ connection, reused: false });
    };
    const to = { address: waiter.address, port: origin.port, noDelay: true };
    connection.socket = this.network.connect(to, {
      connected: () => connection.connected(),
      data: bytes => connection.data(bytes),
      end: () => connection.end(),
      writable: () => connection.writable(),
      error: error => (settled ? connection.error(error) : failed(error)),
      closed: () => connection.closed(),
    });
    waiter.connecting(connection);
    const { connectTimeout } = this.options;
    if (connectTimeout !== undefined) {
      timer = this.after(connectTimeout, () => {
        connection.socket.reset();
        failed(
          new NetworkError({
            code: 'ETIMEDOUT',
            syscall: 'connect',
            ...to,
            why: `no answer within ${connectTimeout / 1e9} s`,
          }),
        );
      });
    }
  }

  private unused(origin: Origin, connection: ClientConnection): void {
    this.scheduler.touched();
    connection.close();
    this.forget(origin, connection);
  }

  private forget(origin: Origin, connection: ClientConnection): void {
    origin.connections.get(connection)?.cancel();
    const at = origin.idle.indexOf(connection);
    if (at >= 0) origin.idle.splice(at, 1);
    if (!origin.connections.delete(connection)) return;
    const next = origin.queue.shift();
    if (next !== undefined) this.open(origin, next);
  }

  private after(duration: Duration, run: () => void): Timer {
    return this.scheduler.at(this.scheduler.now() + duration, () => {
      this.scheduler.touched();
      run();
    });
  }
}
