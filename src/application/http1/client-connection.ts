/** One connection of a client: a request at a time, its response taken apart as it comes. */
import { concat, EMPTY } from '../../base/bytes.ts';
import type { SlabAllocator } from '../../base/slab.ts';
import type { ByteSocket, SocketHandler } from '../../socket/types.ts';
import { decodeResponseHead, encodeRequestHead, findHeadEnd, type RequestHead } from '../../wire/http1.ts';
import { Malformed } from '../../wire/reader.ts';
import { type BodySource, IncomingBody } from './body.ts';
import { BodyDecoder } from './body-decoder.ts';
import { HttpError } from './errors.ts';
import { responseFraming } from './framing.ts';
import { Headers } from './headers.ts';
import { Output } from './output.ts';

export interface RawRequest {
  head: RequestHead;
  body: BodySource | undefined;
  trailers?: Headers;
  /** Wait for 100 (Continue) before the body (RFC 9110 §10.1.1). */
  expectContinue: boolean;
}

export interface RawResponse {
  version: string;
  status: number;
  reason: string;
  headers: Headers;
  body: IncomingBody;
}

export interface ExchangeHandler {
  response(response: RawResponse): void;
  /** Behind the last byte of the response's body. */
  done(): void;
  /** `unanswered`: not a byte of a response had come, so that trying again elsewhere may be safe. */
  failed(error: Error, unanswered: boolean): void;
}

const MAX_HEAD = 64 * 1024;
const MAX_INTERIM = 20;

export class ClientConnection implements SocketHandler {
  /** Told when the connection is ready, and when it is no more. */
  onConnected: () => void = () => {};
  onGone: () => void = () => {};
  /** Requests that it has carried. */
  served = 0;
  socket!: ByteSocket;
  private readonly output: Output;
  private current: { request: RawRequest; handler: ExchangeHandler } | undefined = undefined;
  private pending: Uint8Array = EMPTY;
  private response: RawResponse | undefined = undefined;
  private decoder: BodyDecoder | undefined = undefined;
  private keepAlive = true;
  /** Ends the body of a response that is whole. */
  private completed: (() => void) | undefined = undefined;
  private bodySent = false;
  private interim = 0;
  private dead = false;
  private readonly slab: SlabAllocator;

  constructor(slab: SlabAllocator) {
    this.slab = slab;
    this.output = new Output(() => this.socket, slab);
  }

  get isIdle(): boolean {
    return this.current === undefined && this.keepAlive && !this.dead;
  }

  get isDead(): boolean {
    return this.dead;
  }

  /** Throws TypeError for a head that must not go on the wire. */
  send(request: RawRequest, handler: ExchangeHandler): void {
    const head = encodeRequestHead(request.head, this.slab);
    this.current = { request, handler };
    this.served++;
    this.interim = 0;
    this.bodySent = request.body === undefined;
    if (request.body === undefined || request.expectContinue) return this.output.write(head);
    this.output.hold(head);
    this.sendBody();
  }

  /** Gives the exchange up; the connection can't be used again. */
  abort(): void {
    this.current = undefined;
    this.decoder = undefined;
    this.response = undefined;
    this.pending = EMPTY;
    this.dead = true;
    this.socket.reset();
    this.onGone();
  }

  /** Ends an idle connection. */
  close(): void {
    this.dead = true;
    this.socket.end();
    this.socket.destroy();
  }

  private sendBody(): void {
    const request = this.current?.request;
    if (this.bodySent || request?.body === undefined) return;
    this.bodySent = true;
    const chunked = request.body.length === undefined;
    this.output.body(
      request.body,
      chunked,
      request.trailers,
      () => {},
      error => this.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  connected(): void {
    this.onConnected();
  }

  writable(): void {
    this.output.flush();
  }

  data(bytes: Uint8Array): void {
    if (this.dead) return;
    if (this.current === undefined) {
      // RFC 9112 §9.2: a response that nobody asked for: the connection can't be trusted.
      this.keepAlive = false;
      this.close();
      return this.onGone();
    }
    this.pending = this.pending.length === 0 ? bytes : concat([this.pending, bytes]);
    try {
      while (this.current !== undefined && this.completed === undefined && this.step());
      this.settle();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  end(): void {
    this.keepAlive = false;
    const early = this.decoder?.closed() === false;
    this.settle();
    if (early) this.fail(new HttpError('remote', 'the connection ended before the response was whole'));
    else if (this.current !== undefined) this.fail(new HttpError('remote', 'the connection ended without a response'));
    this.dead = true;
    this.socket.end();
    this.socket.destroy();
    this.onGone();
  }

  error(error: Error): void {
    this.fail(error);
  }

  closed(): void {
    this.fail(new HttpError('remote', 'the connection was closed'));
    this.dead = true;
    this.onGone();
  }

  private step(): boolean {
    if (this.decoder !== undefined) {
      const stop = this.decoder.take(this.pending, 0, this.pending.length);
      // A reader that has had too much has ended the connection from inside.
      if (this.dead) return false;
      const moved = stop > 0;
      this.pending = this.pending.subarray(stop);
      return moved && this.pending.length > 0;
    }
    const end = findHeadEnd(this.pending, 0);
    if (end < 0) {
      if (this.pending.length > MAX_HEAD) throw new HttpError('remote', 'the response head is too long');
      return false;
    }
    const head = decodeResponseHead(this.pending, 0, end);
    if (head instanceof Malformed) throw new HttpError('remote', `not an HTTP response (${head.reason})`);
    this.pending = this.pending.subarray(end);
    this.takeHead(head);
    return true;
  }

  private takeHead(head: { version: string; status: number; reason: string; headers: RequestHead['headers'] }): void {
    const { request, handler } = this.current as { request: RawRequest; handler: ExchangeHandler };
    const headers = new Headers(head.headers);
    if (head.status === 101) throw new HttpError('remote', 'the server switched protocols without being asked');
    if (head.status < 200) {
      // RFC 9110 §15.2: any number of interim responses may come before the final one.
      if (++this.interim > MAX_INTERIM) throw new HttpError('remote', 'too many interim responses');
      if (head.status === 100) this.sendBody();
      return;
    }
    const framing = responseFraming(head.version, request.head.method, head.status, headers);
    const persists =
      head.version === '1.1' ? !headers.lists('Connection', 'close') : headers.lists('Connection', 'keep-alive');
    // A body that was held back for a 100 that never came can't be sent any more on this connection.
    if (!persists || framing.kind === 'until-close' || !this.bodySent || this.output.isBlocked) this.keepAlive = false;
    const body = new IncomingBody({
      pause: () => this.socket.pause(),
      resume: () => this.socket.resume(),
      refuse: () => this.abort(),
    });
    this.response = { version: head.version, status: head.status, reason: head.reason, headers, body };
    const complete = (trailers?: Headers): void => {
      this.completed = () => body.finish(trailers);
    };
    if (framing.kind !== 'none') {
      this.decoder = new BodyDecoder(framing, { data: bytes => body.push(bytes), end: complete });
    }
    handler.response(this.response);
    if (framing.kind === 'none' && !this.dead) complete();
  }

  /** The response is whole, and what it was read from is known to its end. */
  private settle(): void {
    const finish = this.completed;
    if (finish === undefined) return;
    const handler = this.current?.handler;
    this.completed = undefined;
    this.current = undefined;
    this.decoder = undefined;
    this.response = undefined;
    // RFC 9112 §6.3: what follows "MUST NOT" be taken for another response; the next request would get it.
    if (this.pending.length > 0) this.keepAlive = false;
    this.pending = EMPTY;
    finish();
    if (!this.keepAlive && !this.dead) this.close();
    handler?.done();
  }

  private fail(error: Error): void {
    const current = this.current;
    this.keepAlive = false;
    this.current = undefined;
    const unanswered = this.response === undefined && this.pending.length === 0;
    this.response?.body.fail(error);
    this.response = undefined;
    this.decoder = undefined;
    if (!this.dead) {
      this.dead = true;
      this.socket?.reset();
    }
    current?.handler.failed(error, unanswered);
  }
}
