/**
 * What the user wrote and the other end has not acknowledged. The user's chunks are kept as they came, not copied: as
 * with Node's sockets, they must not be changed until they are sent. The one copy is into the segment.
 */
import { copyInto, viewOf } from '../../base/bytes.ts';
import { added } from '../../base/lists.ts';

const NO_CHUNKS: Uint8Array[] = [];
const NOTHING = new Uint8Array(0);

export class SendBuffer {
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
    this.chunks = added(this.chunks, chunk);
    this.bytes += chunk.length;
  }

  /** The first `count` bytes are acknowledged. */
  drop(count: number): void {
    this.bytes -= count;
    let left = count + this.headOffset;
    while (this.head < this.chunks.length && left >= this.chunks[this.head].length) {
      left -= this.chunks[this.head].length;
      this.chunks[this.head] = NOTHING;
      this.head++;
    }
    this.headOffset = left;
    this.lastChunk = this.head;
    this.lastStart = -left;
    if (this.head === this.chunks.length) this.clear();
    else if (this.head > 64 && this.head * 2 > this.chunks.length) {
      this.chunks.splice(0, this.head);
      this.lastChunk = 0;
      this.head = 0;
    }
  }

  /** Copies `length` bytes that start `offset` bytes behind the first unacknowledged one. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    let index = this.lastChunk;
    let start = this.lastStart;
    if (offset < start) {
      index = this.head;
      start = -this.headOffset;
    }
    while (start + this.chunks[index].length <= offset) start += this.chunks[index++].length;
    this.lastChunk = index;
    this.lastStart = start;
    let from = offset - start;
    let done = 0;
    while (done < length) {
      const chunk = this.chunks[index++];
      const take = Math.min(chunk.length - from, length - done);
      copyInto(target, from === 0 && take === chunk.length ? chunk : viewOf(chunk, from, from + take), at + done);
      done += take;
      from = 0;
    }
  }

  clear(): void {
    this.chunks = NO_CHUNKS;
    this.head = 0;
    this.headOffset = 0;
    this.bytes = 0;
    this.lastChunk = 0;
    this.lastStart = 0;
  }
}
