/**
 * A packet on its way down: one buffer with headroom. The payload is written once, at the end; every layer prepends
 * its header in place. On its way up `start` moves past each header instead, and the receiver gets a view.
 */
import { assert } from '../base/assert.ts';

/** Room for Ethernet (14) + IPv4 with options (60) or IPv6 (40); TCP and UDP reckon their own headers on top. */
export const HEADROOM = 14 + 60;

export class Packet {
  readonly bytes: Uint8Array;
  start: number;
  end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** A packet of `length` payload bytes, not yet written, behind `headroom` bytes for headers. */
  static withHeadroom(headroom: number, length: number): Packet {
    return new Packet(new Uint8Array(headroom + length), headroom, headroom + length);
  }

  static of(payload: Uint8Array, headroom = HEADROOM): Packet {
    const packet = Packet.withHeadroom(headroom, payload.length);
    packet.bytes.set(payload, headroom);
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
    return this.bytes.subarray(this.start, this.end);
  }
}
