/** TCP segments: the header of RFC 9293 §3.1 and the options of RFC 9293, 7323 and 2018. */
import { hex } from '../base/bytes.ts';
import type { SeqRange } from '../base/ranges.ts';
import { seqAdd } from '../base/seq32.ts';
import { asHex, bits, layout, u16, u32 } from './layout.ts';
import { Malformed, Reader } from './reader.ts';

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
  seq: u32(),
  ack: u32(),
  dataOffset: bits(4, n => `${n} (${n * 4} bytes)`),
  reserved: bits(3),
  flags: bits(9, n => `0x${n.toString(16).padStart(3, '0')} (${flagNames(n)})`),
  window: u16(),
  checksum: u16(asHex(4)),
  urgentPointer: u16(),
});

export const OPTION = {
  end: 0,
  noOperation: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
} as const;

export interface UnknownOption {
  kind: number;
  data: Uint8Array;
}

const NO_SACK: readonly SeqRange[] = [];
const NO_UNKNOWN: readonly UnknownOption[] = [];

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
  unknownOptions: readonly UnknownOption[] = NO_UNKNOWN;
  payload: Uint8Array | undefined;
  /** Bytes of data. */
  length = 0;
  /** The sender says that it has sent (some of) this before. Not on the wire. */
  retransmission = false;

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** SEG.LEN: the data, with SYN and FIN counting one each (RFC 9293 §3.4). */
  get sequenceLength(): number {
    return this.length + (this.flags & SYN ? 1 : 0) + (this.flags & FIN ? 1 : 0);
  }

  /** The first sequence number behind the segment. */
  get end(): number {
    return seqAdd(this.seq, this.sequenceLength);
  }
}

/** Bytes of the options as `writeTcpOptions` writes them, a multiple of four. */
export function tcpOptionsLength(segment: Segment): number {
  let length = 0;
  if (segment.mss >= 0) length += 4;
  if (segment.sackPermitted) length += segment.hasTimestamps ? 2 : 4;
  if (segment.hasTimestamps) length += segment.sackPermitted ? 10 : 12;
  if (segment.windowScale >= 0) length += 4;
  if (segment.sack.length > 0) length += 4 + segment.sack.length * 8;
  for (const option of segment.unknownOptions) length += 2 + option.data.length;
  return (length + 3) & ~3;
}

/**
 * The order and padding that most stacks use: MSS, SACK permitted with timestamps filling two words and a half
 * together, window scale behind a NOP; NOP NOP timestamps and NOP NOP SACK otherwise (RFC 7323 appendix A).
 */
export function writeTcpOptions(segment: Segment, bytes: Uint8Array, start: number): void {
  let at = start;
  const put = (...values: number[]): void => {
    for (const value of values) bytes[at++] = value;
  };
  const put32 = (value: number): void => put(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  if (segment.mss >= 0) put(OPTION.mss, 4, segment.mss >> 8, segment.mss & 255);
  if (segment.sackPermitted) {
    if (!segment.hasTimestamps) put(OPTION.noOperation, OPTION.noOperation);
    put(OPTION.sackPermitted, 2);
  }
  if (segment.hasTimestamps) {
    if (!segment.sackPermitted) put(OPTION.noOperation, OPTION.noOperation);
    put(OPTION.timestamps, 10);
    put32(segment.tsVal);
    put32(segment.tsEcr);
  }
  if (segment.windowScale >= 0) put(OPTION.noOperation, OPTION.windowScale, 3, segment.windowScale);
  if (segment.sack.length > 0) {
    put(OPTION.noOperation, OPTION.noOperation, OPTION.sack, 2 + segment.sack.length * 8);
    for (const block of segment.sack) {
      put32(block.start);
      put32(block.end);
    }
  }
  for (const option of segment.unknownOptions) {
    put(option.kind, option.data.length + 2);
    bytes.set(option.data, at);
    at += option.data.length;
  }
  while ((at - start) % 4 !== 0) put(OPTION.end);
}

const OPTION_NAMES: Record<number, string> = {
  2: 'maximum segment size',
  3: 'window scale',
  4: 'SACK permitted',
  5: 'SACK',
  8: 'timestamps',
};

/**
 * RFC 9293 §3.1: MUST-5..7: options may begin on any byte, unknown ones are passed over by their length; an illegal
 * length is treated as malformed (MUST-7: "MUST be prepared to handle an illegal option length").
 */
export function parseTcpOptions(reader: Reader, segment: Segment): void {
  while (reader.left > 0 && reader.ok) {
    const kind = reader.bytes[reader.at];
    if (kind === OPTION.end) {
      reader.view(reader.left, 'end of options');
    } else if (kind === OPTION.noOperation) {
      reader.u8('no operation');
    } else {
      reader.group(OPTION_NAMES[kind] ?? `option ${kind}`, () => parseTcpOption(reader, segment, kind));
    }
  }
}

function parseTcpOption(reader: Reader, segment: Segment, kind: number): void {
  const start = reader.at;
  reader.u8('kind');
  const length = reader.u8('length');
  if (!reader.ok || length < 2 || start + length > reader.end) {
    reader.fail('tcp-option-length', start);
    return;
  }
  if (kind === OPTION.mss && length === 4) {
    segment.mss = reader.u16('mss');
  } else if (kind === OPTION.windowScale && length === 3) {
    segment.windowScale = reader.u8('shift');
  } else if (kind === OPTION.sackPermitted && length === 2) {
    segment.sackPermitted = true;
  } else if (kind === OPTION.timestamps && length === 10) {
    segment.hasTimestamps = true;
    segment.tsVal = reader.u32('TSval');
    segment.tsEcr = reader.u32('TSecr');
  } else if (kind === OPTION.sack && length > 2 && length % 8 === 2) {
    const blocks: SeqRange[] = [];
    for (let n = 0; n < (length - 2) / 8; n++) {
      blocks.push({ start: reader.u32('left edge'), end: reader.u32('right edge') });
    }
    segment.sack = blocks;
  } else {
    const data = reader.view(length - 2, 'data', bytes => hex(bytes, ' '));
    segment.unknownOptions = [...segment.unknownOptions, { kind, data }];
  }
}

/** Decodes [start, end); the checksum is the caller's to verify, since it needs the addresses. */
export function decodeTcp(bytes: Uint8Array, start = 0, end = bytes.length): Segment | Malformed {
  if (end - start < tcp.size) return new Malformed('tcp-truncated', start);
  const headerLength = (bytes[start + 12] >> 4) * 4;
  if (headerLength < tcp.size || headerLength > end - start) return new Malformed('tcp-data-offset', start + 12);
  const segment = new Segment();
  const f = tcp.f;
  segment.sourcePort = f.sourcePort.get(bytes, start);
  segment.destinationPort = f.destinationPort.get(bytes, start);
  segment.seq = f.seq.get(bytes, start);
  segment.ack = f.ack.get(bytes, start);
  segment.flags = f.flags.get(bytes, start);
  segment.window = f.window.get(bytes, start);
  segment.urgentPointer = f.urgentPointer.get(bytes, start);
  segment.length = end - start - headerLength;
  segment.payload = bytes.subarray(start + headerLength, end);
  if (headerLength > tcp.size) {
    const reader = new Reader(bytes, start + tcp.size, start + headerLength);
    parseTcpOptions(reader, segment);
    if (reader.failure) return reader.failure;
  }
  return segment;
}

/** Writes header and options at `at`; the checksum is left zero. The payload already stands behind them. */
export function writeTcpHeader(segment: Segment, bytes: Uint8Array, at: number, headerLength: number): void {
  const f = tcp.f;
  f.sourcePort.set(bytes, at, segment.sourcePort);
  f.destinationPort.set(bytes, at, segment.destinationPort);
  f.seq.set(bytes, at, segment.seq);
  f.ack.set(bytes, at, segment.ack);
  bytes[at + 12] = ((headerLength >> 2) << 4) | ((segment.flags >> 8) & 1);
  bytes[at + 13] = segment.flags;
  f.window.set(bytes, at, segment.window);
  f.checksum.set(bytes, at, 0);
  f.urgentPointer.set(bytes, at, segment.urgentPointer);
  if (headerLength > tcp.size) writeTcpOptions(segment, bytes, at + tcp.size);
}
