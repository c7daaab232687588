/** Writing to a socket that takes what it has room for: the rest waits here, and bodies are pulled only when there is room. */

import { concat, EMPTY, fromLatin1 } from '../../base/bytes.ts';
import type { SlabAllocator } from '../../base/slab.ts';
import type { ByteSocket } from '../../socket/types.ts';
import { fieldLines } from '../../wire/http1.ts';
import type { BodySource } from './body.ts';
import type { Headers } from './headers.ts';

/** Up to so many bytes a copy costs less than a segment of its own. */
const JOINED = 16 * 1024;

export class Output {
  private readonly socket: () => ByteSocket;
  private readonly slab: SlabAllocator;
  private readonly queue: Uint8Array[] = [];
  private whenRoom: (() => void) | undefined = undefined;
  /** What goes out with the next piece. */
  private held: Uint8Array = EMPTY;

  constructor(socket: () => ByteSocket, slab: SlabAllocator) {
    this.socket = socket;
    this.slab = slab;
  }

  get isBlocked(): boolean {
    return this.queue.length > 0;
  }

  write(bytes: Uint8Array): void {
    const { held } = this;
    this.held = EMPTY;
    if (held.length === 0 && bytes.length === 0) return;
    if (held.length + bytes.length <= JOINED) {
      this.queue.push(held.length === 0 ? bytes : concat([held, bytes], this.slab));
    } else {
      if (held.length > 0) this.queue.push(held);
      this.queue.push(bytes);
    }
    this.flush();
  }

  /** A head that a body follows: what of it is there at once goes along, in one segment and not in two. */
  hold(head: Uint8Array): void {
    this.held = head;
  }

  /** The socket says that it is writable. */
  flush(): void {
    while (this.queue.length > 0) {
      const first = this.queue[0];
      const taken = this.socket().write(first);
      if (taken < first.length) {
        this.queue[0] = first.subarray(taken);
        return;
      }
      this.queue.shift();
    }
    const run = this.whenRoom;
    this.whenRoom = undefined;
    run?.();
  }

  /**
   * Sends a body, chunked when `chunked` says so (RFC 9112 §7.1), and calls `done` behind its last byte. `failed` is
   * called instead when the source can't go on, or gives another number of bytes than it promised.
   */
  body(
    source: BodySource,
    chunked: boolean,
    trailers: Headers | undefined,
    done: () => void,
    failed: (error: unknown) => void,
  ): void {
    let left = chunked ? undefined : source.length;
    const give = (bytes: Uint8Array | undefined): boolean => {
      if (bytes === undefined) {
        if (left !== undefined && left > 0) failed(new Error('a body is shorter than its length'));
        else {
          this.write(
            chunked ? fromLatin1(`0\r\n${trailers === undefined ? '' : fieldLines(trailers.entries)}\r\n`) : EMPTY,
          );
          done();
        }
        return false;
      }
      if (left !== undefined && bytes.length > left) {
        failed(new Error('a body is longer than its length'));
        return false;
      }
      if (left !== undefined) left -= bytes.length;
      if (!chunked) this.write(bytes);
      else if (bytes.length > 0)
        this.write(concat([fromLatin1(`${bytes.length.toString(16)}\r\n`), bytes, CRLF], this.slab));
      return true;
    };
    const pull = (): void => {
      try {
        for (;;) {
          if (this.isBlocked) {
            this.whenRoom = pull;
            return;
          }
          const piece = source.next();
          if (piece instanceof Promise) {
            this.write(EMPTY); // the head does not wait for it
            piece.then(bytes => give(bytes) && pull(), failed);
            return;
          }
          if (!give(piece)) return;
        }
      } catch (error) {
        failed(error);
      }
    };
    pull();
  }
}

const CRLF = fromLatin1('\r\n');
