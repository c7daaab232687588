/**
 * A packet on its way: a stretch of memory, of which [start, end) is what the layer that has it looks at. On its way down
 * every layer prepends its header in place, in the room before `start`; on its way up `start` moves past each of them.
 * The payload is written once and never copied, from one end's transport to the other's.
 */
import { assert } from '../base/assert.ts';
import { copyInto, viewOf } from '../base/bytes.ts';
import { SIMD_FROM_ALIGNED, sumAligned, sumWords } from '../base/checksum.ts';
import type { Instant } from '../base/instant.ts';
import { Memory, type SlabAllocator } from '../base/slab.ts';

/** Room for Ethernet (14) + IPv4 with options (60) or IPv6 (40); TCP and UDP reckon their own headers on top. */
export const HEADROOM = 14 + 60;
/** Ethernet and the header of that version as it is without options: then the frame begins where the packet's room does. */
export const EXACT_HEADROOM = { ethernet: 14, ipv4: 14 + 20, ipv6: 14 + 40 } as const;
/** A unit that no datagram's data exceeds: it is one segment, of which only the checksum is not made. */
export const ONE_SEGMENT = 65535;
/** In front of a frame, so that what is behind its 14 bytes of Ethernet begins with a word of the machine. */
const TO_ALIGN = 2;

export class Packet {
  readonly memory: Memory;
  start: number;
  end: number;
  /** Where its own room begins: nothing is prepended before it. */
  private readonly floor: number;
  /**
   * Not 0: a TCP segment whose checksum the link is to make, and which it is to cut into as many as there are units of
   * data in it, this many bytes each (see link/types.ts).
   */
  unit = 0;
  /** Others may have these bytes too: they are to be left as they are. */
  shared = false;
  /** On a cable (link/arrivals.ts): when it arrives, and what arrives behind it. */
  when: Instant = 0;
  next: Packet | undefined = undefined;

  constructor(memory: Memory, start: number, end: number, floor = start) {
    this.memory = memory;
    this.start = start;
    this.end = end;
    this.floor = floor;
  }

  /** A packet of `length` payload bytes, not yet written, behind `headroom` bytes for headers. */
  static withHeadroom(headroom: number, length: number, slab?: SlabAllocator): Packet {
    const room = TO_ALIGN + headroom;
    const size = room + length;
    if (slab?.holds(size)) {
      const at = slab.place(size);
      return new Packet(slab.memory, at + room, at + size, at);
    }
    const memory = slab?.large(size) ?? Memory.of(new ArrayBuffer((size + 3) & ~3));
    return new Packet(memory, room, size, 0);
  }

  /** A copy of `payload`. */
  static of(payload: Uint8Array, headroom = HEADROOM, slab?: SlabAllocator): Packet {
    const packet = Packet.withHeadroom(headroom, payload.length, slab);
    copyInto(packet.bytes, payload, packet.start);
    return packet;
  }

  /** These bytes themselves. */
  static over(bytes: Uint8Array, unit = 0, shared = false): Packet {
    const packet = new Packet(new Memory(bytes), 0, bytes.length);
    packet.unit = unit;
    packet.shared = shared;
    return packet;
  }

  /** The same bytes once more; from now on neither of the two has them alone. */
  again(): Packet {
    const { memory, start, end, floor, unit } = this;
    const packet = new Packet(memory, start, end, floor);
    packet.unit = unit;
    packet.shared = true;
    this.shared = true;
    return packet;
  }

  /** A copy with room for a header of so many bytes. */
  copy(headroom: number, slab?: SlabAllocator): Packet {
    const copy = Packet.of(this.view(), headroom, slab);
    copy.unit = this.unit;
    return copy;
  }

  /** What may be changed, with room for a header of so many bytes: itself where nobody else has it, else a copy. */
  toChange(headroom: number, slab?: SlabAllocator): Packet {
    return this.shared || this.room < headroom ? this.copy(headroom, slab) : this;
  }

  /** It has been sent, to where nothing of it is kept: its memory may be used again. */
  release(): void {
    if (!this.shared) this.memory.home?.takeBack(this.memory);
  }

  /** Of all its memory: what is its own lies in [start, end). */
  get bytes(): Uint8Array {
    return this.memory.bytes;
  }

  /** The same in network order. */
  get rows(): DataView {
    return this.memory.rows;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Bytes that could still be prepended. */
  get room(): number {
    return this.start - this.floor;
  }

  /** Makes room for a header and returns where it starts. */
  prepend(size: number): number {
    this.start -= size;
    assert(this.start >= this.floor, 'a packet has too little headroom');
    return this.start;
  }

  /** Bytes of its memory, not copied. */
  part(start: number, end: number): Uint8Array {
    const { buffer, bytes } = this.memory;
    if (buffer !== undefined) return new Uint8Array(buffer, start, end - start);
    return start === 0 && end === bytes.length ? bytes : viewOf(bytes, start, end);
  }

  view(): Uint8Array {
    return this.part(this.start, this.end);
  }

  /** `sum` and the 16-bit words of [start, end) of its memory (base/checksum.ts). */
  sum(start: number, end: number, sum = 0): number {
    const { words, bytes } = this.memory;
    if (words === undefined || (start & 3) !== 0) return sumWords(bytes, start, end, sum);
    if (end - start < SIMD_FROM_ALIGNED) return sumAligned(words, bytes, start, end, sum);
    return sumWords(this.part(start, end), 0, end - start, sum);
  }
}
