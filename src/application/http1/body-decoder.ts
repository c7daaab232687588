/** Takes a body out of a connection's bytes, by its framing (RFC 9112 §6-7). */
import { latin1 } from '../../base/bytes.ts';
import { findHeadEnd, parseChunkSize, parseFields } from '../../wire/http1.ts';
import { Reader } from '../../wire/reader.ts';
import { HttpError } from './errors.ts';
import type { Framing } from './framing.ts';
import { Headers } from './headers.ts';

/** A chunk-size line with its extensions, and a trailer section. */
const MAX_LINE = 4096;
const MAX_TRAILERS = 16 * 1024;

export interface DecodedBody {
  data(bytes: Uint8Array): void;
  end(trailers: Headers): void;
}

type Phase = 'size' | 'data' | 'data-end' | 'trailers' | 'done';

export class BodyDecoder {
  private readonly framing: Framing;
  private readonly out: DecodedBody;
  private phase: Phase = 'size';
  private left: number;

  constructor(framing: Framing, out: DecodedBody) {
    this.framing = framing;
    this.out = out;
    this.left = framing.kind === 'length' ? framing.length : 0;
  }

  get isDone(): boolean {
    return this.phase === 'done';
  }

  /** Takes what it can from [start, end) and answers where it stopped. Throws HttpError for bad framing. */
  take(bytes: Uint8Array, start: number, end: number): number {
    if (this.phase === 'done') return start;
    if (this.framing.kind === 'until-close') {
      if (end > start) this.out.data(bytes.subarray(start, end));
      return end;
    }
    if (this.framing.kind === 'length') return this.takeData(bytes, start, end, () => this.finish(new Headers()));
    return this.takeChunks(bytes, start, end);
  }

  /** The connection has ended. False: too early. */
  closed(): boolean {
    if (this.framing.kind === 'until-close') this.finish(new Headers());
    return this.phase === 'done';
  }

  private takeData(bytes: Uint8Array, start: number, end: number, whenDone: () => void): number {
    const size = Math.min(this.left, end - start);
    if (size > 0) this.out.data(bytes.subarray(start, start + size));
    this.left -= size;
    if (this.left === 0) whenDone();
    return start + size;
  }

  private takeChunks(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (;;) {
      const before = at;
      const phase = this.phase;
      if (phase === 'size') at = this.takeSize(bytes, at, end);
      else if (phase === 'data') {
        at = this.takeData(bytes, at, end, () => {
          this.phase = 'data-end';
        });
      } else if (phase === 'data-end') at = this.takeDataEnd(bytes, at, end);
      else if (phase === 'trailers') at = this.takeTrailers(bytes, at, end);
      if (this.isDone || (at === before && phase === this.phase)) return at;
    }
  }

  private takeSize(bytes: Uint8Array, start: number, end: number): number {
    const newline = bytes.subarray(start, end).indexOf(10);
    if (newline < 0) {
      if (end - start > MAX_LINE) throw new HttpError('remote', 'a chunk-size line is too long');
      return start;
    }
    const lineEnd = start + newline;
    // RFC 9112 §7.1: lines end in CRLF; a bare LF is what chunk smuggling is made of.
    if (newline === 0 || bytes[lineEnd - 1] !== 13)
      throw new HttpError('remote', 'a chunk-size line does not end in CRLF');
    const size = parseChunkSize(latin1(bytes, start, lineEnd - 1));
    if (size === undefined) throw new HttpError('remote', 'a chunk size is not a hexadecimal number');
    this.left = size;
    this.phase = size === 0 ? 'trailers' : 'data';
    return lineEnd + 1;
  }

  private takeDataEnd(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 2) return start;
    if (bytes[start] !== 13 || bytes[start + 1] !== 10)
      throw new HttpError('remote', 'a chunk is longer than its size says');
    this.phase = 'size';
    return start + 2;
  }

  private takeTrailers(bytes: Uint8Array, start: number, end: number): number {
    const isEmpty = end - start >= 2 && bytes[start] === 13 && bytes[start + 1] === 10;
    const stop = isEmpty ? start + 2 : findHeadEnd(bytes, start, end);
    if (stop < 0) {
      if (end - start > MAX_TRAILERS) throw new HttpError('remote', 'the trailers are too long', 431);
      return start;
    }
    const reader = new Reader(bytes, start, stop);
    const fields = parseFields(reader);
    if (reader.failure !== undefined) throw new HttpError('remote', reader.failure.reason);
    this.finish(new Headers(fields));
    return stop;
  }

  private finish(trailers: Headers): void {
    this.phase = 'done';
    this.out.end(trailers);
  }
}
