/** Fragments of IPv4 (RFC 791 §3.2): what of a header makes one, and how a datagram is cut into them. */
import { decodeIpv4, ipv4, prependIpv4 } from '../wire/ipv4.ts';
import { Packet } from '../wire/packet.ts';
import type { Reassembler } from './reassembly.ts';

/** The longest datagram's data. */
export const MOST_DATA = 65535 - ipv4.size;

/** A fragment, already checked, as [start, end): the whole datagram as a new packet once nothing is missing. */
export function reassemble(
  reassembler: Reassembler,
  bytes: Uint8Array,
  start: number,
  end: number,
): Packet | undefined {
  const header = decodeIpv4(bytes, start);
  const dataStart = start + ipv4.size + header.options.length;
  const done = reassembler.add({
    // RFC 791: the four fields that identify the fragments of one datagram.
    key: `${header.source} ${header.destination} ${header.protocol} ${header.identification}`,
    offset: header.fragmentOffset,
    more: header.moreFragments,
    data: bytes.subarray(dataStart, end),
    whole: bytes.subarray(start, end),
  });
  if (done === undefined) return undefined;
  prependIpv4(done.packet, { ...decodeIpv4(done.first), moreFragments: false, fragmentOffset: 0 });
  return done.packet;
}

/**
 * Cuts a datagram (IP header included) into fragments of at most `mtu` bytes. RFC 791 §3.2: options with the copied
 * flag go into every fragment, the others into the first alone.
 */
export function fragment(datagram: Packet, mtu: number): Packet[] {
  const header = decodeIpv4(datagram.bytes, datagram.start);
  const dataStart = datagram.start + ipv4.size + header.options.length;
  const copied = copiedOptions(header.options);
  const fragments: Packet[] = [];
  let at = dataStart;
  while (at < datagram.end) {
    const options = at === dataStart ? header.options : copied;
    const room = (mtu - ipv4.size - options.length) & ~7;
    const size = Math.min(room, datagram.end - at);
    const last = at + size === datagram.end;
    const packet = Packet.of(datagram.bytes.subarray(at, at + size));
    prependIpv4(packet, {
      ...header,
      options,
      moreFragments: header.moreFragments || !last,
      fragmentOffset: header.fragmentOffset + (at - dataStart),
    });
    fragments.push(packet);
    at += size;
  }
  return fragments;
}

function copiedOptions(options: Uint8Array): Uint8Array {
  const kept: number[] = [];
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    const length = options[at] === 1 ? 1 : Math.max(2, options[at + 1]);
    if (options[at] & 0x80) kept.push(...options.subarray(at, at + length));
    at += length;
  }
  while (kept.length % 4 !== 0) kept.push(0);
  return Uint8Array.from(kept);
}
