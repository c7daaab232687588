/** TCP's options (RFC 9293 §3.2; RFC 7323, 2018, 7413, 9768): written in the orders that stacks use, read in any. */
import { hex } from '../base/bytes.ts';
import type { SeqRange } from '../base/ranges.ts';
import type { Memory } from '../base/slab.ts';
import type { Reader } from './reader.ts';
import type { AccEcnField, Segment } from './tcp.ts';

export const OPTION = {
  end: 0,
  noOperation: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
  fastOpen: 34,
  accEcn0: 172,
  accEcn1: 174,
  experiment: 254,
} as const;

/** RFC 6994: the experiment's identifier of Fast Open. */
const FAST_OPEN_ID = 0xf989;

/**
 * 'aligned' (Linux): SACK permitted fills the word in front of timestamps, everything else is padded from the front to
 * whole words (RFC 7323 appendix A). 'bsd': the window scale comes second, and the end is padded with zeros.
 */
export type OptionOrder = 'aligned' | 'bsd';

/** Bytes of the options as `writeTcpOptions` writes them, a multiple of four. */
export const tcpOptionsLength = (segment: Segment): number => {
  if (isBare(segment)) return (segment.hasTimestamps ? 12 : 0) + sackLength(segment.sack.length);
  const writer = new Writer(undefined, 0);
  write(writer, segment);
  return writer.at;
};

/** Writes them at `start`. */
export function writeTcpOptions(segment: Segment, { bytes, rows }: Memory, start: number): void {
  if (!isBare(segment)) return write(new Writer(bytes, start), segment);
  const at = segment.hasTimestamps ? writeTimestamps(segment, rows, start) : start;
  if (segment.sack.length > 0) writeSack(segment.sack, rows, at);
}

/** What stands before them in RFC 7323's recommended layout (appendix A): two no-operations, kind 8, length 10. */
const TIMESTAMPS_START = 0x0101080a;
/** And before SACK blocks, their number left out of the length (RFC 2018 §3 has it so): two no-operations, kind 5. */
const SACK_START = 0x01010502;
const MOST_BLOCKS = 4;

/** Bytes of so many SACK blocks with what stands before them. */
export const sackLength = (blocks: number): number => (blocks === 0 ? 0 : 4 + 8 * blocks);

/** Answers where they end. */
function writeTimestamps(segment: Segment, rows: DataView, start: number): number {
  rows.setInt32(start, TIMESTAMPS_START);
  rows.setInt32(start + 4, segment.tsVal);
  rows.setInt32(start + 8, segment.tsEcr);
  return start + 12;
}

function writeSack(blocks: readonly SeqRange[], rows: DataView, start: number): void {
  rows.setInt32(start, SACK_START + 8 * blocks.length);
  for (let n = 0; n < blocks.length; n++) {
    rows.setInt32(start + 4 + 8 * n, blocks[n].start);
    rows.setInt32(start + 8 + 8 * n, blocks[n].end);
  }
}

/** True when the options in [start, end) were timestamps, SACK blocks or both, in that layout and nothing else. */
export function readBare(segment: Segment, rows: DataView, start: number, end: number): boolean {
  const stamped = end - start >= 12 && rows.getInt32(start) === TIMESTAMPS_START;
  const sackAt = stamped ? start + 12 : start;
  if (sackAt !== end && !readSack(segment, rows, sackAt, end)) return false;
  if (!stamped) return true;
  segment.hasTimestamps = true;
  segment.tsVal = rows.getInt32(start + 4);
  segment.tsEcr = rows.getInt32(start + 8);
  return true;
}

function readSack(segment: Segment, rows: DataView, start: number, end: number): boolean {
  const count = (end - start - 4) / 8;
  const isSack = count >= 1 && count <= MOST_BLOCKS && Number.isInteger(count);
  if (!isSack || rows.getInt32(start) !== SACK_START + 8 * count) return false;
  const blocks: SeqRange[] = [];
  for (let at = start + 4; at < end; at += 8) blocks.push({ start: rows.getInt32(at), end: rows.getInt32(at + 4) });
  segment.sack = blocks;
  return true;
}

/** The common case: timestamps, SACK blocks or nothing, which stand alike in either order. */
const isBare = (s: Segment): boolean =>
  s.mss < 0 &&
  s.windowScale < 0 &&
  !s.sackPermitted &&
  s.fastOpen === undefined &&
  s.accEcn === undefined &&
  s.unknownOptions.length === 0;

/** Writes, or only counts when there is nowhere to write to. */
class Writer {
  at = 0;
  private readonly bytes: Uint8Array | undefined;
  private readonly start: number;

  constructor(bytes: Uint8Array | undefined, start: number) {
    this.bytes = bytes;
    this.start = start;
  }

  u8(...values: number[]): void {
    for (const value of values) {
      if (this.bytes !== undefined) this.bytes[this.start + this.at] = value;
      this.at++;
    }
  }

  u16(value: number): void {
    this.u8(value >>> 8, value & 255);
  }

  u32(value: number): void {
    this.u8(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  }

  raw(data: Uint8Array): void {
    this.u8(...data);
  }

  /** No-operations until the place is `remainder` modulo `unit`. */
  align(unit: number, remainder: number): void {
    while (this.at % unit !== remainder) this.u8(OPTION.noOperation);
  }
}

function write(w: Writer, segment: Segment): void {
  if (segment.order === 'bsd') writeBsd(w, segment);
  else writeAligned(w, segment);
}

function writeAligned(w: Writer, s: Segment): void {
  if (s.mss >= 0) mss(w, s);
  if (s.hasTimestamps) {
    if (s.sackPermitted) w.u8(OPTION.sackPermitted, 2);
    else w.align(4, 2);
    timestamps(w, s);
    if (s.accEcn !== undefined) accEcn(w, s.accEcn);
  } else {
    if (s.accEcn !== undefined) accEcn(w, s.accEcn);
    if (s.sackPermitted) {
      w.align(4, 2);
      w.u8(OPTION.sackPermitted, 2);
    }
  }
  if (s.windowScale >= 0) {
    w.align(4, 1);
    w.u8(OPTION.windowScale, 3, s.windowScale);
  }
  if (s.sack.length > 0) {
    w.align(4, 2);
    sack(w, s.sack);
  }
  if (s.accEcn !== undefined) w.align(4, 0);
  if (s.fastOpen !== undefined) fastOpen(w, s);
  unknown(w, s);
  w.align(4, 0);
}

function writeBsd(w: Writer, s: Segment): void {
  if (s.mss >= 0) mss(w, s);
  if (s.windowScale >= 0) {
    w.align(2, 1);
    w.u8(OPTION.windowScale, 3, s.windowScale);
  }
  if (s.sackPermitted) {
    w.align(2, 0);
    w.u8(OPTION.sackPermitted, 2);
  }
  if (s.hasTimestamps) {
    w.align(4, 2);
    timestamps(w, s);
  }
  if (s.sack.length > 0) {
    w.align(4, 2);
    sack(w, s.sack);
  }
  if (s.fastOpen !== undefined) fastOpen(w, s);
  if (s.accEcn !== undefined) accEcn(w, s.accEcn);
  unknown(w, s);
  while (w.at % 4 !== 0) w.u8(OPTION.end);
}

function mss(w: Writer, s: Segment): void {
  w.u8(OPTION.mss, 4);
  w.u16(s.mss);
}

function timestamps(w: Writer, s: Segment): void {
  w.u8(OPTION.timestamps, 10);
  w.u32(s.tsVal);
  w.u32(s.tsEcr);
}

function sack(w: Writer, blocks: readonly SeqRange[]): void {
  w.u8(OPTION.sack, 2 + 8 * blocks.length);
  for (const { start, end } of blocks) {
    w.u32(start);
    w.u32(end);
  }
}

function fastOpen(w: Writer, s: Segment): void {
  const cookie = s.fastOpen as Uint8Array;
  if (s.fastOpenExperimental) {
    w.u8(OPTION.experiment, 4 + cookie.length);
    w.u16(FAST_OPEN_ID);
  } else {
    w.u8(OPTION.fastOpen, 2 + cookie.length);
  }
  w.raw(cookie);
}

/** §3.2.3: kind 172 begins with the count of ECT(0), kind 174 with that of ECT(1). */
function accEcn(w: Writer, fields: readonly AccEcnField[]): void {
  w.u8(fields[0]?.name === 'e0b' ? OPTION.accEcn0 : OPTION.accEcn1, 2 + 3 * fields.length);
  for (const { value } of fields) {
    w.u8((value >>> 16) & 255);
    w.u16(value & 0xffff);
  }
}

function unknown(w: Writer, s: Segment): void {
  for (const option of s.unknownOptions) {
    w.u8(option.kind, option.data.length + 2);
    w.raw(option.data);
  }
}

const OPTION_NAMES: Record<number, string> = {
  2: 'maximum segment size',
  3: 'window scale',
  4: 'SACK permitted',
  5: 'SACK',
  8: 'timestamps',
  34: 'fast open cookie',
  172: 'accurate ECN',
  174: 'accurate ECN',
  254: 'experiment',
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
    segment.tsVal = reader.u32('TSval') | 0;
    segment.tsEcr = reader.u32('TSecr') | 0;
  } else if (kind === OPTION.sack && length > 2 && length % 8 === 2) {
    const blocks: SeqRange[] = [];
    for (let n = 0; n < (length - 2) / 8; n++) {
      blocks.push({ start: reader.u32('left edge') | 0, end: reader.u32('right edge') | 0 });
    }
    segment.sack = blocks;
  } else if (kind === OPTION.fastOpen && isCookieLength(length - 2)) {
    segment.fastOpen = reader.view(length - 2, 'cookie', bytes => hex(bytes, ' '));
  } else if (isFastOpenExperiment(reader, kind, length)) {
    reader.u16('identifier');
    segment.fastOpen = reader.view(length - 4, 'cookie', bytes => hex(bytes, ' '));
    segment.fastOpenExperimental = true;
  } else if ((kind === OPTION.accEcn0 || kind === OPTION.accEcn1) && length % 3 === 2) {
    segment.accEcn = parseAccEcn(reader, kind, (length - 2) / 3);
  } else {
    const data = reader.view(length - 2, 'data', bytes => hex(bytes, ' '));
    segment.unknownOptions = [...segment.unknownOptions, { kind, data }];
  }
}

/** RFC 7413 §4.1.1: none, or 4 to 16 bytes and even. */
const isCookieLength = (length: number): boolean => length === 0 || (length >= 4 && length <= 16 && length % 2 === 0);

function isFastOpenExperiment(reader: Reader, kind: number, length: number): boolean {
  if (kind !== OPTION.experiment || length < 4 || !isCookieLength(length - 4)) return false;
  return reader.bytes[reader.at] * 256 + reader.bytes[reader.at + 1] === FAST_OPEN_ID;
}

function parseAccEcn(reader: Reader, kind: number, count: number): AccEcnField[] {
  const names: AccEcnField['name'][] = kind === OPTION.accEcn0 ? ['e0b', 'ceb', 'e1b'] : ['e1b', 'ceb', 'e0b'];
  return names.slice(0, count).map(name => {
    const high = reader.u8(`${name} high`);
    return { name, value: high * 65536 + reader.u16(`${name} low`) };
  });
}
