/**
 * HTTP/1.1 messages of one direction, out of the bytes as they come: heads are parsed, bodies counted (RFC 9112 §6). A
 * body may have holes where the capture has; a head may not.
 */
import { concat, latin1 } from '../../base/bytes.ts';
import { findHeadEnd, type HeaderList, parseRequestHead, parseResponseHead } from '../../wire/http1.ts';
import { Reader } from '../../wire/reader.ts';
import type { StreamSink } from './ordered-stream.ts';

export interface MessageHead {
  /** Of a request. */
  method?: string;
  target?: string;
  /** Of a response. */
  status?: number;
  headers: HeaderList;
}

export interface MessageSink {
  /** Answers whether the message has no body whatever its head says (RFC 9112 §6.3: HEAD, 1xx, 204, 304). */
  head(head: MessageHead, time: number): boolean;
  /** The message is whole: bytes of its body, as they were sent. */
  end(bodyLength: number, time: number): void;
}

type Stage = 'head' | 'length' | 'chunk head' | 'chunk' | 'chunk end' | 'trailer' | 'until close' | 'lost';

const MOST_OF_A_HEAD = 64 << 10;

export class HttpMessages implements StreamSink {
  private stage: Stage = 'head';
  private readonly isRequest: boolean;
  private readonly sink: MessageSink;
  /** Of a head or a chunk's line: what has come of it. */
  private kept: Uint8Array | undefined = undefined;
  private left = 0;
  private body = 0;

  constructor(isRequest: boolean, sink: MessageSink) {
    this.isRequest = isRequest;
    this.sink = sink;
  }

  data(bytes: Uint8Array, start: number, end: number, time: number): void {
    let at = start;
    while (at < end && this.stage !== 'lost') at = this.step(bytes, at, end, time);
  }

  missing(count: number, time: number): void {
    if (this.stage === 'until close') {
      this.body += count;
    } else if ((this.stage === 'length' || this.stage === 'chunk') && count <= this.left) {
      this.skip(count, time);
    } else {
      this.stage = 'lost';
    }
  }

  /** The direction has ended. */
  close(time: number): void {
    if (this.stage === 'until close') this.finish(time);
    this.stage = 'lost';
  }

  private step(bytes: Uint8Array, at: number, end: number, time: number): number {
    switch (this.stage) {
      case 'length':
      case 'chunk': {
        const count = Math.min(this.left, end - at);
        this.skip(count, time);
        return at + count;
      }
      case 'until close':
        this.body += end - at;
        return end;
      case 'head':
        return this.takeHead(bytes, at, end, time);
      default:
        return this.takeLine(bytes, at, end, time);
    }
  }

  private skip(count: number, time: number): void {
    this.left -= count;
    this.body += count;
    if (this.left > 0) return;
    if (this.stage === 'chunk') this.stage = 'chunk end';
    else this.finish(time);
  }

  private takeHead(bytes: Uint8Array, start: number, end: number, time: number): number {
    // RFC 9112 §2.2: an empty line before a request line is passed over.
    if (this.kept === undefined && (bytes[start] === 13 || bytes[start] === 10)) return start + 1;
    const before = this.kept?.length ?? 0;
    const joined = this.kept === undefined ? bytes : concat([this.kept, bytes.subarray(start, end)]);
    const from = this.kept === undefined ? start : 0;
    const to = this.kept === undefined ? end : joined.length;
    const headEnd = findHeadEnd(joined, from, to);
    if (headEnd < 0) {
      if (to - from > MOST_OF_A_HEAD) this.stage = 'lost';
      this.kept = joined.slice(from, to);
      return end;
    }
    this.kept = undefined;
    this.parse(new Reader(joined, from, headEnd), time);
    return start + headEnd - from - before;
  }

  private parse(reader: Reader, time: number): void {
    const head: MessageHead = this.isRequest ? parseRequestHead(reader) : parseResponseHead(reader);
    if (!reader.ok) {
      this.stage = 'lost';
      return;
    }
    const bodiless = this.sink.head(head, time);
    this.body = 0;
    const length = lengthOf(head.headers);
    if (bodiless) return this.finish(time);
    if (isChunked(head.headers)) {
      this.stage = 'chunk head';
    } else if (length !== undefined || this.isRequest) {
      this.stage = 'length';
      this.left = length ?? 0;
      if (this.left === 0) this.finish(time);
    } else {
      this.stage = 'until close';
    }
  }

  /** RFC 9112 §7.1: a chunk's size, the line end behind a chunk, or a line of the trailer. */
  private takeLine(bytes: Uint8Array, start: number, end: number, time: number): number {
    const feed = bytes.indexOf(10, start);
    const stop = feed < 0 || feed >= end ? end : feed + 1;
    const part = bytes.subarray(start, stop);
    const line = this.kept === undefined ? part : concat([this.kept, part]);
    if (stop === end && line[line.length - 1] !== 10) {
      if (line.length > MOST_OF_A_HEAD) this.stage = 'lost';
      this.kept = line.slice();
      return end;
    }
    this.kept = undefined;
    this.lineEnds(latin1(line).trim(), time);
    return stop;
  }

  private lineEnds(line: string, time: number): void {
    if (this.stage === 'chunk end') {
      this.stage = line === '' ? 'chunk head' : 'lost';
    } else if (this.stage === 'trailer') {
      if (line === '') this.finish(time);
    } else {
      const size = /^[0-9a-f]{1,8}(?=$|[\s;])/i.exec(line);
      this.left = size === null ? -1 : Number.parseInt(size[0], 16);
      this.stage = this.left < 0 ? 'lost' : this.left === 0 ? 'trailer' : 'chunk';
    }
  }

  private finish(time: number): void {
    this.stage = 'head';
    this.sink.end(this.body, time);
  }
}

export function fieldOf(headers: HeaderList, name: string): string | undefined {
  for (const [known, value] of headers) {
    if (known.length === name.length && known.toLowerCase() === name) return value;
  }
  return undefined;
}

function lengthOf(headers: HeaderList): number | undefined {
  const text = fieldOf(headers, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const isChunked = (headers: HeaderList): boolean =>
  fieldOf(headers, 'transfer-encoding')?.toLowerCase().endsWith('chunked') ?? false;
