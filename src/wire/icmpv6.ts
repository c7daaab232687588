/** ICMPv6 (RFC 4443). Its checksum covers a pseudo-header with the addresses. */
import { finishChecksum, sumWords } from '../base/checksum.ts';
import { addressesSumAt, addressSum, type Ipv6Address } from './ip-address.ts';
import { NEXT_HEADER } from './ipv6.ts';
import { asHex, layout, u8, u16, u32 } from './layout.ts';
import { HEADROOM, Packet } from './packet.ts';
import { Malformed } from './reader.ts';

export const ICMPV6 = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
  listenerQuery: 130,
  listenerReport: 143,
} as const;

export const UNREACHABLE6 = {
  noRoute: 0,
  prohibited: 1,
  beyondScope: 2,
  address: 3,
  port: 4,
} as const;

const UNREACHABLE_NAMES = [
  'no route to destination',
  'administratively prohibited',
  'beyond scope of source address',
  'address unreachable',
  'port unreachable',
  'source address failed ingress/egress policy',
  'reject route to destination',
];

const NAMES: Record<number, string> = {
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  137: 'redirect',
  130: 'multicast listener query',
  143: 'multicast listener report',
};

export function icmpv6Name(type: number, code: number): string {
  if (type === ICMPV6.unreachable) return UNREACHABLE_NAMES[code] ?? `unreachable, code ${code}`;
  return NAMES[type] ?? `type ${type}, code ${code}`;
}

/** RFC 4443 §2.1: types below 128 are errors. */
export const isIcmpv6Error = (type: number): boolean => type < 128;

export const icmpv6 = layout('ICMPv6', 8, { type: u8(), code: u8(), checksum: u16(asHex(4)), rest: u32(asHex(8)) });

export interface Icmpv6Message {
  type: number;
  code: number;
  /** Bytes 4 to 8: MTU, pointer, identifier and sequence number, flags. */
  rest: number;
  body: Uint8Array;
}

export function encodeIcmpv6(message: Icmpv6Message, source: Ipv6Address, destination: Ipv6Address): Packet {
  const packet = Packet.withHeadroom(HEADROOM, icmpv6.size + message.body.length);
  const { bytes, start, end } = packet;
  icmpv6.f.type.set(bytes, start, message.type);
  icmpv6.f.code.set(bytes, start, message.code);
  icmpv6.f.rest.set(bytes, start, message.rest);
  bytes.set(message.body, start + icmpv6.size);
  const sum = addressSum(source) + addressSum(destination) + NEXT_HEADER.icmpv6 + (end - start);
  icmpv6.f.checksum.set(bytes, start, finishChecksum(sumWords(bytes, start, end, sum)));
  return packet;
}

/** `header`: where the IPv6 header begins. */
export function decodeIcmpv6(bytes: Uint8Array, header: number, start: number, end: number): Icmpv6Message | Malformed {
  if (end - start < icmpv6.size) return new Malformed('icmp-truncated', start);
  const sum = addressesSumAt(bytes, header) + NEXT_HEADER.icmpv6 + (end - start);
  if (finishChecksum(sumWords(bytes, start, end, sum)) !== 0) return new Malformed('icmp-checksum', start + 2);
  return {
    type: icmpv6.f.type.get(bytes, start),
    code: icmpv6.f.code.get(bytes, start),
    rest: icmpv6.f.rest.get(bytes, start),
    body: bytes.subarray(start + icmpv6.size, end),
  };
}
