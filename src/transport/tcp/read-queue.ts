/** What has been received in order and waits for the user, and the memory that it takes where that is counted. */
import { Fifo } from '../../base/fifo.ts';
import { added } from '../../base/lists.ts';
import type { WindowPolicy } from './window-policy.ts';

/** A small payload that waits unread is copied, so that it does not hold a whole frame in memory. */
const COPY_BELOW = 256;
const NO_COSTS: number[] = [];

export class ReadQueue {
  /** Bytes that wait. */
  unread = 0;
  /** Memory that they take (WindowPolicy.cost). */
  memory = 0;
  private readonly chunks = new Fifo<Uint8Array>();
  /** What each of them takes. */
  private costs = NO_COSTS;
  /** Room behind the last chunk. */
  private spare = 0;

  /** `joins`: it came as it is here, and may share the memory of what came before; of a part of a segment nothing may. */
  append(bytes: Uint8Array, cost: number, policy: WindowPolicy, joins = true): void {
    this.chunks.push(this.chunks.isEmpty ? bytes : ownMemory(bytes));
    if (cost > 0) this.charge(bytes.length, cost, policy, joins);
    this.unread += bytes.length;
  }

  private charge(length: number, cost: number, policy: WindowPolicy, joins: boolean): void {
    const fits = joins && this.costs.length > 0 && length <= this.spare;
    const charged = fits ? 0 : cost;
    this.spare = fits ? this.spare - length : (policy.spare?.(length, cost) ?? 0);
    this.costs = added(this.costs, charged);
    this.memory += charged;
  }

  /** What takes much more memory than its bytes is put together, page by page. */
  condense(policy: WindowPolicy): void {
    const wanted = policy.condensed?.(this.unread) ?? this.memory;
    if (wanted >= this.memory || this.costs.length === 0) return;
    this.costs = this.costs.map(() => 0);
    this.costs[this.costs.length - 1] = wanted;
    this.memory = wanted;
    this.spare = 0;
  }

  /** The next bytes, at most so many: what is left of one chunk. */
  take(max: number): Uint8Array | undefined {
    const first = this.chunks.peek();
    if (first === undefined || max <= 0) return undefined;
    if (first.length > max) {
      this.chunks.replaceFirst(first.subarray(max));
      this.unread -= max;
      return first.subarray(0, max);
    }
    if (this.costs.length > 0) this.memory -= this.costs.shift() ?? 0;
    this.chunks.shift();
    this.unread -= first.length;
    return first;
  }

  /** The next bytes, which stay where they are. */
  peek(max: number): Uint8Array {
    const seen = new Uint8Array(Math.min(max, this.unread));
    let at = 0;
    for (const chunk of this.chunks) {
      if (at >= seen.length) break;
      const part = chunk.subarray(0, seen.length - at);
      seen.set(part, at);
      at += part.length;
    }
    return seen;
  }
}

const ownMemory = (bytes: Uint8Array): Uint8Array =>
  bytes.length < COPY_BELOW && bytes.buffer.byteLength > 2 * bytes.length ? bytes.slice() : bytes;
