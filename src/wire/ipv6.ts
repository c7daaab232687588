/** IPv6 (RFC 8200): the header, and the chain of extension headers behind it. */
import { type Ipv6Address, ipv6At } from './ip-address.ts';
import { asHex, layout, u8, u16, u32 } from './layout.ts';
import type { Packet } from './packet.ts';

export const ipv6 = layout('IPv6', 40, {
  /** 4 bits of version, 8 of traffic class, 20 of flow label. */
  versionClassFlow: u32(asHex(8)),
  payloadLength: u16(),
  nextHeader: u8(),
  hopLimit: u8(),
  source0: u32(asHex(8)),
  source1: u32(asHex(8)),
  source2: u32(asHex(8)),
  source3: u32(asHex(8)),
  destination0: u32(asHex(8)),
  destination1: u32(asHex(8)),
  destination2: u32(asHex(8)),
  destination3: u32(asHex(8)),
});

/** Numbers of what may stand between the header and the transport (RFC 8200 §4, RFC 7045). */
export const NEXT_HEADER = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
} as const;

export interface Ipv6Header {
  source: Ipv6Address;
  destination: Ipv6Address;
  nextHeader: number;
  hopLimit: number;
  trafficClass: number;
  flowLabel: number;
}

/** Row by row, as in RFC 8200's diagram; the addresses by their words (addressWords). */
export function prependIpv6(
  packet: Packet,
  header: Omit<Ipv6Header, 'source' | 'destination'>,
  source: readonly number[],
  destination: readonly number[],
): void {
  const { length, rows } = packet;
  const at = packet.prepend(ipv6.size);
  rows.setInt32(at, 0x60000000 | (header.trafficClass << 20) | (header.flowLabel & 0xfffff));
  rows.setInt32(at + 4, (length << 16) | (header.nextHeader << 8) | header.hopLimit);
  for (let n = 0; n < 4; n++) {
    rows.setInt32(at + 8 + 4 * n, source[n]);
    rows.setInt32(at + 24 + 4 * n, destination[n]);
  }
}

/** What is wrong with a header, or undefined. */
export function checkIpv6(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start < ipv6.size) return 'ip-truncated';
  if (bytes[start] >> 4 !== 6) return 'ip-version';
  if (ipv6.size + bytes[start + 4] * 256 + bytes[start + 5] > end - start) return 'ip-truncated';
  return undefined;
}

/** Only after checkIpv6 has found nothing. */
export function decodeIpv6(bytes: Uint8Array, start = 0): Ipv6Header {
  return {
    source: ipv6At(bytes, start + 8),
    destination: ipv6At(bytes, start + 24),
    nextHeader: bytes[start + 6],
    hopLimit: bytes[start + 7],
    trafficClass: trafficClassAt(bytes, start),
    flowLabel: ((bytes[start + 1] & 15) << 16) | (bytes[start + 2] << 8) | bytes[start + 3],
  };
}

export const trafficClassAt = (bytes: Uint8Array, start: number): number =>
  ((bytes[start] & 15) << 4) | (bytes[start + 1] >> 4);

/** Where the datagram that starts at `start` ends. */
export const ipv6End = (bytes: Uint8Array, start: number): number =>
  start + ipv6.size + bytes[start + 4] * 256 + bytes[start + 5];

export interface UpperLayer {
  protocol: number;
  start: number;
  /** Where the fragment header stands, if there is one. */
  fragmentAt?: number;
}

const EXTENSIONS: readonly number[] = [
  NEXT_HEADER.hopByHop,
  NEXT_HEADER.routing,
  NEXT_HEADER.fragment,
  NEXT_HEADER.destinationOptions,
];

/** Walks the extension headers; undefined when they do not fit into the datagram. */
export function upperLayerOf(bytes: Uint8Array, start: number, end: number): UpperLayer | undefined {
  let protocol = bytes[start + 6];
  let at = start + ipv6.size;
  let fragmentAt: number | undefined;
  while (EXTENSIONS.includes(protocol)) {
    if (at + 8 > end) return undefined;
    const length = protocol === NEXT_HEADER.fragment ? 8 : (bytes[at + 1] + 1) * 8;
    if (protocol === NEXT_HEADER.fragment) fragmentAt = at;
    protocol = bytes[at];
    at += length;
    // Behind a fragment header that is not the first, there is data and no header.
    if (fragmentAt !== undefined && ((bytes[fragmentAt + 2] << 8) | bytes[fragmentAt + 3]) >> 3 > 0) break;
  }
  return at > end ? undefined : { protocol, start: at, fragmentAt };
}
