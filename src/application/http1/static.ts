/** A server of files: types, validators, conditions, ranges, compression, index pages. Where files come from is plugged in. */
import mime from 'mime';
import type { BodySource } from './body.ts';
import { type ContentCodings, chooseCoding } from './codings.ts';
import { evaluateConditions, rangeStillApplies, type Validators } from './conditional.ts';
import { httpDate } from './date.ts';
import { Headers } from './headers.ts';
import { type ByteRange, parseRange } from './range.ts';
import type { RequestHandler, ServerRequest, ServerResponse } from './server.ts';
import { errorResponse } from './server-connection.ts';

export interface StoredFile {
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Changes when the content does. */
  readonly tag: string;
  /** Bytes [start, end), a piece at a time. */
  read(start: number, end: number): BodySource;
}

export interface FileStore {
  /** `path` is absolute, decoded and without '..'. */
  find(path: string): StoredFile | 'directory' | undefined;
}

export interface StaticOptions {
  files: FileStore;
  date: () => number;
  codings?: ContentCodings;
  /** Cache-Control by path. */
  cacheControl?: (path: string) => string | undefined;
}

/** Below it, compression costs more than it saves. */
const MIN_COMPRESS = 512;
/** Beyond it a file is sent as it is, rather than held in memory. */
const MAX_COMPRESS = 4 << 20;
const COMPRESSIBLE = /^(?:text\/|application\/(?:javascript|json|xml|manifest\+json)|image\/svg\+xml)/;

export function staticFiles(options: StaticOptions): RequestHandler {
  return request => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const refused = errorResponse(405, `${request.method} is not for files`);
      refused.headers?.set('Allow', 'GET, HEAD');
      return refused;
    }
    const path = safePath(request.path);
    if (path === undefined) return errorResponse(400, 'the path is not a legal one');
    const found = options.files.find(path);
    if (found === 'directory' && !path.endsWith('/')) return redirectToDirectory(request);
    const name = found === 'directory' ? `${path}index.html` : path;
    const file = found === 'directory' ? options.files.find(name) : found;
    if (file === undefined || file === 'directory') return errorResponse(404, `there is no ${request.path}`);
    return serveFile(request, file, name, options);
  };
}

/** Decoded once; undefined for a bad escape, a NUL, or a way out of the root. */
export function safePath(path: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const parts = decoded.split('/');
  const bad = decoded.includes('\0') || decoded.includes('\\') || parts.includes('..') || parts.includes('.');
  return bad || !decoded.startsWith('/') ? undefined : decoded.replace(/\/{2,}/g, '/');
}

function redirectToDirectory(request: ServerRequest): ServerResponse {
  const query = request.query === '' ? '' : `?${request.query}`;
  const location = `${request.path.replace(/^\/{2,}/, '/')}/${query}`;
  const answer = errorResponse(301, `it is at ${location}`);
  answer.headers?.set('Location', location);
  return answer;
}

function serveFile(request: ServerRequest, file: StoredFile, name: string, options: StaticOptions): ServerResponse {
  const type = contentType(name);
  const coding = codingFor(request, file, type, options.codings);
  const headers = new Headers();
  // RFC 9110 §8.8.3.3: another coding is another representation, with another tag.
  const validators: Validators = {
    etag: `"${file.tag}${coding === undefined ? '' : `-${coding}`}"`,
    lastModified: Math.floor(file.modified / 1000) * 1000,
  };
  headers.set('ETag', validators.etag as string);
  headers.set('Last-Modified', httpDate(validators.lastModified as number));
  const cacheControl = options.cacheControl?.(name);
  if (cacheControl !== undefined) headers.set('Cache-Control', cacheControl);
  if (options.codings !== undefined && COMPRESSIBLE.test(type)) headers.set('Vary', 'Accept-Encoding');
  const verdict = evaluateConditions(request.method, request.headers, validators, options.date());
  if (verdict === 412) return errorResponse(412, 'the file has changed');
  if (verdict === 304) return { status: 304, headers };
  headers.set('Content-Type', type);
  headers.set('Accept-Ranges', 'bytes');
  if (coding !== undefined && options.codings !== undefined) {
    headers.set('Content-Encoding', coding);
    return { status: 200, headers, body: options.codings.encode(coding, readAll(file)) };
  }
  return ranged(request, file, headers, validators, options) ?? { status: 200, headers, body: file.read(0, file.size) };
}

function ranged(
  request: ServerRequest,
  file: StoredFile,
  headers: Headers,
  validators: Validators,
  options: StaticOptions,
): ServerResponse | undefined {
  // RFC 9110 §14.2: a server MUST ignore Range for methods other than GET.
  const field = request.method === 'GET' ? request.headers.get('Range') : undefined;
  if (field === undefined || !rangeStillApplies(request.headers, validators, options.date())) return undefined;
  const ranges = parseRange(field, file.size);
  if (ranges === undefined) return undefined;
  if (ranges.length === 0) {
    const answer = errorResponse(416, `the file has ${file.size} bytes`);
    answer.headers?.set('Content-Range', `bytes */${file.size}`);
    return answer;
  }
  if (ranges.length > 1) return multipart(file, ranges, headers);
  const [{ start, end }] = ranges;
  headers.set('Content-Range', `bytes ${start}-${end - 1}/${file.size}`);
  return { status: 206, headers, body: file.read(start, end) };
}

/** RFC 9110 §14.6: multipart/byteranges. */
function multipart(file: StoredFile, ranges: readonly ByteRange[], headers: Headers): ServerResponse {
  const boundary = `netarium-${file.tag.replace(/[^A-Za-z0-9]/g, '')}`;
  const type = headers.get('Content-Type') ?? 'application/octet-stream';
  headers.set('Content-Type', `multipart/byteranges; boundary=${boundary}`);
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const sources: (BodySource | Uint8Array)[] = ranges.flatMap(({ start, end }) => [
    text(`--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${start}-${end - 1}/${file.size}\r\n\r\n`),
    file.read(start, end),
    text('\r\n'),
  ]);
  sources.push(text(`--${boundary}--\r\n`));
  const length = sources.reduce((sum, part) => sum + (part.length ?? 0), 0);
  return { status: 206, headers, body: joined(sources, length) };
}

function joined(sources: (BodySource | Uint8Array)[], length: number): BodySource {
  return {
    length,
    next: () => {
      while (sources.length > 0) {
        const first = sources[0];
        if (first instanceof Uint8Array) return sources.shift() as Uint8Array;
        const piece = first.next();
        if (piece !== undefined) return piece;
        sources.shift();
      }
      return undefined;
    },
    cancel: () => {
      for (const source of sources) if (!(source instanceof Uint8Array)) source.cancel?.();
    },
  };
}

function readAll(file: StoredFile): Uint8Array {
  const bytes = new Uint8Array(file.size);
  const source = file.read(0, file.size);
  let at = 0;
  for (let piece = source.next(); piece instanceof Uint8Array; piece = source.next()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

export function contentType(name: string): string {
  const type = mime.getType(name) ?? 'application/octet-stream';
  return /^text\/|javascript$|json$/.test(type) ? `${type}; charset=utf-8` : type;
}

/** A range of a compressed file would be of no use to a client that resumes: those get it as it is. */
function codingFor(
  request: ServerRequest,
  file: StoredFile,
  type: string,
  codings: ContentCodings | undefined,
): string | undefined {
  const unfit =
    file.size < MIN_COMPRESS || file.size > MAX_COMPRESS || !COMPRESSIBLE.test(type) || request.headers.has('Range');
  return codings === undefined || unfit
    ? undefined
    : chooseCoding(codings.names, request.headers.get('Accept-Encoding'));
}
