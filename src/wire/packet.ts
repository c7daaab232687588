/**
 * A packet on its way down: one buffer with headroom. The payload is written once, at the end; every layer prepends
 * its header in place. On its way up `start` moves past each header instead, and the receiver gets a view.
 */
import { assert } from '../base/assert.ts';
import { copyInto } from '../base/bytes.ts';
import type { SlabAllocator } from '../base/slab.ts';

/** Room for Ethernet (14) + IPv4 with options (60) or IPv6 (40); TCP and UDP reckon their own headers on top. */
export const HEADROOM = 14 + 60;
/** Ethernet and the header of that version as it is without options: then the frame begins where the buffer does. */
export const EXACT_HEADROOM = { ethernet: 14, ipv4: 14 + 20, ipv6: 14 + 40 } as const;
/** A unit that no datagram's data exceeds: it is one segment, of which only the checksum is not made. */
export const ONE_SEGMENT = 65535;

export class Packet {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  /**
   * Not 0: a TCP segment whose checksum the link is to make, and which it is to cut into as many as there are units of
   * data in it, this many bytes each (see link/types.ts).
   */
  unit = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** A packet of `length` payload bytes, not yet written, behind `headroom` bytes for headers. */
  static withHeadroom(headroom: number, length: number, slab?: SlabAllocator): Packet {
    const size = headroom + length;
    return new Packet(slab === undefined ? new Uint8Array(size) : slab.take(size), headroom, size);
  }

  static of(payload: Uint8Array, headroom = HEADROOM, slab?: SlabAllocator): Packet {
    const packet = Packet.withHeadroom(headroom, payload.length, slab);
    copyInto(packet.bytes, payload, headroom);
    return packet;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Makes room for a header and returns where it starts. */
  prepend(size: number): number {
    this.start -= size;
    assert(this.start >= 0, 'a packet has too little headroom');
    return this.start;
  }

  view(): Uint8Array {
    const { bytes, start, end } = this;
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }
}
