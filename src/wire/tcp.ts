/** TCP segments: the header of RFC 9293 §3.1 and the options of RFC 9293, 7323 and 2018. */

import { EMPTY, viewOf } from '../base/bytes.ts';
import type { SeqRange } from '../base/ranges.ts';
import { seqAdd } from '../base/seq32.ts';
import { Memory } from '../base/slab.ts';
import { asHex, bits, layout, seq32, u16 } from './layout.ts';
import type { Packet } from './packet.ts';
import { Malformed, Reader } from './reader.ts';
import { type OptionOrder, parseTcpOptions, readBare, writeTcpOptions } from './tcp-options.ts';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;
/** RFC 9768: the former NS bit. */
export const AE = 0x100;

const FLAG_NAMES: readonly [number, string][] = [
  [SYN, 'SYN'],
  [FIN, 'FIN'],
  [RST, 'RST'],
  [PSH, 'PSH'],
  [URG, 'URG'],
  [ECE, 'ECE'],
  [CWR, 'CWR'],
  [AE, 'AE'],
  [ACK, 'ACK'],
];

/** 'SYN+ACK'. */
export const flagNames = (flags: number): string =>
  FLAG_NAMES.filter(([bit]) => flags & bit)
    .map(([, name]) => name)
    .join('+') || 'none';

export const tcp = layout('TCP', 20, {
  sourcePort: u16(),
  destinationPort: u16(),
  seq: seq32(),
  ack: seq32(),
  dataOffset: bits(4, n => `${n} (${n * 4} bytes)`),
  reserved: bits(3),
  flags: bits(9, n => `0x${n.toString(16).padStart(3, '0')} (${flagNames(n)})`),
  window: u16(),
  checksum: u16(asHex(4)),
  urgentPointer: u16(),
});

export interface UnknownOption {
  kind: number;
  data: Uint8Array;
}

/** RFC 9768 §3.2.3: 24-bit counts of the bytes that came with each codepoint. */
export interface AccEcnField {
  name: 'e0b' | 'e1b' | 'ceb';
  value: number;
}

const NO_SACK: readonly SeqRange[] = [];
const NO_UNKNOWN: readonly UnknownOption[] = [];

/** By itself, so that what is asked for every segment stays small enough to be inlined everywhere. */
const piecesOf = (length: number, unit: number): number => Math.ceil(length / unit);

/**
 * One segment, flat: a number of -1 means that the option is absent. The same class serves both ways; a segment that
 * arrives has its payload as a view of the frame, one that leaves carries a length and the sender's queue the bytes.
 */
export class Segment {
  sourcePort = 0;
  destinationPort = 0;
  /** SEG.SEQ */
  seq = 0;
  /** SEG.ACK */
  ack = 0;
  flags = 0;
  /** SEG.WND as the 16 bits stand in the header, not yet scaled. */
  window = 0;
  urgentPointer = 0;
  mss = -1;
  windowScale = -1;
  sackPermitted = false;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sack: readonly SeqRange[] = NO_SACK;
  /** RFC 7413: a cookie, or no bytes to ask for one. `experimental`: under the number of RFC 6994. */
  fastOpen: Uint8Array | undefined = undefined;
  fastOpenExperimental = false;
  /** RFC 9768 §3.2.3: counts of bytes, in the order in which they stand; an option may have none. */
  accEcn: readonly AccEcnField[] | undefined = undefined;
  unknownOptions: readonly UnknownOption[] = NO_UNKNOWN;
  order: OptionOrder = 'aligned';
  /** The ECN field of the IP header (RFC 3168 §5), not on TCP's part of the wire. */
  ecn = 0;
  payload: Uint8Array | undefined = undefined;
  /** Bytes of data. */
  length = 0;
  /**
   * Several segments in one, until the last moment: the data of each but the last. 0: it is one. What is in `flags`
   * goes with all of them, but FIN and PSH with the last alone, and CWR with the first (as virtio-net's segmentation has it).
   */
  unit = 0;
  /** The sender says that it has sent (some of) this before. Not on the wire. */
  retransmission = false;

  /** As new, for the next to be decoded. What `readTcp` always sets is left as it is. */
  reset(): void {
    this.mss = -1;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.sack = NO_SACK;
    this.fastOpen = undefined;
    this.fastOpenExperimental = false;
    this.accEcn = undefined;
    this.unknownOptions = NO_UNKNOWN;
    this.ecn = 0;
    this.unit = 0;
    this.retransmission = false;
  }

  /** Of which something can be changed; the payload is shared. */
  copy(): Segment {
    return Object.assign(new Segment(), this);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** SEG.LEN: the data, with SYN and FIN counting one each (RFC 9293 §3.4). */
  get sequenceLength(): number {
    return this.length + (this.flags & SYN ? 1 : 0) + (this.flags & FIN ? 1 : 0);
  }

  /** As how many it will be sent. */
  get pieces(): number {
    return this.unit === 0 ? 1 : piecesOf(this.length, this.unit);
  }

  /** The first sequence number behind the segment. */
  get end(): number {
    return seqAdd(this.seq, this.sequenceLength);
  }
}

/** Decodes [start, end); the checksum is the caller's to verify, since it needs the addresses. */
export function decodeTcp(bytes: Uint8Array, start = 0, end = bytes.length): Segment | Malformed {
  const segment = new Segment();
  const fault = readTcp(segment, new Memory(bytes), start, end);
  if (segment.length > 0) segment.payload = viewOf(bytes, end - segment.length, end);
  return fault ?? segment;
}

/** The same, but for the payload, into a segment that there is; what is wrong with it, or undefined. */
export function readTcp(segment: Segment, memory: Memory, start: number, end: number): Malformed | undefined {
  segment.length = 0;
  segment.payload = EMPTY;
  if (end - start < tcp.size) return new Malformed('tcp-truncated', start);
  const { rows } = memory;
  // Row by row, as in RFC 9293's diagram.
  const ports = rows.getInt32(start);
  const control = rows.getInt32(start + 12);
  const headerLength = (control >>> 26) & 0x3c;
  if (headerLength < tcp.size || headerLength > end - start) return new Malformed('tcp-data-offset', start + 12);
  segment.sourcePort = ports >>> 16;
  segment.destinationPort = ports & 0xffff;
  segment.seq = rows.getInt32(start + 4);
  segment.ack = rows.getInt32(start + 8);
  segment.flags = (control >>> 16) & 0x1ff;
  segment.window = control & 0xffff;
  segment.urgentPointer = rows.getUint16(start + 18);
  segment.length = end - start - headerLength;
  const optionsAt = start + tcp.size;
  const dataAt = start + headerLength;
  if (dataAt === optionsAt || readBare(segment, rows, optionsAt, dataAt)) return undefined;
  const reader = new Reader(memory.bytes, optionsAt, dataAt);
  parseTcpOptions(reader, segment);
  return reader.failure;
}

/** In front of the data; the checksum is left zero. `headerLength`: with all options, as they are. */
export function prependTcp(packet: Packet, segment: Segment, headerLength: number): void {
  const at = packet.prepend(headerLength);
  const { rows } = packet;
  rows.setInt32(at, (segment.sourcePort << 16) | segment.destinationPort);
  rows.setInt32(at + 4, segment.seq);
  rows.setInt32(at + 8, segment.ack);
  rows.setInt32(at + 12, (headerLength << 26) | ((segment.flags & 0x1ff) << 16) | (segment.window & 0xffff));
  rows.setInt32(at + 16, segment.urgentPointer & 0xffff);
  if (headerLength > tcp.size) writeTcpOptions(segment, packet.memory, at + tcp.size);
}
