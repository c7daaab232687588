/** Fragments of IPv6 (RFC 8200 §4.5): made by the sender alone, with a header of their own between the others. */
import { ipv6, ipv6End, NEXT_HEADER } from '../wire/ipv6.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';
import type { Reassembler } from './reassembly.ts';

const FRAGMENT_HEADER = 8;
/** The payload length is a field of 16 bits. */
export const MOST_DATA6 = 65535;

/** What the header that stands at `at` says of a fragment; `isWhole`: it is the only one (RFC 6946). */
export function fragmentAt(
  bytes: Uint8Array,
  at: number,
  end: number,
): { isWhole: boolean; oddLength: boolean; tooLong: boolean } {
  const field = (bytes[at + 2] << 8) | bytes[at + 3];
  const [offset, more] = [field & 0xfff8, (field & 1) !== 0];
  const length = end - at - FRAGMENT_HEADER;
  return {
    isWhole: offset === 0 && !more,
    oddLength: more && length % 8 !== 0,
    tooLong: offset + length > MOST_DATA6,
  };
}

/** A fragment whose fragment header stands at `at`: the whole datagram as a new packet once nothing is missing. */
export function reassemble6(
  reassembler: Reassembler,
  bytes: Uint8Array,
  start: number,
  at: number,
): Packet | undefined {
  const end = ipv6End(bytes, start);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const field = view.getUint16(at + 2);
  // "The Source Address, Destination Address, and Fragment Identification" tell which datagram it is of.
  const addresses = bytes.subarray(start + 8, start + ipv6.size).join(' ');
  const done = reassembler.add({
    key: `${addresses} ${view.getUint32(at + 4)}`,
    offset: field & 0xfff8,
    more: (field & 1) !== 0,
    data: bytes.subarray(at + FRAGMENT_HEADER, end),
    whole: bytes.subarray(start, end),
  });
  return done === undefined ? undefined : joined(done.packet, done.first);
}

/** The headers of the first fragment, without the fragment header, in front of all the data. */
function joined(packet: Packet, first: Uint8Array): Packet {
  const { at, named } = fragmentHeaderOf(first);
  const payload = at - ipv6.size + packet.length;
  // Extension headers may be longer than any headroom.
  const whole = at <= packet.start ? packet : Packet.of(packet.view(), HEADROOM + at);
  const start = whole.prepend(at);
  const { bytes } = whole;
  bytes.set(first.subarray(0, at), start);
  bytes[start + named] = first[at];
  bytes[start + 4] = payload >> 8;
  bytes[start + 5] = payload;
  return whole;
}

/** Where the fragment header stands, and the byte that names it, in the header before. */
function fragmentHeaderOf(datagram: Uint8Array): { at: number; named: number } {
  let named = 6;
  let at = ipv6.size;
  while (datagram[named] !== NEXT_HEADER.fragment) {
    named = at;
    at += (datagram[at + 1] + 1) * 8;
  }
  return { at, named };
}

/** Cuts a datagram without extension headers, IPv6 header included, into fragments of at most `mtu` bytes. */
export function fragment6(datagram: Packet, mtu: number, identification: number): Packet[] {
  const { bytes, start, end } = datagram;
  const data = start + ipv6.size;
  const most = (mtu - ipv6.size - FRAGMENT_HEADER) & ~7;
  const pieces: Packet[] = [];
  for (let at = data; at < end; at += most) {
    const size = Math.min(most, end - at);
    const piece = Packet.of(bytes.subarray(at, at + size));
    const header = piece.prepend(FRAGMENT_HEADER);
    const view = new DataView(piece.bytes.buffer, piece.bytes.byteOffset);
    piece.bytes[header] = bytes[start + 6];
    piece.bytes[header + 1] = 0;
    view.setUint16(header + 2, (at - data) | (at + size < end ? 1 : 0));
    view.setUint32(header + 4, identification);
    const length = piece.length;
    const front = piece.prepend(ipv6.size);
    piece.bytes.set(bytes.subarray(start, data), front);
    piece.bytes[front + 6] = NEXT_HEADER.fragment;
    view.setUint16(front + 4, length);
    pieces.push(piece);
  }
  return pieces;
}
