/**
 * One connection of a server. Bytes become requests; requests are handled as they come and answered in their order
 * (RFC 9112 §9.3.2), each with its own place in `exchanges`.
 */
import { concat, EMPTY } from '../../base/bytes.ts';
import { type Duration, seconds } from '../../base/instant.ts';
import { LazyTimer } from '../../base/lazy-timer.ts';
import type { SlabAllocator } from '../../base/slab.ts';
import type { ByteSocket, SocketHandler } from '../../socket/types.ts';
import { decodeRequestHead, encodeResponseHead, findHeadEnd, type RequestHead } from '../../wire/http1.ts';
import { Malformed } from '../../wire/reader.ts';
import { IncomingBody, sourceOf } from './body.ts';
import { BodyDecoder } from './body-decoder.ts';
import { HttpError } from './errors.ts';
import { requestFraming } from './framing.ts';
import { Headers } from './headers.ts';
import { Output } from './output.ts';
import type { RequestHandler, ServerOptions, ServerRequest, ServerResponse } from './server.ts';
import { reasonPhrase } from './status.ts';

/** What the connections of a server share. */
export interface Shared {
  slab: SlabAllocator;
  /** The Date field's value now. */
  date(): string;
}

interface Exchange {
  method: string;
  version: string;
  body: IncomingBody;
  /** The connection ends behind this answer. */
  last: boolean;
  expectsContinue: boolean;
  response: ServerResponse | undefined;
  started: boolean;
}

/** After an error answer: how long what still comes is read and thrown away, so that no RST destroys the answer. */
const LINGER: Duration = seconds(2);

export class ServerConnection implements SocketHandler {
  private readonly socket: ByteSocket;
  private readonly handler: RequestHandler;
  private readonly options: ServerOptions;
  private readonly shared: Shared;
  private readonly gone: () => void;
  private readonly output: Output;
  private readonly exchanges: Exchange[] = [];
  private pending: Uint8Array = EMPTY;
  private decoder: BodyDecoder | undefined = undefined;
  /** No more requests are read. */
  private finished = false;
  private inputEnded = false;
  private readonly timer: LazyTimer;
  private lingers = false;
  private timeoutAnswers = false;

  constructor(socket: ByteSocket, handler: RequestHandler, options: ServerOptions, shared: Shared, gone: () => void) {
    this.socket = socket;
    this.handler = handler;
    this.options = options;
    this.shared = shared;
    this.gone = gone;
    this.output = new Output(() => socket, shared.slab);
    this.timer = new LazyTimer(options.scheduler, () => this.timedOut());
    this.expectWithin(options.headTimeout, true);
  }

  /** Too many connections. */
  refuse(): void {
    this.answerError(new HttpError('local', 'too many connections', 503));
  }

  /** Ends after the answers under way. */
  drain(): void {
    if (this.exchanges.length === 0) this.close();
    else this.finished = true;
  }

  data(bytes: Uint8Array): void {
    if (this.finished) return;
    this.pending = this.pending.length === 0 ? bytes : concat([this.pending, bytes]);
    this.parse();
  }

  end(): void {
    this.inputEnded = true;
    this.finished = true;
    if (this.decoder !== undefined && !this.decoder.isDone)
      this.failBodies(new HttpError('remote', 'the request ended early'));
    if (this.exchanges.length === 0) this.close();
  }

  writable(): void {
    this.output.flush();
  }

  error(error: Error): void {
    this.failBodies(error);
  }

  closed(): void {
    this.timer.cancel();
    this.failBodies(new HttpError('remote', 'the connection was closed'));
    for (const exchange of this.exchanges) cancelBody(exchange.response);
    this.exchanges.length = 0;
    this.gone();
  }

  private failBodies(error: Error): void {
    for (const exchange of this.exchanges) exchange.body.fail(error);
  }

  private parse(): void {
    try {
      while (!this.finished && this.pending.length > 0) {
        if (!(this.decoder === undefined ? this.takeHead() : this.takeBody(this.decoder))) return;
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.answerError(error);
    }
  }

  private takeBody(decoder: BodyDecoder): boolean {
    const stop = decoder.take(this.pending, 0, this.pending.length);
    this.pending = this.pending.subarray(stop);
    if (decoder.isDone) {
      this.decoder = undefined;
      this.timer.stop();
      return true;
    }
    this.expectWithin(this.options.bodyTimeout, true);
    return false;
  }

  private takeHead(): boolean {
    // RFC 9112 §2.2: "a server ... SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
    if (this.pending[0] === 13 && this.pending[1] === 10) this.pending = this.pending.subarray(2);
    const { maxHead, maxPipelined } = this.options;
    if (this.exchanges.length >= maxPipelined) {
      this.socket.pause();
      return false;
    }
    const end = findHeadEnd(this.pending, 0);
    if (end < 0 || end > maxHead) {
      if (this.pending.length > maxHead) throw tooLong(this.pending, this.options.maxTarget);
      if (!this.timer.isSet || !this.timeoutAnswers) this.expectWithin(this.options.headTimeout, true);
      return false;
    }
    const head = decodeRequestHead(this.pending, 0, end);
    if (head instanceof Malformed) throw malformed(head);
    this.pending = this.pending.subarray(end);
    this.begin(head);
    return true;
  }

  private begin(head: RequestHead): void {
    const headers = new Headers(head.headers);
    if (head.target.length > this.options.maxTarget)
      throw new HttpError('remote', 'the request target is too long', 414);
    if (head.headers.length > this.options.maxFields) throw new HttpError('remote', 'too many header fields', 431);
    const where = locate(head, headers);
    const framing = requestFraming(head.version, headers);
    const expectation = headers.get('Expect');
    const expectsContinue = expectation?.toLowerCase() === '100-continue';
    if (expectation !== undefined && !expectsContinue)
      throw new HttpError('remote', 'an expectation that is not known', 417);
    const exchange: Exchange = {
      method: head.method,
      version: head.version,
      body: new IncomingBody({
        pause: () => this.socket.pause(),
        resume: () => this.socket.resume(),
        wanted: () => this.sendContinue(exchange),
      }),
      last: isLast(head.version, headers),
      expectsContinue: expectsContinue && head.version === '1.1' && framing.kind !== 'none',
      response: undefined,
      started: false,
    };
    this.exchanges.push(exchange);
    if (exchange.last) this.finished = framing.kind === 'none';
    if (framing.kind === 'none') {
      exchange.body.finish();
      this.timer.stop();
    } else {
      this.decoder = new BodyDecoder(framing, {
        data: bytes => exchange.body.push(bytes),
        end: trailers => {
          if (exchange.last) this.finished = true;
          exchange.body.finish(trailers);
        },
      });
      this.expectWithin(this.options.bodyTimeout, true);
    }
    const { method, target, version } = head;
    void this.handle(exchange, {
      method,
      target,
      version,
      headers,
      body: exchange.body,
      remote: this.socket.remote,
      ...where,
    });
  }

  private async handle(exchange: Exchange, request: ServerRequest): Promise<void> {
    let response: ServerResponse;
    try {
      const answer = this.handler(request);
      response = answer instanceof Promise ? await answer : answer;
    } catch (error) {
      const known = error instanceof HttpError ? error : new HttpError('local', 'the server failed', 500);
      response = errorResponse(known.status, known.message);
    }
    if (!this.exchanges.includes(exchange)) return cancelBody(response);
    exchange.response = response;
    this.answerNext();
  }

  /** RFC 9110 §10.1.1: only when the handler wants the body, and nothing of the answer is sent. */
  private sendContinue(exchange: Exchange): void {
    if (!exchange.expectsContinue || exchange.started || exchange.body.received > 0 || this.exchanges[0] !== exchange)
      return;
    exchange.expectsContinue = false;
    this.output.write(encodeResponseHead({ version: '1.1', status: 100, reason: reasonPhrase(100), headers: [] }));
  }

  private answerNext(): void {
    const exchange = this.exchanges[0];
    if (exchange?.response === undefined || exchange.started) return;
    exchange.started = true;
    // An answer before the body has come: what is left of it may be endless, or (after "Expect") never come at all.
    if (!exchange.body.isComplete) exchange.last = true;
    if (!exchange.body.hasReader) exchange.body.discard();
    try {
      this.send(exchange, exchange.response);
    } catch {
      // A handler's header that may not go on the wire.
      exchange.response = errorResponse(500, 'the server made an illegal answer');
      this.send(exchange, exchange.response);
    }
  }

  private send(exchange: Exchange, response: ServerResponse): void {
    const { status } = response;
    const headers = new Headers(response.headers ?? []);
    const source = sourceOf(response.body ?? EMPTY);
    const bodiless = status === 204 || status === 304 || status < 200;
    const chunked = !bodiless && source.length === undefined && exchange.version === '1.1';
    if (!headers.has('Date')) headers.append('Date', this.shared.date());
    headers.delete('Transfer-Encoding');
    if (!bodiless && source.length !== undefined) headers.set('Content-Length', String(source.length));
    else if (!(status === 304 || exchange.method === 'HEAD')) headers.delete('Content-Length');
    if (chunked) headers.set('Transfer-Encoding', 'chunked');
    if (!bodiless && !chunked && source.length === undefined) exchange.last = true;
    if (headers.lists('Connection', 'close')) exchange.last = true;
    else if (exchange.last || this.closesAfter(exchange)) headers.set('Connection', 'close');
    else if (exchange.version === '1.0') headers.set('Connection', 'keep-alive');
    const reason = reasonPhrase(status);
    const head = encodeResponseHead({ version: '1.1', status, reason, headers: headers.entries }, this.shared.slab);
    if (bodiless || exchange.method === 'HEAD') {
      this.output.write(head);
      source.cancel?.();
      return this.answered(exchange);
    }
    this.output.hold(head);
    this.output.body(
      source,
      chunked,
      response.trailers,
      () => this.answered(exchange),
      () => this.socket.reset(), // the head is gone; only an abrupt end says that the body is not whole
    );
  }

  private closesAfter(exchange: Exchange): boolean {
    return this.inputEnded && this.exchanges.at(-1) === exchange;
  }

  private answered(exchange: Exchange): void {
    this.exchanges.shift();
    if (exchange.last || (this.finished && this.exchanges.length === 0)) return this.close();
    if (this.exchanges.length === 0 && this.decoder === undefined) this.expectWithin(this.options.keepAlive, false);
    this.socket.resume();
    this.parse();
    this.answerNext();
  }

  /** One answer, then the end: what follows on this connection can't be trusted. */
  private answerError(error: HttpError): void {
    this.finished = true;
    this.pending = EMPTY;
    this.failBodies(error);
    const body = new IncomingBody({ pause() {}, resume() {} });
    body.finish();
    const response = errorResponse(error.status, error.message);
    this.exchanges.push({
      method: 'GET',
      version: '1.1',
      body,
      last: true,
      expectsContinue: false,
      response,
      started: false,
    });
    this.answerNext();
  }

  private close(): void {
    this.finished = true;
    this.exchanges.length = 0;
    this.socket.end();
    if (this.inputEnded) {
      this.timer.cancel();
      this.socket.destroy();
    } else {
      // RFC 9112 §9.6: half-close, read what still comes, then close.
      this.socket.resume();
      this.lingers = true;
      this.timer.set(this.options.scheduler.now() + LINGER);
    }
  }

  /** `answers`: a request has begun, so its sender is told (408); an idle connection is just closed. */
  private expectWithin(duration: Duration, answers: boolean): void {
    this.timeoutAnswers = answers;
    this.timer.set(this.options.scheduler.now() + duration);
  }

  private timedOut(): void {
    this.options.scheduler.touched();
    if (this.lingers) {
      this.socket.destroy();
    } else if (this.timeoutAnswers && this.exchanges.length === 0 && this.pending.length > 0) {
      this.answerError(new HttpError('remote', 'the request did not come in time', 408));
    } else if (this.timeoutAnswers && this.decoder !== undefined) {
      this.failBodies(new HttpError('remote', 'the request body did not come in time', 408));
      this.finished = true;
    } else {
      this.close();
    }
  }
}

function malformed(head: Malformed): HttpError {
  const version = head.reason.includes('HTTP/1 version');
  return new HttpError('remote', head.reason, version ? 505 : 400);
}

function tooLong(pending: Uint8Array, maxTarget: number): HttpError {
  const line = pending.indexOf(10);
  const status = line < 0 || line > maxTarget ? 414 : 431;
  return new HttpError(
    'remote',
    status === 414 ? 'the request target is too long' : 'the header fields are too long',
    status,
  );
}

/** RFC 9112 §9.3: HTTP/1.1 persists unless it says 'close', HTTP/1.0 only if it says 'keep-alive'. */
function isLast(version: string, headers: Headers): boolean {
  if (headers.lists('Connection', 'close')) return true;
  return version === '1.0' && !headers.lists('Connection', 'keep-alive');
}

/** RFC 9112 §3.2: exactly one Host field, and a target in one of the four forms. */
function locate(head: RequestHead, headers: Headers): { path: string; query: string; host: string } {
  const hosts = headers.all('Host');
  if (hosts.length > 1 || (hosts.length === 0 && head.version === '1.1')) {
    throw new HttpError('remote', `${hosts.length === 0 ? 'no' : 'more than one'} Host field`);
  }
  const field = hosts[0] ?? '';
  if (!/^[^\s/?#@\\]*$/.test(field)) throw new HttpError('remote', 'the Host field is no host');
  const bare = (authority: string): string => {
    const name = authority.includes(':') ? authority.replace(/:\d*$/, '') : authority;
    return name.toLowerCase();
  };
  const { method, target } = head;
  if (method === 'CONNECT') {
    if (!/^[^\s/?#@]+:\d+$/.test(target)) throw new HttpError('remote', 'CONNECT needs host:port');
    return { path: '', query: '', host: bare(target) };
  }
  if (target === '*') {
    if (method !== 'OPTIONS') throw new HttpError('remote', "'*' is a target for OPTIONS alone");
    return { path: '*', query: '', host: bare(field) };
  }
  const absolute = target.startsWith('/') ? null : /^http:\/\/([^/?#@\s]+)([^#]*)$/i.exec(target);
  const origin = absolute === null ? target : absolute[2] || '/';
  if (!origin.startsWith('/') && !(absolute !== null && origin.startsWith('?'))) {
    throw new HttpError('remote', 'the request target has none of the four forms');
  }
  const mark = origin.indexOf('?');
  const path = mark < 0 ? origin : origin.slice(0, mark);
  const query = mark < 0 ? '' : origin.slice(mark + 1);
  // §3.2.2: the authority of an absolute target replaces the Host field.
  return { path: path || '/', query, host: bare(absolute === null ? field : absolute[1]) };
}

export function errorResponse(status: number, message: string): ServerResponse {
  const headers = new Headers({ 'Content-Type': 'text/plain; charset=utf-8' });
  return { status, headers, body: `${status} ${reasonPhrase(status)}: ${message}\n` };
}

function cancelBody(response: ServerResponse | undefined): void {
  const body = response?.body;
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) body.cancel?.();
}
