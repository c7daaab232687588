/**
 * A packet on its way down: one buffer with headroom. The payload is written once, at the end; every layer prepends
 * its header in place. On its way up `start` moves past each header instead, and the receiver gets a view.
 */
import { assert } from '../base/assert.ts';
import type { SlabAllocator } from '../base/slab.ts';

/** Room for Ethernet (14) + IPv4 with options (60) or IPv6 (40); TCP and UDP reckon their own headers on top. */
export const HEADROOM = 14 + 60;

export class Packet {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  /** Where the packet's own room begins: what lies before it is somebody else's. */
  private readonly floor: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, floor = 0) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.floor = floor;
  }

  /** A packet of `length` payload bytes, not yet written, behind `headroom` bytes for headers. */
  static withHeadroom(headroom: number, length: number, slab?: SlabAllocator): Packet {
    if (slab === undefined) return new Packet(new Uint8Array(headroom + length), headroom, headroom + length);
    slab.take(headroom + length);
    const start = slab.at + headroom;
    return new Packet(slab.bytes, start, start + length, slab.at);
  }

  static of(payload: Uint8Array, headroom = HEADROOM, slab?: SlabAllocator): Packet {
    const packet = Packet.withHeadroom(headroom, payload.length, slab);
    packet.bytes.set(payload, packet.start);
    return packet;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Makes room for a header and returns where it starts. */
  prepend(size: number): number {
    this.start -= size;
    assert(this.start >= this.floor, 'a packet has too little headroom');
    return this.start;
  }

  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }
}
