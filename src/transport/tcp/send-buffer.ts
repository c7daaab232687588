/**
 * What the user wrote and the other end has not acknowledged. The user's chunks are kept as they came, not copied: as
 * with Node's sockets, they must not be changed until they are sent. The one copy is into the segment.
 */
import { copyInto, viewOf } from '../../base/bytes.ts';

const NO_CHUNKS: Uint8Array[] = [];
const NOTHING = new Uint8Array(0);

export class SendBuffer {
  /** The one chunk that there is, of which nothing is acknowledged: of those who talk in turns always so. */
  private only: Uint8Array | undefined = undefined;
  /** All of them otherwise. */
  private chunks = NO_CHUNKS;
  /** Chunks before it are acknowledged; they are cut off in batches. */
  private head = 0;
  /** Bytes of the head chunk that are acknowledged. */
  private headOffset = 0;
  private bytes = 0;
  // Where the last copy ended, so that sending in order does not search: [chunk, its start in the stream].
  private lastChunk = 0;
  private lastStart = 0;

  /** Unacknowledged and unsent bytes. */
  get length(): number {
    return this.bytes;
  }

  append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.bytes === 0) this.only = chunk;
    else this.list().push(chunk);
    this.bytes += chunk.length;
  }

  /** The chunks, one that was by itself among them. */
  private list(): Uint8Array[] {
    if (this.only !== undefined) {
      this.chunks = [this.only];
      this.only = undefined;
    }
    return this.chunks;
  }

  /** The first `count` bytes are acknowledged. */
  drop(count: number): void {
    if (count === this.bytes) return this.clear();
    const chunks = this.list();
    this.bytes -= count;
    let left = count + this.headOffset;
    while (left >= chunks[this.head].length) {
      left -= chunks[this.head].length;
      chunks[this.head] = NOTHING;
      this.head++;
    }
    this.headOffset = left;
    this.lastChunk = this.head;
    this.lastStart = -left;
    if (this.head > 64 && this.head * 2 > chunks.length) {
      chunks.splice(0, this.head);
      this.lastChunk = 0;
      this.head = 0;
    }
  }

  /** Copies `length` bytes that start `offset` bytes behind the first unacknowledged one. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    if (length === this.only?.length) return copyInto(target, this.only, at);
    const chunks = this.list();
    let index = this.lastChunk;
    let start = this.lastStart;
    if (offset < start) {
      index = this.head;
      start = -this.headOffset;
    }
    while (start + chunks[index].length <= offset) start += chunks[index++].length;
    this.lastChunk = index;
    this.lastStart = start;
    let from = offset - start;
    let done = 0;
    while (done < length) {
      const chunk = chunks[index++];
      const take = Math.min(chunk.length - from, length - done);
      copyInto(target, from === 0 && take === chunk.length ? chunk : viewOf(chunk, from, from + take), at + done);
      done += take;
      from = 0;
    }
  }

  clear(): void {
    this.bytes = 0;
    if (this.only !== undefined) {
      this.only = undefined;
      return;
    }
    this.chunks = NO_CHUNKS;
    this.head = 0;
    this.headOffset = 0;
    this.lastChunk = 0;
    this.lastStart = 0;
  }
}
