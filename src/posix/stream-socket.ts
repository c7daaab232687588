/** A TCP socket as a process sees it (POSIX, with the answers that Linux, or BSD, gives where POSIX leaves a choice). */

import { concat } from '../base/bytes.ts';
import type { Duration } from '../base/instant.ts';
import type { Seq } from '../base/seq32.ts';
import type { EndpointUser, TcpEndpoint } from '../transport/tcp/endpoint.ts';
import type { FastOpenCookies } from '../transport/tcp/fast-open.ts';
import type { TcpListener } from '../transport/tcp/listener.ts';
import type { TcpEvent, TcpSettings } from '../transport/tcp/types.ts';
import type { IpAddress } from '../wire/ip-address.ts';
import type { ReceiveFlags, SendFlags } from './call-flags.ts';
import { ErrorQueue, type StampedPoint } from './error-queue.ts';
import { ANYTHING, POLL, type Waitable } from './events.ts';
import { type Attempt, type Errno, type Failed, failed, type Result } from './results.ts';
import type { StreamStack } from './stack.ts';
import { UrgentMark } from './urgent-mark.ts';

/** Buffers that a segment can be made of where they stay the user's (Linux: MAX_SKB_FRAGS). */
const MOST_PINNED = 17;

/** Where segments end that are made of the user's own buffers: after so many of them at the latest. */
function endsOfPinned(length: number, buffers: readonly number[] = []): number[] {
  const ends: number[] = [];
  let end = 0;
  for (const [index, size] of buffers.entries()) {
    end += size;
    if ((index + 1) % MOST_PINNED === 0 && end < length) ends.push(end);
  }
  return [...ends, length];
}

const NO_STAMPS: ReadonlySet<StampedPoint> = new Set();

/** A field of an option's value. */
export type OptionField = number | string | { [field: string]: OptionField };

export class StreamSocket implements Waitable, EndpointUser {
  readonly watchers = new Set<(mask: number) => void>();
  nonBlocking = false;
  /** Settings that differ from the host's, for the connection to come. */
  readonly settings: Partial<TcpSettings> = {};
  bound: { address: IpAddress | undefined; port: number } | undefined = undefined;
  endpoint: TcpEndpoint | undefined = undefined;
  listener: TcpListener | undefined = undefined;
  readonly errors = new ErrorQueue(() => this.wake(POLL.err));
  zeroCopy = false;
  /** SO_TIMESTAMPING: what of each write is told of, and the byte that is number zero; undefined: bytes have no numbers. */
  stamps: ReadonlySet<StampedPoint> = NO_STAMPS;
  stampBase: Seq | undefined = undefined;
  receiveLowWater = 1;
  /** Undefined: calls wait as long as it takes. */
  receiveTimeout: Duration | undefined = undefined;
  sendTimeout: Duration | undefined = undefined;
  readonly mark = new UrgentMark();
  reportsInq = false;
  /** TCP_FASTOPEN_KEY as it was given, and the cookies that it makes; undefined: the host's. */
  fastOpenKey = '';
  fastOpenCookies: FastOpenCookies | undefined = undefined;
  /** Set, but not acted on: SO_REUSEADDR and the like, for getsockopt. */
  readonly flags = new Map<string, number>();
  /** The like with several fields. */
  readonly remembered = new Map<string, { [field: string]: OptionField }>();
  /** Undefined: off. Seconds. */
  lingerSeconds: number | undefined = undefined;
  private readonly stack: StreamStack;
  private error: Errno | undefined = undefined;
  private connecting = false;
  private connected = false;
  private connectTold = false;
  private readShut = false;
  private writeShut = false;
  private closed = false;
  /** Fast Open without MSG_FASTOPEN: the connect waits for the first write (TCP_FASTOPEN_CONNECT). */
  deferred: { address: IpAddress; port: number } | undefined = undefined;
  private ended = false;

  constructor(stack: StreamStack) {
    this.stack = stack;
  }

  /** For a connection that was accepted. */
  adopt(endpoint: TcpEndpoint): void {
    this.connected = true;
    this.connectTold = true;
    this.attach(endpoint);
    this.error = endpoint.connection.failure;
    this.ended = this.error !== undefined;
  }

  private attach(endpoint: TcpEndpoint): void {
    this.endpoint = endpoint;
    endpoint.connection.tellsErrorsAtOnce = true;
    endpoint.user = this;
    endpoint.onAcknowledged = una => this.errors.acknowledged(endpoint.now, una);
    endpoint.onSent = nxt => this.errors.sent(endpoint.now, nxt);
  }

  tcpEvent(event: TcpEvent): void {
    switch (event.type) {
      case 'established':
        this.connecting = false;
        this.connected = true;
        return this.wake(ANYTHING);
      case 'readable':
        return this.wake(POLL.in | POLL.rdNorm);
      case 'urgent':
        this.mark.move(this.endpoint?.connection.urgent?.rcvUp);
        return this.wake(POLL.pri);
      case 'fin':
        return this.wake(ANYTHING);
      case 'writable':
        return this.wake(POLL.out | POLL.wrNorm);
      case 'error':
        if (this.ended) return; // known since it was accepted
        this.error = event.code;
        this.connecting = false;
        this.ended = true;
        return this.wake(ANYTHING);
      case 'closed':
        this.ended = true;
        return this.wake(ANYTHING);
      default:
        return;
    }
  }

  wake(mask: number): void {
    for (const watcher of this.watchers) watcher(mask);
    this.stack.changed();
  }

  /** The pending error, which is thereby taken (SO_ERROR). */
  takeError(): Errno | undefined {
    const { error } = this;
    this.error = undefined;
    return error;
  }

  /** SO_ERROR: the pending error, or (Linux) one that has not ended the connection; either is taken. */
  takeAnyError(): Errno | undefined {
    const error = this.takeError();
    const connection = this.endpoint?.connection;
    if (error !== undefined || connection?.softError === undefined) return error;
    if (connection.settings.socketRule === 'bsd') return undefined;
    const { code } = connection.softError;
    connection.softError = undefined;
    return code;
  }

  private get isGone(): boolean {
    const { endpoint } = this;
    return endpoint === undefined || endpoint.state === 'CLOSED' || endpoint.state === 'TIME_WAIT';
  }

  // --- calls

  bind(port: number): Result<number> {
    if (this.bound !== undefined || this.endpoint !== undefined || this.listener !== undefined) return failed('EINVAL');
    this.bound = { address: undefined, port };
    return 0;
  }

  listen(backlog: number): Result<number> {
    if (this.listener !== undefined) return 0;
    if (this.endpoint !== undefined) return failed('EINVAL');
    const listener = this.stack.listen(this, backlog);
    if (listener === undefined) return failed('EADDRINUSE');
    this.listener = listener;
    listener.fastOpenCookies = this.fastOpenCookies;
    listener.onQueued = () => this.wake(POLL.in | POLL.rdNorm);
    return 0;
  }

  accept(dontWait: boolean): Attempt<TcpEndpoint> {
    const limit = this.stack.limit(this.receiveTimeout);
    return () => {
      if (this.listener === undefined) return failed('EINVAL');
      const endpoint = this.listener.accept();
      if (endpoint?.connection.failure !== undefined && this.stack.isBsd) return failed('ECONNABORTED');
      if (endpoint !== undefined) return endpoint;
      return dontWait || this.nonBlocking || limit.isOver ? failed('EAGAIN') : undefined;
    };
  }

  connect(address: IpAddress, port: number): Attempt<number> {
    const begun = this.beginConnect(address, port);
    if (begun !== undefined) return () => begun;
    const limit = this.stack.limit(this.stack.isBsd ? undefined : this.sendTimeout);
    return () => this.connectResult() ?? (limit.isOver ? failed('EINPROGRESS') : undefined);
  }

  /** Back to a socket that was never connected, by a reset where the other end knows of it (connect to AF_UNSPEC). */
  disconnect(): Result<number> {
    this.listener?.close();
    this.listener = undefined;
    const { endpoint } = this;
    if (endpoint !== undefined) {
      const { state } = endpoint;
      endpoint.forget();
      if (state !== 'CLOSED' && state !== 'TIME_WAIT') this.error = 'ECONNRESET';
      endpoint.abort();
      this.errors.released();
    }
    this.endpoint = undefined;
    this.deferred = undefined;
    this.connectTold = this.connecting = this.connected = this.readShut = this.writeShut = this.ended = false;
    this.wake(ANYTHING);
    return 0;
  }

  private beginConnect(address: IpAddress, port: number): Result<number> | undefined {
    const { isBsd } = this.stack;
    if (this.listener !== undefined) return failed(isBsd ? 'EOPNOTSUPP' : 'EISCONN');
    if (this.connecting && this.endpoint !== undefined) return this.nonBlocking ? failed('EALREADY') : undefined;
    if (this.endpoint !== undefined || this.deferred !== undefined) {
      // A call that waited is over; of one that did not the first after it answers for it.
      if (this.connected && !this.connectTold && !isBsd) return this.tellConnected();
      if (isBsd) return failed(this.connected && !this.ended ? 'EISCONN' : 'ECONNREFUSED');
      if (this.connected) return failed('EISCONN');
      // It has failed: that is said once, and then it may be tried again.
      this.endpoint = undefined;
      this.ended = false;
      return failed(this.takeError() ?? 'ECONNABORTED');
    }
    if (this.flags.get('TCP_FASTOPEN_CONNECT') && this.stack.knowsCookie(address, this)) {
      this.deferred = { address, port };
      this.connected = true;
      this.connectTold = true;
      return 0;
    }
    const made = this.open(address, port, undefined, this.flags.has('TCP_FASTOPEN_CONNECT'));
    if (made !== undefined) return made;
    return this.nonBlocking && this.connecting ? failed('EINPROGRESS') : undefined;
  }

  private tellConnected(): number {
    this.connectTold = true;
    return 0;
  }

  private open(address: IpAddress, port: number, early: Uint8Array | undefined, fastOpen: boolean): Failed | undefined {
    const endpoint = this.stack.connect(this, address, port);
    if (typeof endpoint === 'string') return failed(endpoint);
    this.error = undefined;
    this.connecting = true;
    this.attach(endpoint);
    if (fastOpen) this.stack.prepareFastOpen(endpoint, this);
    endpoint.open(early);
    return undefined;
  }

  private connectResult(): Result<number> | undefined {
    if (this.error !== undefined) return failed(this.takeError() as Errno);
    if (this.connected) return this.tellConnected();
    return this.connecting ? undefined : failed('ECONNABORTED');
  }

  /** Bytes taken; the whole when the socket blocks. */
  send(bytes: Uint8Array, flags: SendFlags = {}): Attempt<number> {
    const waits = !this.nonBlocking && !flags.dontWait;
    let done = 0;
    let opened = false;
    let sleeps = false;
    const limit = this.stack.limit(this.sendTimeout);
    return () => {
      // Who waits for memory is woken when there is enough of it, not whenever there is some.
      if (sleeps && this.waitsForMemory && !limit.isOver) return undefined;
      const target = flags.fastOpenTo ?? this.deferred;
      if (target !== undefined && !opened && this.endpoint === undefined) {
        opened = true;
        const early = this.sendOpening(bytes, target, waits, flags.zeroCopy ?? false);
        if (typeof early === 'object') return early;
        done = early;
        if (!waits && done > 0) return done;
      }
      const step = this.sendSome(bytes, done, flags, waits);
      if (typeof step === 'object') return step;
      if (step !== undefined) {
        done = step;
        sleeps = true;
        if (done >= bytes.length && flags.closes) this.shutdown('write');
        if (done >= bytes.length || !waits) return done;
      }
      if (!limit.isOver) return undefined;
      return done > 0 ? done : failed('EAGAIN');
    };
  }

  private get waitsForMemory(): boolean {
    if (this.error !== undefined || this.writeShut || this.isGone) return false;
    return this.endpoint?.connection.sender.isWritable === false;
  }

  /** The SYN with what fits on it; what does not is sent like other data, when the handshake is over. */
  private sendOpening(
    bytes: Uint8Array,
    to: { address: IpAddress; port: number },
    waits: boolean,
    zeroCopy: boolean,
  ): Result<number> {
    if (this.listener !== undefined) return failed('EISCONN');
    this.deferred = undefined;
    const room = this.stack.fastOpenRoom(to.address, this);
    const early = bytes.subarray(0, Math.min(room, bytes.length));
    const failure = this.open(to.address, to.port, room > 0 ? early : undefined, true);
    if (failure !== undefined) return failure;
    if (room === 0 && !waits) return failed('EINPROGRESS');
    const { endpoint } = this;
    if (zeroCopy && this.zeroCopy && endpoint !== undefined && early.length === bytes.length) {
      this.errors.zeroCopySent(endpoint.connection.sender.writeSeq);
    }
    return early.length;
  }

  private sendSome(bytes: Uint8Array, done: number, flags: SendFlags, waits: boolean): Result<number> | undefined {
    const failure = this.sendFailure(done);
    if (failure !== undefined) return failure;
    const { endpoint } = this;
    if (endpoint === undefined) return failed('EPIPE');
    if (this.connecting || endpoint.state === 'SYN_SENT') {
      if (waits) return undefined;
      return done > 0 ? done : failed('EAGAIN');
    }
    if (bytes.length === done) return done;
    const { more = false, endOfRecord = false, urgent = false } = flags;
    const pinned = (flags.zeroCopy ?? false) && this.zeroCopy;
    let total = done;
    for (const end of pinned ? endsOfPinned(bytes.length, flags.buffers) : [bytes.length]) {
      if (end <= total) continue;
      const isLast = end === bytes.length;
      const boundary = endOfRecord || !isLast;
      total += endpoint.write(bytes.subarray(total, end), { more: more && isLast, boundary, urgent });
      if (total < end) break;
    }
    if (pinned && total === bytes.length) this.errors.zeroCopySent(endpoint.connection.sender.writeSeq);
    const stamps = flags.stamps ?? this.stamps;
    if (stamps.size > 0 && total > done) this.stampWrite(endpoint, stamps);
    if (total > done || waits) return total;
    return failed('EAGAIN');
  }

  /** Asked for the last byte of what was just written. */
  private stampWrite(endpoint: TcpEndpoint, stamps: ReadonlySet<StampedPoint>): void {
    const { sender, tcb } = endpoint.connection;
    const { writeSeq } = sender;
    const id = this.stampBase === undefined ? 0 : (writeSeq - 1 - this.stampBase) >>> 0;
    this.errors.stamp(writeSeq, id, stamps, sender.queue.tail?.seq ?? writeSeq);
    this.errors.sent(endpoint.now, tcb.sndNxt);
  }

  private sendFailure(done: number): Result<number> | undefined {
    if (this.stack.isBsd && done === 0) {
      if (this.connecting || this.listener !== undefined) return failed('ENOTCONN');
      // What the error was is for a read, or for SO_ERROR.
      if (this.ended) return failed('EPIPE');
    }
    if (this.error !== undefined) return done > 0 ? done : failed(this.takeError() as Errno);
    if (this.writeShut) return done > 0 ? done : failed('EPIPE');
    if (this.endpoint === undefined) return failed(this.stack.unconnectedWrite);
    if (this.isGone) return done > 0 ? done : failed('EPIPE');
    return undefined;
  }

  /** Bytes read, none at the end of the stream. */
  receive(most: number, flags: ReceiveFlags = {}): Attempt<Uint8Array> {
    const waits = !this.nonBlocking && !flags.dontWait;
    const parts: Uint8Array[] = [];
    let got = 0;
    const limit = this.stack.limit(this.receiveTimeout);
    return () => {
      const { endpoint } = this;
      if (endpoint === undefined) return failed('ENOTCONN');
      if (most === 0) return new Uint8Array(0);
      if (flags.peek) {
        const seen = endpoint.connection.receiver.peek(most);
        if (seen.length > 0) return seen;
      } else {
        const before = got;
        while (got < most) {
          const room = this.mark.before(endpoint, most - got, got > 0 || flags.stopAtMark === true);
          const bytes = room === 0 ? undefined : endpoint.readPiece(room);
          if (bytes === undefined) break;
          parts.push(bytes);
          got += bytes.length;
          this.mark.passed(endpoint);
        }
        endpoint.wasRead(got > before);
        if (got >= (flags.waitAll ? most : 1)) return concat(parts);
        if (flags.stopAtMark && endpoint.connection.receiver.readable > 0) return new Uint8Array(0);
      }
      const end = this.receiveEnd(endpoint, got);
      if (end !== undefined) return got > 0 ? concat(parts) : end;
      return waits && !limit.isOver ? undefined : got > 0 ? concat(parts) : failed('EAGAIN');
    };
  }

  /** The one byte that is out of band (MSG_OOB). */
  receiveUrgent(peek: boolean): Attempt<Uint8Array> {
    return () => {
      const { endpoint } = this;
      if (endpoint === undefined) return failed('ENOTCONN');
      return this.mark.take(endpoint, peek, this.isGone);
    };
  }

  private receiveEnd(endpoint: TcpEndpoint, got: number): Result<Uint8Array> | undefined {
    const { receiver } = endpoint.connection;
    if (receiver.finReceived || this.readShut) {
      if (this.error !== undefined && got === 0 && !receiver.finReceived) return failed(this.takeError() as Errno);
      return new Uint8Array(0);
    }
    if (this.error !== undefined) return failed(this.takeError() as Errno);
    if (this.ended || endpoint.state === 'CLOSED') return new Uint8Array(0);
    return undefined;
  }

  shutdown(how: 'read' | 'write' | 'both'): Result<number> {
    if (this.listener !== undefined) {
      if (this.stack.isBsd) return failed('ENOTCONN');
      if (how === 'write') return 0;
      this.listener.close();
      this.listener = undefined;
      return 0;
    }
    const { endpoint } = this;
    if (endpoint === undefined || this.isGone) return failed('ENOTCONN');
    if (how !== 'write') {
      this.readShut = true;
      endpoint.connection.readShut = true;
      if (this.stack.isBsd) endpoint.connection.receiver.discard();
    }
    if (how !== 'read' && !this.writeShut) {
      this.writeShut = true;
      endpoint.connection.closesWhenOpen = this.stack.isBsd && this.connecting;
      endpoint.close();
    }
    this.wake(ANYTHING);
    return 0;
  }

  /** With SO_LINGER it waits until everything is acknowledged, or the time is over. */
  close(now: () => number): Attempt<number> {
    if (!this.closed) this.beginClose();
    const until = now() + (this.lingerSeconds ?? 0) * 1e9;
    return () => {
      const { endpoint } = this;
      if (endpoint === undefined || this.nonBlocking || !this.lingerSeconds) return 0;
      const { state } = endpoint;
      const waits = state === 'FIN_WAIT_1' || state === 'CLOSING' || state === 'LAST_ACK';
      return waits && now() < until ? undefined : 0;
    };
  }

  private beginClose(): void {
    this.closed = true;
    this.listener?.close();
    const { endpoint } = this;
    if (endpoint === undefined) return;
    if (this.lingerSeconds === 0) endpoint.connection.settings.linger = 0;
    endpoint.release();
  }

  // --- readiness

  /** As Linux reckons it. */
  poll(): number {
    const { endpoint } = this;
    if (this.listener !== undefined) return this.listener.queued > 0 ? POLL.in | POLL.rdNorm : 0;
    let mask = this.error !== undefined || !this.errors.isEmpty ? POLL.err : 0;
    if (endpoint === undefined)
      return mask | (this.deferred !== undefined ? POLL.out | POLL.wrNorm : POLL.out | POLL.hup);
    const { connection } = endpoint;
    const gone = this.isGone || this.ended;
    const readEnd = connection.receiver.finReceived || this.readShut || gone;
    if (gone || (readEnd && this.writeShut)) mask |= POLL.hup;
    if (readEnd) mask |= POLL.in | POLL.rdNorm | POLL.rdHup;
    const halfOpen = endpoint.state === 'SYN_RCVD' && !connection.sendsEarly;
    if (endpoint.state === 'SYN_SENT' || halfOpen) return mask;
    if (this.mark.isHere(endpoint)) mask |= POLL.pri;
    if (this.mark.readable(endpoint) >= this.receiveLowWater) mask |= POLL.in | POLL.rdNorm;
    if (this.writeShut || gone || connection.sender.isWritable) mask |= POLL.out | POLL.wrNorm;
    else connection.sender.writerWaits = true;
    return mask;
  }

  get isConnected(): boolean {
    return this.connected && !this.isGone;
  }
}
