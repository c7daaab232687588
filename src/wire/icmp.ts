/** ICMP for IPv4 (RFC 792; codes of RFC 1122 and RFC 1812; the next-hop MTU of RFC 1191). */
import { finishChecksum, internetChecksum, sumWords } from '../base/checksum.ts';
import { asHex, layout, u8, u16, u32 } from './layout.ts';
import { HEADROOM, Packet } from './packet.ts';
import { Malformed } from './reader.ts';

export const ICMP = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

export const UNREACHABLE = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  sourceRouteFailed: 5,
  administrativelyProhibited: 13,
} as const;

export const TIME_EXCEEDED = { transit: 0, reassembly: 1 } as const;

const UNREACHABLE_NAMES = [
  'network unreachable',
  'host unreachable',
  'protocol unreachable',
  'port unreachable',
  'fragmentation needed',
  'source route failed',
  'destination network unknown',
  'destination host unknown',
  'source host isolated',
  'network prohibited',
  'host prohibited',
  'network unreachable for TOS',
  'host unreachable for TOS',
  'administratively prohibited',
  'host precedence violation',
  'precedence cutoff',
];

/** 'host unreachable', 'time exceeded in transit', 'echo request' ... */
export function icmpName(type: number, code: number): string {
  switch (type) {
    case ICMP.echoReply:
      return 'echo reply';
    case ICMP.echoRequest:
      return 'echo request';
    case ICMP.unreachable:
      return UNREACHABLE_NAMES[code] ?? `unreachable, code ${code}`;
    case ICMP.redirect:
      return 'redirect';
    case ICMP.timeExceeded:
      return code === 0 ? 'time exceeded in transit' : 'reassembly time exceeded';
    case ICMP.parameterProblem:
      return 'parameter problem';
    default:
      return `type ${type}, code ${code}`;
  }
}

export const isIcmpError = (type: number): boolean =>
  type === ICMP.unreachable || type === ICMP.redirect || type === ICMP.timeExceeded || type === ICMP.parameterProblem;

/** The first eight bytes; what the last four hold depends on the type, so there is one layout for each meaning. */
const head = () => ({ type: u8(), code: u8(), checksum: u16(asHex(4)) });
export const icmp = layout('ICMP', 8, { ...head(), rest: u32(asHex(8)) });
export const icmpEcho = layout('ICMP', 8, { ...head(), identifier: u16(), sequence: u16() });
export const icmpUnreachable = layout('ICMP', 8, { ...head(), unused: u16(), nextHopMtu: u16() });
export const icmpParameter = layout('ICMP', 8, { ...head(), pointer: u8(), unused1: u8(), unused2: u16() });

export function icmpLayoutFor(
  type: number,
): typeof icmp | typeof icmpEcho | typeof icmpUnreachable | typeof icmpParameter {
  if (type === ICMP.echoReply || type === ICMP.echoRequest) return icmpEcho;
  if (type === ICMP.unreachable) return icmpUnreachable;
  if (type === ICMP.parameterProblem) return icmpParameter;
  return icmp;
}

export interface IcmpMessage {
  type: number;
  code: number;
  /** Bytes 4 to 8: identifier and sequence, next-hop MTU, gateway address, pointer. */
  rest: number;
  /** Echo data, or the datagram that an error is about. */
  body: Uint8Array;
}

export function encodeIcmp(message: IcmpMessage): Packet {
  const packet = Packet.withHeadroom(HEADROOM, icmp.size + message.body.length);
  const { bytes, start, end } = packet;
  icmp.f.type.set(bytes, start, message.type);
  icmp.f.code.set(bytes, start, message.code);
  icmp.f.rest.set(bytes, start, message.rest);
  bytes.set(message.body, start + icmp.size);
  icmp.f.checksum.set(bytes, start, finishChecksum(sumWords(bytes, start, end)));
  return packet;
}

export function decodeIcmp(bytes: Uint8Array, start = 0, end = bytes.length): IcmpMessage | Malformed {
  if (end - start < icmp.size) return new Malformed('icmp-truncated', start);
  // RFC 792: the checksum covers the whole message.
  if (internetChecksum(bytes, start, end) !== 0) return new Malformed('icmp-checksum', start + 2);
  return {
    type: icmp.f.type.get(bytes, start),
    code: icmp.f.code.get(bytes, start),
    rest: icmp.f.rest.get(bytes, start),
    body: bytes.subarray(start + icmp.size, end),
  };
}
