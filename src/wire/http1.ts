/**
 * The head of an HTTP/1.1 message (RFC 9112 §2-5) and its framing, as strict as the RFC allows: whatever two parties
 * might read differently (a bare CR or LF, obs-fold, a space before a colon, two lengths, an odd chunk size) is
 * malformed here, because that difference is how requests are smuggled.
 */
import { fromLatin1 } from '../base/bytes.ts';
import type { SlabAllocator } from '../base/slab.ts';
import { type Malformed, Reader } from './reader.ts';

/** In order, names as they were written, repeated ones kept. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface RequestHead {
  method: string;
  /** As it stands in the request line: origin-form, absolute-form, authority-form or '*' (RFC 9112 §3.2). */
  target: string;
  /** '1.0' or '1.1'. */
  version: string;
  headers: HeaderList;
}

export interface ResponseHead {
  version: string;
  status: number;
  reason: string;
  headers: HeaderList;
}

const CR = 13;
const LF = 10;

// RFC 9110 §5.6.2: tchar.
const TCHAR = table(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);
// RFC 9110 §5.5: field-vchar, SP and HTAB; obs-text stays opaque.
const FIELD = Uint8Array.from({ length: 256 }, (_, c) => (c === 9 || (c >= 32 && c !== 127) ? 1 : 0));
// RFC 3986: visible ASCII; which of them belong in a target is the URL parser's to say.
const VISIBLE = Uint8Array.from({ length: 256 }, (_, c) => (c > 32 && c < 127 ? 1 : 0));

function table(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, c) => (pattern.test(String.fromCharCode(c)) ? 1 : 0));
}

export const isToken = (text: string): boolean => text !== '' && all(text, TCHAR);
export const isFieldValue = (text: string): boolean => all(text, FIELD) && text.trim() === text;

/** Characters of more than a byte are in no class. */
function all(text: string, allowed: Uint8Array): boolean {
  for (let at = 0; at < text.length; at++) if (allowed[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/**
 * The offset behind the blank line that ends a head, or -1. RFC 9112 §2.2 lets a recipient take a bare LF for a line
 * end; we do not, and the parser says so, but the head is found by either so that the answer does not have to wait.
 */
export function findHeadEnd(bytes: Uint8Array, start: number, end = bytes.length): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== LF) continue;
    if (at + 1 < end && bytes[at + 1] === LF) return at + 2;
    if (at + 2 < end && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** Reads bytes of one class up to a delimiter, which it leaves. */
function readUntil(reader: Reader, stop: number, allowed: Uint8Array, name: string): string {
  const { bytes, end } = reader;
  let at = reader.at;
  while (at < end && bytes[at] !== stop) {
    if (allowed[bytes[at]] === 0) {
      reader.fail(`http: illegal byte 0x${bytes[at].toString(16).padStart(2, '0')} in the ${name}`, at);
      return '';
    }
    at++;
  }
  if (at === end) {
    reader.fail(`http: ${name} does not end`);
    return '';
  }
  return reader.text(at - reader.at, name);
}

function expectByte(reader: Reader, wanted: number, name: string): void {
  if (reader.u8(name, byte => JSON.stringify(String.fromCharCode(byte))) !== wanted) {
    reader.fail(`http: expected ${name}`, reader.at - 1);
  }
}

function expectCrlf(reader: Reader): void {
  const { bytes, at, end } = reader;
  if (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) reader.skip(2, 'line end', 'CRLF');
  else reader.fail('http: a line must end in CRLF', at);
}

export function parseRequestHead(reader: Reader): RequestHead {
  return reader.group('request', () => {
    const method = readUntil(reader, 32, TCHAR, 'method');
    if (reader.ok && method === '') reader.fail('http: the method is empty');
    expectByte(reader, 32, 'space');
    const target = readUntil(reader, 32, VISIBLE, 'target');
    if (reader.ok && target === '') reader.fail('http: the request target is empty');
    expectByte(reader, 32, 'space');
    const version = parseVersion(reader);
    expectCrlf(reader);
    return { method, target, version, headers: parseFields(reader) };
  });
}

export function parseResponseHead(reader: Reader): ResponseHead {
  return reader.group('response', () => {
    const version = parseVersion(reader);
    expectByte(reader, 32, 'space');
    const digits = reader.text(3, 'status');
    if (reader.ok && !/^[1-9]\d\d$/.test(digits)) reader.fail('http: the status is not three digits', reader.at - 3);
    let reason = '';
    // RFC 9112 §4: the space before an absent reason phrase is required; a client still reads a line without it.
    if (reader.bytes[reader.at] === 32) {
      expectByte(reader, 32, 'space');
      reason = readUntil(reader, CR, FIELD, 'reason');
    }
    expectCrlf(reader);
    return { version, status: Number(digits), reason, headers: parseFields(reader) };
  });
}

function parseVersion(reader: Reader): string {
  const text = reader.text(8, 'version');
  // RFC 9112 §2.3: HTTP-name is case-sensitive; the major version must be one that we know.
  if (reader.ok && !/^HTTP\/1\.\d$/.test(text)) reader.fail('http: not an HTTP/1 version', reader.at - 8);
  return text === 'HTTP/1.0' ? '1.0' : '1.1';
}

/** Field lines up to and with the blank line; also the trailer section of a chunked body (RFC 9112 §7.1.2). */
export function parseFields(reader: Reader): HeaderList {
  const headers: [string, string][] = [];
  while (reader.ok && !(reader.bytes[reader.at] === CR && reader.left >= 2)) {
    const field = reader.group(
      'field',
      () => parseField(reader),
      ([name, value]) => `${name}: ${value}`,
    );
    if (reader.ok) headers.push(field);
  }
  expectCrlf(reader);
  return headers;
}

function parseField(reader: Reader): [string, string] {
  const first = reader.bytes[reader.at];
  // RFC 9112 §5.2: a sender MUST NOT generate obs-fold; a server rejects it with 400.
  if (first === 32 || first === 9) reader.fail('http: a field line starts with a space (obs-fold)');
  // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon": SP is no tchar, so it fails here.
  const name = readUntil(reader, 58, TCHAR, 'field name');
  if (reader.ok && name === '') reader.fail('http: a field line has no name');
  expectByte(reader, 58, 'colon');
  const raw = readUntil(reader, CR, FIELD, 'field value');
  expectCrlf(reader);
  return [name, trimmed(raw)];
}

/** Without spaces and tabs around it: RFC 9112 §5's OWS. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

const isBlank = (char: number): boolean => char === 32 || char === 9;

export function decodeRequestHead(bytes: Uint8Array, start = 0, end = bytes.length): RequestHead | Malformed {
  const reader = new Reader(bytes, start, end);
  const head = parseRequestHead(reader);
  return reader.failure ?? head;
}

export function decodeResponseHead(bytes: Uint8Array, start = 0, end = bytes.length): ResponseHead | Malformed {
  const reader = new Reader(bytes, start, end);
  const head = parseResponseHead(reader);
  return reader.failure ?? head;
}

/** Throws TypeError for what must not go on the wire: a caller's mistake, or an attempt at header injection. */
export function encodeRequestHead(head: RequestHead, slab?: SlabAllocator): Uint8Array {
  if (!isToken(head.method)) throw new TypeError(`'${head.method}' is no HTTP method`);
  if (head.target === '' || !all(head.target, VISIBLE)) {
    throw new TypeError(`'${head.target}' is no request target`);
  }
  return fromLatin1(`${head.method} ${head.target} HTTP/${head.version}\r\n${fieldLines(head.headers)}\r\n`, slab);
}

export function encodeResponseHead(head: ResponseHead, slab?: SlabAllocator): Uint8Array {
  if (!Number.isInteger(head.status) || head.status < 100 || head.status > 999) {
    throw new TypeError(`${head.status} is no HTTP status`);
  }
  return fromLatin1(`HTTP/${head.version} ${head.status} ${head.reason}\r\n${fieldLines(head.headers)}\r\n`, slab);
}

export function fieldLines(headers: HeaderList): string {
  let text = '';
  for (const [name, value] of headers) {
    if (!isToken(name)) throw new TypeError(`'${name}' is no header name`);
    if (!isFieldValue(value)) throw new TypeError(`the value of header '${name}' holds an illegal character`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/**
 * A chunk-size line without its CRLF (RFC 9112 §7.1): hex digits, then perhaps extensions, which are ignored but must
 * be made of legal bytes. Undefined when it is not one. Sizes over 2^48 are refused.
 */
export function parseChunkSize(line: string): number | undefined {
  const match = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
  return match === null ? undefined : Number.parseInt(match[1], 16);
}
