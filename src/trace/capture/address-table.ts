/** A small number for every address of a capture, of either version: by it conversations are told apart quickly. */
import { hash4 } from '../../base/hash.ts';
import { formatIpv6 } from '../../wire/address.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import { u32 } from '../../wire/layout.ts';

/** Four bytes at any place. */
const word = u32();
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
      ? this.find(word.get(bytes, at), word.get(bytes, at + 4), word.get(bytes, at + 8), word.get(bytes, at + 12))
      : this.find(V4_MARK, V4_MARK, V4_MARK, word.get(bytes, at));
  }

  address(number: number): IpAddress {
    const words = this.words.subarray(4 * number, 4 * number + 4);
    if (words[0] === V4_MARK && words[1] === V4_MARK) return words[3];
    return formatIpv6(Uint8Array.from([...words].flatMap(split)));
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
