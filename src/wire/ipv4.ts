/** IPv4 (RFC 791), its options and its header checksum. */

import { hex } from '../base/bytes.ts';
import { adjustChecksum, finishChecksum, halves, sumWords } from '../base/checksum.ts';
import { Memory } from '../base/slab.ts';
import { formatIpv4, type Ipv4Address } from './address.ts';
import { asHex, bits, layout, u8, u16, u32 } from './layout.ts';
import type { Packet } from './packet.ts';
import type { Reader } from './reader.ts';

export const PROTOCOL = { icmp: 1, igmp: 2, tcp: 6, udp: 17 } as const;

const PROTOCOL_NAMES: Record<number, string> = { 1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 41: 'IPv6', 47: 'GRE' };
const ECN_NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];

export const ipv4 = layout('IPv4', 20, {
  version: bits(4),
  headerLength: bits(4, n => `${n} (${n * 4} bytes)`),
  dscp: bits(6),
  ecn: bits(2, n => `${n} (${ECN_NAMES[n]})`),
  totalLength: u16(),
  identification: u16(asHex(4)),
  reserved: bits(1),
  dontFragment: bits(1),
  moreFragments: bits(1),
  fragmentOffset: bits(13, n => `${n} (${n * 8} bytes)`),
  ttl: u8(),
  protocol: u8(n => `${n}${PROTOCOL_NAMES[n] ? ` (${PROTOCOL_NAMES[n]})` : ''}`),
  headerChecksum: u16(asHex(4)),
  source: u32(formatIpv4),
  destination: u32(formatIpv4),
});

export interface Ipv4Header {
  source: Ipv4Address;
  destination: Ipv4Address;
  protocol: number;
  ttl: number;
  /** The former TOS byte: DSCP (RFC 2474) and ECN (RFC 3168). */
  trafficClass: number;
  identification: number;
  dontFragment: boolean;
  moreFragments: boolean;
  /** Bytes, a multiple of 8. */
  fragmentOffset: number;
  /** Already padded to a multiple of 4 bytes; at most 40. */
  options: Uint8Array;
}

const NO_OPTIONS = new Uint8Array(0);

/** Of a whole datagram without options; what differs from one to the next is still to be set. */
export const newIpv4Header = (source: Ipv4Address, destination: Ipv4Address, protocol: number): Ipv4Header => ({
  source,
  destination,
  protocol,
  ttl: 0,
  trafficClass: 0,
  identification: 0,
  dontFragment: false,
  moreFragments: false,
  fragmentOffset: 0,
  options: NO_OPTIONS,
});

/** Row by row, as in RFC 791's diagram. */
export function prependIpv4(packet: Packet, header: Ipv4Header): void {
  const { options, source, destination } = header;
  const size = ipv4.size + options.length;
  const at = packet.prepend(size);
  const { rows } = packet;
  const flags = (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0);
  const row1 = (0x40000000 | (size << 22) | (header.trafficClass << 16)) + (packet.end - at);
  const row2 = (header.identification << 16) | flags | (header.fragmentOffset >> 3);
  const row3 = (header.ttl << 24) | (header.protocol << 16);
  if (options.length > 0) packet.bytes.set(options, at + ipv4.size);
  const sum = halves(row1) + halves(row2) + halves(row3) + halves(source) + halves(destination);
  rows.setInt32(at, row1);
  rows.setInt32(at + 4, row2);
  rows.setInt32(at + 8, row3 | finishChecksum(options.length === 0 ? sum : packet.sum(at + ipv4.size, at + size, sum)));
  rows.setInt32(at + 12, source);
  rows.setInt32(at + 16, destination);
}

function sumHeader({ rows, bytes }: Memory, at: number, size: number): number {
  const sum =
    halves(rows.getInt32(at)) +
    halves(rows.getInt32(at + 4)) +
    halves(rows.getInt32(at + 8)) +
    halves(rows.getInt32(at + 12)) +
    halves(rows.getInt32(at + 16));
  return size === ipv4.size ? sum : sumWords(bytes, at + ipv4.size, at + size, sum);
}

/**
 * What is wrong with a header, or undefined. RFC 1122 §3.2.1: version other than 4 and bad checksums are silently
 * discarded. When nothing is wrong, [start, start + totalLength) lies within [start, end).
 */
export function faultOfIpv4(memory: Memory, start: number, end: number): string | undefined {
  if (end - start < ipv4.size) return 'ip-truncated';
  const row1 = memory.rows.getInt32(start);
  if (row1 >>> 28 !== 4) return 'ip-version';
  const headerLength = (row1 >>> 22) & 0x3c;
  const totalLength = row1 & 0xffff;
  if (headerLength < ipv4.size || totalLength < headerLength) return 'ip-header-length';
  if (totalLength > end - start) return 'ip-truncated';
  if (finishChecksum(sumHeader(memory, start, headerLength)) !== 0) return 'ip-checksum';
  return undefined;
}

export const checkIpv4 = (bytes: Uint8Array, start: number, end: number): string | undefined =>
  faultOfIpv4(new Memory(bytes), start, end);

/** Only after checkIpv4 has found nothing. */
export function decodeIpv4(bytes: Uint8Array, start = 0): Ipv4Header {
  const f = ipv4.f;
  return {
    source: f.source.get(bytes, start),
    destination: f.destination.get(bytes, start),
    protocol: f.protocol.get(bytes, start),
    ttl: f.ttl.get(bytes, start),
    trafficClass: bytes[start + 1],
    identification: f.identification.get(bytes, start),
    dontFragment: f.dontFragment.get(bytes, start) === 1,
    moreFragments: f.moreFragments.get(bytes, start) === 1,
    fragmentOffset: f.fragmentOffset.get(bytes, start) * 8,
    options: bytes.subarray(start + ipv4.size, start + (bytes[start] & 15) * 4),
  };
}

/** It is one of several: more are to come, or came before (the flag and the offset, in two bytes). */
export const isFragment = (bytes: Uint8Array, start: number): boolean =>
  ((bytes[start + 6] & 0x3f) | bytes[start + 7]) !== 0;

export const ipv4HeaderLength = (bytes: Uint8Array, start: number): number => (bytes[start] & 15) * 4;

/** One hop less, the checksum adjusted by RFC 1141's update rather than made anew. */
export function decrementTtl(bytes: Uint8Array, start: number): void {
  const f = ipv4.f;
  const ttl = f.ttl.get(bytes, start);
  const protocol = f.protocol.get(bytes, start);
  const before = (ttl << 8) | protocol;
  f.ttl.set(bytes, start, ttl - 1);
  f.headerChecksum.set(bytes, start, adjustChecksum(f.headerChecksum.get(bytes, start), before, before - 0x100));
}

export interface Ipv4Option {
  /** The copied flag, class and number in one byte (RFC 791 §3.1). */
  kind: number;
  data: Uint8Array;
}

const OPTION_NAMES: Record<number, string> = {
  7: 'record route',
  68: 'timestamp',
  130: 'security',
  131: 'loose source route',
  137: 'strict source route',
  148: 'router alert',
};

/** RFC 791 §3.1: kinds 0 (end) and 1 (no operation) are single bytes, all others have a length. */
export function parseIpv4Options(reader: Reader): Ipv4Option[] {
  const options: Ipv4Option[] = [];
  while (reader.left > 0 && reader.ok) {
    const kind = reader.bytes[reader.at];
    if (kind === 0) {
      reader.view(reader.left, 'end of options');
    } else if (kind === 1) {
      reader.u8('no operation');
    } else {
      reader.group(OPTION_NAMES[kind] ?? `option ${kind}`, () => {
        reader.u8('kind');
        const length = reader.u8('length');
        if (length < 2 || length - 2 > reader.left) reader.fail('IPv4 option: bad length', reader.at - 1);
        else options.push({ kind, data: reader.view(length - 2, 'data', data => hex(data, ' ')) });
      });
    }
  }
  return options;
}

/** Pads with end-of-options to a multiple of four bytes. Throws RangeError over 40 bytes. */
export function encodeIpv4Options(options: readonly Ipv4Option[]): Uint8Array {
  const length = options.reduce((sum, option) => sum + 2 + option.data.length, 0);
  const padded = (length + 3) & ~3;
  if (padded > 40) throw new RangeError(`IPv4 options: ${padded} bytes, at most 40`);
  const bytes = new Uint8Array(padded);
  let at = 0;
  for (const option of options) {
    bytes[at] = option.kind;
    bytes[at + 1] = option.data.length + 2;
    bytes.set(option.data, at + 2);
    at += option.data.length + 2;
  }
  return bytes;
}
