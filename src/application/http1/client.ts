/** An HTTP client: from a URL to a response, by way of names, the pool, redirects, authentication and codings. */
import type { Duration } from '../../base/instant.ts';
import type { NameLookup, Network } from '../../socket/types.ts';
import type { Context, Ends, HttpEvent } from '../../trace/events.ts';
import type { HeaderList } from '../../wire/http1.ts';
import { basicAuthorization, basicRealm, type Credentials } from './auth.ts';
import { type Body, type BodySource, type IncomingBody, sourceOf } from './body.ts';
import type { ClientConnection, RawRequest, RawResponse } from './client-connection.ts';
import type { ContentCodings } from './codings.ts';
import { HttpError } from './errors.ts';
import { Headers } from './headers.ts';
import { ConnectionPool, type PoolOptions } from './pool.ts';

export interface HttpRequest {
  method?: string;
  url: string | URL;
  headers?: Headers;
  body?: Body;
  trailers?: Headers;
  /** Default 'follow'. */
  redirect?: 'follow' | 'manual';
  expectContinue?: boolean;
  /** For the response's head to come. */
  timeout?: Duration;
}

export interface HttpResponse {
  /** After redirects. */
  url: URL;
  /** The URLs that redirected, in order. */
  redirects: { url: URL; status: number }[];
  version: string;
  status: number;
  reason: string;
  headers: Headers;
  /** As it came, coded. */
  body: IncomingBody;
  /** All of it, content codings undone. Rejects over `limit` bytes. */
  bytes(limit?: number): Promise<Uint8Array>;
}

export interface HttpClientOptions {
  codings?: ContentCodings;
  userAgent?: string;
  pool?: Partial<PoolOptions>;
  maxRedirects?: number;
}

/** RFC 9110 §15.4: browsers follow 20. */
const MAX_REDIRECTS = 20;
/** A decoded body, unless the caller says otherwise. */
const MAX_DECODED = 256 << 20;
const MAX_ATTEMPTS = 3;
/** RFC 9110 §15.4: those that name another place for the same request. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export class HttpClient {
  readonly pool: ConnectionPool;
  private readonly context: Context;
  private readonly names: NameLookup;
  private readonly options: HttpClientOptions;
  private nextRequest = 1;

  constructor(context: Context, network: Network, names: NameLookup, options: HttpClientOptions = {}) {
    this.context = context;
    this.names = names;
    this.options = options;
    this.pool = new ConnectionPool(context.scheduler, network, context.slab, options.pool);
  }

  /** Rejects with NameError, NetworkError or HttpError; a status of 400 and more is a response like any other. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    let url = parseHttpUrl(request.url);
    let method = request.method ?? 'GET';
    let { body } = request;
    const headers = new Headers(request.headers ?? []);
    const redirects: HttpResponse['redirects'] = [];
    let credentials = credentialsOf(url);
    for (;;) {
      const response = await this.authorized(url, method, headers, body, request, credentials);
      const target = request.redirect === 'manual' ? undefined : redirectTarget(response, url);
      if (target === undefined) return this.finish(response, url, redirects);
      response.body.discard();
      redirects.push({ url, status: response.status });
      if (redirects.length > (this.options.maxRedirects ?? MAX_REDIRECTS)) {
        throw new HttpError('remote', `${request.url} redirects more than ${redirects.length - 1} times`);
      }
      // RFC 9110 §15.4.2-4: 303 always, 301 and 302 by custom for POST, become GET.
      if ((response.status === 303 && method !== 'HEAD') || (response.status <= 302 && method === 'POST')) {
        method = 'GET';
        body = undefined;
        for (const name of ['Content-Type', 'Content-Encoding', 'Content-Language', 'Content-Length'])
          headers.delete(name);
      }
      if (target.origin !== url.origin) {
        // RFC 9110 §15.4: what was meant for one origin is not told to another.
        for (const name of ['Authorization', 'Cookie', 'Proxy-Authorization']) headers.delete(name);
        credentials = undefined;
      }
      url = parseHttpUrl(target);
      credentials = credentialsOf(url) ?? credentials;
    }
  }

  /** RFC 7617: a 401 with a Basic challenge is answered once with the credentials of the URL. */
  private async authorized(
    url: URL,
    method: string,
    headers: Headers,
    body: Body | undefined,
    request: HttpRequest,
    credentials: Credentials | undefined,
  ): Promise<RawResponse> {
    const response = await this.once(url, method, headers, body, request);
    if (response.status !== 401) return response;
    const challenge = response.headers.get('WWW-Authenticate');
    const replayable = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const asked = challenge !== undefined && basicRealm(challenge) !== undefined;
    if (!asked || credentials === undefined || headers.has('Authorization') || !replayable) return response;
    response.body.discard();
    headers.set('Authorization', basicAuthorization(credentials));
    return this.once(url, method, headers, body, request);
  }

  /**
   * One request and its response. RFC 9112 §9.3.1: when a connection ends before anything of the response has come, an
   * idempotent request is sent again on a fresh one.
   */
  private async once(
    url: URL,
    method: string,
    given: Headers,
    body: Body | undefined,
    options: HttpRequest,
  ): Promise<RawResponse> {
    const number = this.nextRequest++;
    const source = body === undefined ? undefined : sourceOf(body);
    const raw: RawRequest = {
      head: {
        method,
        target: `${url.pathname}${url.search}`,
        version: '1.1',
        headers: this.headersFor(url, method, given, source),
      },
      body: source,
      trailers: options.trailers,
      expectContinue: (options.expectContinue ?? false) && source !== undefined,
    };
    const repeatable =
      IDEMPOTENT.has(method) && (body === undefined || typeof body === 'string' || body instanceof Uint8Array);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(number, url, raw, options, attempt > 1);
      } catch (error) {
        const closed = error instanceof ClosedUnanswered;
        if (!closed || !repeatable || attempt === MAX_ATTEMPTS)
          throw this.failed(number, url, closed ? error.reason : error);
        if (body !== undefined) raw.body = sourceOf(body);
      }
    }
  }

  private failed(number: number, url: URL, error: unknown): Error {
    const known = error instanceof Error ? error : new Error(String(error));
    this.note('failed', number, url, undefined, () => ({ error: known.message }));
    return known;
  }

  private headersFor(url: URL, method: string, given: Headers, source: BodySource | undefined): HeaderList {
    const headers = new Headers();
    // RFC 9112 §3.2: Host first, and always.
    headers.append('Host', url.host);
    for (const [name, value] of given) if (name.toLowerCase() !== 'host') headers.append(name, value);
    if (!headers.has('User-Agent')) headers.set('User-Agent', this.options.userAgent ?? 'netarium');
    if (!headers.has('Accept')) headers.set('Accept', '*/*');
    const codings = this.options.codings?.names ?? [];
    if (!headers.has('Accept-Encoding') && codings.length > 0) headers.set('Accept-Encoding', codings.join(', '));
    headers.delete('Content-Length');
    headers.delete('Transfer-Encoding');
    if (source?.length !== undefined) headers.set('Content-Length', String(source.length));
    else if (source !== undefined) headers.set('Transfer-Encoding', 'chunked');
    // RFC 9110 §8.6: a method that usually has content says that there is none.
    else if (method === 'POST' || method === 'PUT' || method === 'PATCH') headers.set('Content-Length', '0');
    return headers.entries;
  }

  private async attempt(
    number: number,
    url: URL,
    raw: RawRequest,
    options: HttpRequest,
    fresh: boolean,
  ): Promise<RawResponse> {
    const [address] = await this.names.lookup(url.hostname);
    const port = Number(url.port || 80);
    const connecting = (connection: ClientConnection): void => this.note('connect', number, url, connection);
    const { connection, reused } = await this.pool.acquire(url.origin, address, port, connecting, fresh);
    this.note(reused ? 'reuse' : 'connected', number, url, connection);
    const { head } = raw;
    const headers = raw.expectContinue ? [...head.headers, ['Expect', '100-continue'] as const] : head.headers;
    this.note('request', number, url, connection, () => ({ line: `${head.method} ${head.target} HTTP/1.1`, headers }));
    return new Promise((resolve, reject) => {
      const timer = this.timeoutFor(options, connection, reject);
      let received: IncomingBody | undefined;
      const release = (): void => this.pool.release(url.origin, connection);
      connection.send(raw.expectContinue ? { ...raw, head: { ...head, headers } } : raw, {
        response: response => {
          timer?.cancel();
          received = response.body;
          this.note('response', number, url, connection, () => ({
            line: `HTTP/${response.version} ${response.status} ${response.reason}`,
            headers: response.headers.entries,
          }));
          resolve(response);
        },
        done: () => {
          this.note('done', number, url, connection, () => ({ bytes: received?.received ?? 0 }));
          release();
        },
        failed: (error, unanswered) => {
          timer?.cancel();
          release();
          if (received !== undefined) this.note('failed', number, url, connection, () => ({ error: error.message }));
          reject(unanswered ? new ClosedUnanswered(error) : error);
        },
      });
    });
  }

  private timeoutFor(
    options: HttpRequest,
    connection: ClientConnection,
    reject: (error: Error) => void,
  ): { cancel(): void } | undefined {
    if (options.timeout === undefined) return undefined;
    const { timeout } = options;
    const { scheduler } = this.context;
    return scheduler.at(scheduler.now() + timeout, () => {
      scheduler.touched();
      reject(new HttpError('remote', `no response within ${timeout / 1e9} s`));
      connection.abort();
    });
  }

  private finish(response: RawResponse, url: URL, redirects: HttpResponse['redirects']): HttpResponse {
    const bytes = async (limit = MAX_DECODED): Promise<Uint8Array> => {
      const coded = await response.body.bytes(limit);
      return decode(coded, response.headers, this.options.codings, limit);
    };
    const { version, status, reason, headers, body } = response;
    return { version, status, reason, headers, body, url, redirects, bytes };
  }

  private note(
    action: HttpEvent['action'],
    request: number,
    url: URL,
    connection?: ClientConnection,
    more?: () => Partial<HttpEvent>,
  ): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const ends = connection === undefined ? undefined : endsOf(connection);
    trace({ kind: 'http', time: scheduler.now(), host, action, request, url: withoutPassword(url), ends, ...more?.() });
  }
}

/** The connection was closed by the other end before it answered anything: as a rule one that had been kept too long. */
class ClosedUnanswered extends Error {
  readonly reason: Error;
  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

/** Throws HttpError for what is no http: URL. */
export function parseHttpUrl(text: string | URL): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new HttpError('local', `'${text}' is not a URL; it should look like http://www.example.test/`);
  }
  if (url.protocol === 'https:')
    throw new HttpError('local', `https is not spoken here yet; try ${String(text).replace(/^https/i, 'http')}`);
  if (url.protocol !== 'http:') throw new HttpError('local', `'${url.protocol}' URLs are not loaded; only http:`);
  return url;
}

const endsOf = (connection: ClientConnection): Ends => {
  const { local, remote } = connection.socket;
  return { local: `${local.address}:${local.port}`, remote: `${remote.address}:${remote.port}` };
};

function credentialsOf(url: URL): Credentials | undefined {
  if (url.username === '') return undefined;
  return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}

function withoutPassword(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy.href;
}

function redirectTarget(response: RawResponse, url: URL): URL | undefined {
  if (!REDIRECTS.has(response.status)) return undefined;
  const location = response.headers.get('Location');
  if (location === undefined) return undefined;
  try {
    const target = new URL(location, url);
    // RFC 9110 §10.2.2: a fragment is inherited.
    if (target.hash === '') target.hash = url.hash;
    return target;
  } catch {
    throw new HttpError('remote', `a redirect to '${location}', which is not a URL`);
  }
}

/** RFC 9110 §8.4: codings are undone in the reverse of the order in which they were applied. */
function decode(bytes: Uint8Array, headers: Headers, codings: ContentCodings | undefined, limit: number): Uint8Array {
  let decoded = bytes;
  if (bytes.length === 0) return bytes;
  for (const coding of headers.tokens('Content-Encoding').reverse()) {
    if (coding === 'identity') continue;
    const name = coding === 'x-gzip' ? 'gzip' : coding;
    if (codings === undefined || !codings.names.includes(name)) {
      throw new HttpError('remote', `the body is coded as '${coding}', which can't be decoded here`);
    }
    try {
      decoded = codings.decode(name, decoded, limit);
    } catch (error) {
      throw new HttpError('remote', `the ${coding} body is broken: ${error instanceof Error ? error.message : error}`);
    }
  }
  return decoded;
}
