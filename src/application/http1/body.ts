/** Bodies: one that comes in is pushed and waits for its reader; one that goes out is pulled as the socket has room. */
import { concat, utf8 } from '../../base/bytes.ts';
import { HttpError } from './errors.ts';
import { Headers } from './headers.ts';

/** What goes out: pulled piece by piece, so that a file of any size costs one piece of memory. */
export interface BodySource {
  /** Undefined: not known beforehand. */
  readonly length: number | undefined;
  /** Undefined at the end. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Nobody will pull any more. */
  cancel?(): void;
}

export type Body = Uint8Array | string | BodySource;

export function sourceOf(body: Body): BodySource {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return body;
  return new WholeBody(typeof body === 'string' ? utf8(body) : body);
}

/** In one piece. */
class WholeBody implements BodySource {
  readonly length: number;
  private bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    this.bytes = bytes.length === 0 ? undefined : bytes;
  }

  next(): Uint8Array | undefined {
    const { bytes } = this;
    this.bytes = undefined;
    return bytes;
  }
}

export interface BodyReader {
  data(bytes: Uint8Array): void;
  end(trailers: Headers): void;
  error(error: Error): void;
}

/** Buffered beyond this without a reader, the sender is made to wait. */
const HIGH_WATER = 64 * 1024;

/** What comes in. Until somebody reads, pieces wait here and the socket is paused. */
export interface BodyFlow {
  pause(): void;
  resume(): void;
  /** A reader has come. */
  wanted?(): void;
  /** The reader has had too much: the rest is not to be waited for. */
  refuse?(): void;
}

export class IncomingBody {
  /** Bytes that have arrived. */
  received = 0;
  private reader: BodyReader | undefined = undefined;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private ended: Headers | undefined = undefined;
  private failure: Error | undefined = undefined;
  private readonly flow: BodyFlow;

  constructor(flow: BodyFlow) {
    this.flow = flow;
  }

  get isComplete(): boolean {
    return this.ended !== undefined;
  }

  get hasReader(): boolean {
    return this.reader !== undefined;
  }

  /** One reader; what has come already is given at once. */
  read(reader: BodyReader): void {
    this.reader = reader;
    this.flow.wanted?.();
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const bytes of waiting) reader.data(bytes);
    if (this.failure !== undefined) reader.error(this.failure);
    else if (this.ended !== undefined) reader.end(this.ended);
    else this.flow.resume();
  }

  /** All of it. Rejects with HttpError (413) beyond `limit`. */
  bytes(limit = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const pieces: Uint8Array[] = [];
      let total = 0;
      this.read({
        data: bytes => {
          total += bytes.length;
          if (total <= limit) {
            pieces.push(bytes);
            return;
          }
          pieces.length = 0;
          reject(new HttpError('remote', `a body over ${limit} bytes`, 413));
          this.flow.refuse?.();
        },
        end: () => resolve(pieces.length === 0 ? new Uint8Array(0) : concat(pieces)),
        error: reject,
      });
    });
  }

  /** Throws it away as it comes. */
  discard(): void {
    this.read({ data() {}, end() {}, error() {} });
  }

  // --- for the connection

  push(bytes: Uint8Array): void {
    this.received += bytes.length;
    if (this.reader !== undefined) return this.reader.data(bytes);
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.waitingBytes > HIGH_WATER) this.flow.pause();
  }

  finish(trailers = new Headers()): void {
    if (this.ended !== undefined || this.failure !== undefined) return;
    this.ended = trailers;
    this.reader?.end(trailers);
  }

  fail(error: Error): void {
    if (this.ended !== undefined || this.failure !== undefined) return;
    this.failure = error;
    this.reader?.error(error);
  }
}
