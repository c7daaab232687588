/** Script packets to bytes, bytes to what a script says, and what differs between the two. */
import { finishChecksum, sumWords } from '../base/checksum.ts';
import { seqAdd, seqDiff } from '../base/seq32.ts';
import { addressSum, addressWords, type IpAddress, isIpv6 } from '../wire/ip-address.ts';
import { checkIpv4, decodeIpv4, ipv4HeaderLength, PROTOCOL, prependIpv4 } from '../wire/ipv4.ts';
import { checkIpv6, decodeIpv6, ipv6, ipv6End, prependIpv6, upperLayerOf } from '../wire/ipv6.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';
import { Malformed } from '../wire/reader.ts';
import { ACK, decodeTcp, FIN, PSH, RST, Segment, SYN, tcp } from '../wire/tcp.ts';
import { formatOptions, formatSegment, readOptions } from './notation.ts';
import type { IpInfo, ScriptSegment, ScriptTcpOption } from './script.ts';

export interface Ends {
  source: IpAddress;
  destination: IpAddress;
  sourcePort: number;
  destinationPort: number;
}

/** A packet as it left the host under test. */
export interface Sighting {
  at: number;
  source: IpAddress;
  destination: IpAddress;
  protocol: number;
  trafficClass: number;
  ttl: number;
  flowLabel: number;
  /** The transport's part. */
  bytes: Uint8Array;
  segment: Segment | undefined;
  /** Options as they stand, padding and all. */
  options: ScriptTcpOption[];
}

const ECN_BITS = { noecn: 0, ect1: 1, ect0: 2, ce: 3, ect01: 2 } as const;

/** Wraps a transport's packet into IP. */
export function wrap(
  packet: Packet,
  ends: { source: IpAddress; destination: IpAddress },
  protocol: number,
  ip: IpInfo,
): Uint8Array {
  const trafficClass = ip.tos ?? (ip.ecn === undefined ? 0 : ECN_BITS[ip.ecn]);
  const ttl = ip.ttl ?? 255;
  const { source, destination } = ends;
  if (isIpv6(source) && isIpv6(destination)) {
    const flowLabel = ip.flowLabel ?? 0;
    const header = { nextHeader: protocol, hopLimit: ttl, trafficClass, flowLabel };
    prependIpv6(packet, header, addressWords(source), addressWords(destination));
  } else {
    prependIpv4(packet, {
      source: source as number,
      destination: destination as number,
      protocol,
      ttl,
      trafficClass,
      identification: 0,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      options: new Uint8Array(0),
    });
  }
  return packet.view();
}

/** An inbound segment. `seq` and `ack` are absolute. */
export function buildSegment(script: ScriptSegment, ends: Ends, seq: number, ack: number, options: Uint8Array): Packet {
  const headerLength = tcp.size + options.length;
  const packet = Packet.withHeadroom(HEADROOM + headerLength, script.length);
  const at = packet.prepend(headerLength);
  const { bytes } = packet;
  const f = tcp.f;
  f.sourcePort.set(bytes, at, ends.sourcePort);
  f.destinationPort.set(bytes, at, ends.destinationPort);
  f.seq.set(bytes, at, seq);
  f.ack.set(bytes, at, ack);
  bytes[at + 12] = ((headerLength >> 2) << 4) | ((script.flags >> 8) & 1);
  bytes[at + 13] = script.flags;
  f.window.set(bytes, at, script.window ?? 0);
  f.urgentPointer.set(bytes, at, script.urgentPointer ?? 0);
  bytes.set(options, at + tcp.size);
  const sum = addressSum(ends.source) + addressSum(ends.destination) + PROTOCOL.tcp + packet.length;
  f.checksum.set(bytes, at, finishChecksum(sumWords(bytes, at, packet.end, sum)));
  return packet;
}

/** What left the host, or undefined when it is no IP packet. */
export function sight(frame: Uint8Array, at: number): Sighting | undefined {
  const isV6 = frame[0] >> 4 === 6;
  if (isV6 ? checkIpv6(frame, 0, frame.length) : checkIpv4(frame, 0, frame.length)) return undefined;
  if (isV6) {
    const header = decodeIpv6(frame);
    const upper = upperLayerOf(frame, 0, ipv6End(frame, 0)) ?? { protocol: header.nextHeader, start: ipv6.size };
    const { source, destination, trafficClass, hopLimit, flowLabel } = header;
    return seen(at, frame.subarray(upper.start, ipv6End(frame, 0)), {
      source,
      destination,
      protocol: upper.protocol,
      trafficClass,
      ttl: hopLimit,
      flowLabel,
    });
  }
  const { source, destination, protocol, trafficClass, ttl } = decodeIpv4(frame);
  return seen(at, frame.subarray(ipv4HeaderLength(frame, 0)), {
    source,
    destination,
    protocol,
    trafficClass,
    ttl,
    flowLabel: 0,
  });
}

type Header = Pick<Sighting, 'source' | 'destination' | 'protocol' | 'trafficClass' | 'ttl' | 'flowLabel'>;

function seen(at: number, bytes: Uint8Array, header: Header): Sighting {
  const decoded = header.protocol === PROTOCOL.tcp ? decodeTcp(bytes) : undefined;
  const segment = decoded instanceof Malformed ? undefined : decoded;
  const options = segment === undefined ? [] : readOptions(bytes.subarray(tcp.size, (bytes[12] >> 4) * 4));
  return { at, ...header, bytes, segment, options };
}

/** Two segments of one flight as the one that a script line describes; undefined when they do not belong together. */
export function joined(a: Sighting, b: Sighting, size: number): Sighting | undefined {
  const [first, second] = [a.segment, b.segment];
  if (first === undefined || second === undefined) return undefined;
  const follows = second.seq === seqAdd(first.seq, first.length);
  const equal = second.length === size || (second.length < size && second.length > 0);
  const plain = (first.flags & (SYN | FIN | RST)) === 0;
  if (!follows || !equal || !plain || second.ack !== first.ack) return undefined;
  const segment = Object.assign(new Segment(), second);
  segment.seq = first.seq;
  segment.length = first.length + second.length;
  // Of several bursts the last tells whether the whole was pushed.
  segment.flags = second.flags | (first.flags & ~PSH);
  return { ...b, at: a.at, segment, options: b.options };
}

export interface Relative {
  /** Subtracted from sequence numbers and acknowledgements before they are shown or compared. */
  seq: number;
  ack: number;
}

/** What differs from the script; undefined: nothing. */
export function difference(
  script: ScriptSegment,
  ip: IpInfo,
  found: Sighting,
  relative: Relative,
  ecrOf: (ecr: number) => number,
): string | undefined {
  const { segment } = found;
  if (segment === undefined) return 'no TCP segment';
  const seq = seqDiff(segment.seq, relative.seq) >>> 0;
  if (segment.flags !== script.flags) return 'flags';
  if (seq !== script.seq) return 'sequence number';
  if (segment.length !== script.length) return 'length';
  if (script.ack !== undefined && segment.flags & ACK && seqDiff(segment.ack, relative.ack) >>> 0 !== script.ack)
    return 'ack';
  if (script.window !== undefined && segment.window !== script.window) return 'window';
  if (script.urgentPointer !== undefined && segment.urgentPointer !== script.urgentPointer) return 'urgent pointer';
  if (script.options !== undefined) {
    const reason = optionsDiffer(script.options, found.options, ecrOf, relative.ack);
    if (reason !== undefined) return reason;
  }
  return ipDiffers(ip, found);
}

export function ipDiffers(ip: IpInfo, found: Sighting): string | undefined {
  const ecn = found.trafficClass & 3;
  if (ip.ecn === 'ect01' ? ecn !== 1 && ecn !== 2 : ip.ecn !== undefined && ecn !== ECN_BITS[ip.ecn])
    return 'ECN field';
  if (ip.tos !== undefined && found.trafficClass !== ip.tos) return 'TOS';
  if (ip.ttl !== undefined && found.ttl !== ip.ttl) return 'TTL';
  if (ip.flowLabel !== undefined && found.flowLabel !== ip.flowLabel) return 'flow label';
  return undefined;
}

function optionsDiffer(
  script: ScriptTcpOption[],
  found: ScriptTcpOption[],
  ecrOf: (ecr: number) => number,
  ackBase: number,
): string | undefined {
  if (script.length !== found.length) return 'options';
  for (const [index, wanted] of script.entries()) {
    const got = found[index];
    if (wanted.kind !== got.kind) return 'options';
    if (wanted.kind === 'TS' && got.kind === 'TS') {
      if (got.ecr !== ecrOf(wanted.ecr)) return 'TS ecr';
    } else if (formatOptions([wanted]) !== formatOptions([got], ackBase)) {
      return `option ${wanted.kind}`;
    }
  }
  return undefined;
}

/** In the scripts' notation, relative. */
export function describe(found: Sighting, relative: Relative): string {
  const { segment } = found;
  if (segment === undefined) return `protocol ${found.protocol}, ${found.bytes.length} bytes`;
  return formatSegment({
    flags: segment.flags,
    seq: seqDiff(segment.seq, relative.seq) >>> 0,
    length: segment.length,
    ack: segment.flags & ACK ? seqDiff(segment.ack, relative.ack) >>> 0 : undefined,
    window: segment.window,
    options: shiftSacks(found.options, relative.ack),
  });
}

const shiftSacks = (options: ScriptTcpOption[], base: number): ScriptTcpOption[] =>
  options.map(option =>
    option.kind === 'sack'
      ? {
          kind: 'sack',
          blocks: option.blocks.map(b => ({ start: seqDiff(b.start, base) >>> 0, end: seqDiff(b.end, base) >>> 0 })),
        }
      : option,
  );

export const isOpening = (flags: number): boolean => (flags & SYN) !== 0 && (flags & ACK) === 0;
export const sequenceLength = (segment: ScriptSegment): number =>
  segment.length + (segment.flags & SYN ? 1 : 0) + (segment.flags & FIN ? 1 : 0);
