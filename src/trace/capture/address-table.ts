/** A small number for every address of a capture, of either version: by it conversations are told apart quickly. */
import { hash4 } from '../../base/hash.ts';

const EMPTY = -1;
const LEAST = 256;
/** The words of an IPv4 address that is no IPv6 one. */
const V4_MARK = 0xffff_fffe;

export class AddressTable {
  private count = 0;
  private slots = new Int32Array(4 * LEAST).fill(EMPTY);
  /** Four words each, in network order; of an IPv4 address the last, behind a mark. */
  private words = new Uint32Array(4 * LEAST);

  number(bytes: Uint8Array, at: number, isV6: boolean): number {
    return isV6
      ? this.find(u32(bytes, at), u32(bytes, at + 4), u32(bytes, at + 8), u32(bytes, at + 12))
      : this.find(V4_MARK, V4_MARK, V4_MARK, u32(bytes, at));
  }

  bytes(number: number): Uint8Array {
    const words = this.words.subarray(4 * number, 4 * number + 4);
    const kept = words[0] === V4_MARK && words[1] === V4_MARK ? words.subarray(3) : words;
    return Uint8Array.from(kept.length * 4 === 4 ? split(kept[0]) : [...kept].flatMap(split));
  }

  private find(a: number, b: number, c: number, d: number): number {
    const mask = this.slots.length - 1;
    const { words } = this;
    let slot = hash4(a, b, c, d) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const known = this.slots[slot];
      if (known === EMPTY) break;
      const at = 4 * known;
      if (words[at + 3] === d && words[at + 2] === c && words[at + 1] === b && words[at] === a) return known;
    }
    return this.add(slot, a, b, c, d);
  }

  private add(slot: number, a: number, b: number, c: number, d: number): number {
    const number = this.count++;
    this.slots[slot] = number;
    this.words.set([a, b, c, d], 4 * number);
    if (4 * this.count === this.words.length) this.grow();
    return number;
  }

  private grow(): void {
    const words = new Uint32Array(2 * this.words.length);
    words.set(this.words);
    this.words = words;
    this.slots = new Int32Array(2 * this.slots.length).fill(EMPTY);
    const mask = this.slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      const at = 4 * number;
      let slot = hash4(words[at], words[at + 1], words[at + 2], words[at + 3]) & mask;
      while (this.slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      this.slots[slot] = number;
    }
  }
}

const split = (word: number): number[] => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];

const u32 = (b: Uint8Array, at: number): number =>
  ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;
