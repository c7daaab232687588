/** Packetdrill's way of writing segments and their options, both ways. */
import { hex } from '../base/bytes.ts';
import { seqDiff } from '../base/seq32.ts';
import { ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../wire/tcp.ts';
import type { ScriptSegment, ScriptTcpOption } from './script.ts';

const LETTERS: readonly [string, number][] = [
  ['F', FIN],
  ['S', SYN],
  ['R', RST],
  ['P', PSH],
  ['E', ECE],
  ['W', CWR],
  ['A', AE],
  ['.', ACK],
  ['U', URG],
];

export const formatFlags = (flags: number): string =>
  LETTERS.filter(([, bit]) => flags & bit)
    .map(([letter]) => letter)
    .join('') || '-';

export function formatSegment(segment: ScriptSegment): string {
  const { flags, seq, length, ack, window, options } = segment;
  const parts = [formatFlags(flags), `${seq}:${(seq + length) >>> 0}(${length})`];
  if (ack !== undefined) parts.push(`ack ${ack}`);
  if (window !== undefined) parts.push(`win ${window}`);
  if (options === undefined) parts.push('<...>');
  else if (options.length > 0) parts.push(`<${formatOptions(options)}>`);
  return parts.join(' ');
}

/** `base` is subtracted from the edges of SACK blocks. */
export function formatOptions(options: readonly ScriptTcpOption[], base = 0): string {
  return options.map(option => formatOption(option, base)).join(',');
}

function formatOption(option: ScriptTcpOption, base: number): string {
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'TS':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'sack':
      return `sack ${option.blocks.map(b => `${seqDiff(b.start, base) >>> 0}:${seqDiff(b.end, base) >>> 0}`).join(' ')}`;
    case 'FO':
    case 'FOEXP':
      return option.cookie.length === 0 ? option.kind : `${option.kind} ${hex(option.cookie)}`;
    case 'md5':
      return `md5 ${hex(option.digest)}`;
    case 'ECN':
      return `ECN ${option.fields.map(field => `${field.name} ${field.value}`).join(' ')}`;
    case 'unknown':
      return `0x${option.number.toString(16)} ${hex(option.data)}`;
    default:
      return option.kind;
  }
}

const KIND = {
  eol: 0,
  nop: 1,
  mss: 2,
  wscale: 3,
  sackOK: 4,
  sack: 5,
  TS: 8,
  md5: 19,
  FO: 34,
  ecn0: 172,
  ecn1: 174,
  exp: 254,
};

/** The options of a header, one by one. */
export function readOptions(bytes: Uint8Array): ScriptTcpOption[] {
  const options: ScriptTcpOption[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === KIND.eol || kind === KIND.nop) {
      options.push({ kind: kind === KIND.eol ? 'eol' : 'nop' });
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length < 2 || at + length > bytes.length) break;
    options.push(readOption(kind, view, bytes.subarray(at + 2, at + length), at + 2));
    at += length;
  }
  return options;
}

function readOption(kind: number, view: DataView, data: Uint8Array, at: number): ScriptTcpOption {
  const u32 = (i: number): number => view.getUint32(at + i);
  if (kind === KIND.mss && data.length === 2) return { kind: 'mss', value: view.getUint16(at) };
  if (kind === KIND.wscale && data.length === 1) return { kind: 'wscale', value: data[0] };
  if (kind === KIND.sackOK && data.length === 0) return { kind: 'sackOK' };
  if (kind === KIND.TS && data.length === 8) return { kind: 'TS', val: u32(0), ecr: u32(4) };
  if (kind === KIND.sack && data.length % 8 === 0) {
    const blocks = Array.from({ length: data.length / 8 }, (_, i) => ({ start: u32(8 * i), end: u32(8 * i + 4) }));
    return { kind: 'sack', blocks };
  }
  if (kind === KIND.FO) return { kind: 'FO', cookie: data };
  if (kind === KIND.md5) return { kind: 'md5', digest: data };
  if (kind === KIND.exp && data.length >= 2 && data[0] === 0xf9 && data[1] === 0x89) {
    return { kind: 'FOEXP', cookie: data.subarray(2) };
  }
  if (kind === KIND.ecn0 || kind === KIND.ecn1) {
    const names = kind === KIND.ecn0 ? (['e0b', 'ceb', 'e1b'] as const) : (['e1b', 'ceb', 'e0b'] as const);
    const count = Math.min(3, Math.floor(data.length / 3));
    const fields = names.slice(0, count).map((name, i) => ({
      name,
      value: (data[3 * i] << 16) | (data[3 * i + 1] << 8) | data[3 * i + 2],
    }));
    return { kind: 'ECN', fields };
  }
  return { kind: 'unknown', number: kind, data };
}

/** Bytes of a script's options, padded with zeros to whole words. Timestamp echoes and SACK blocks are mapped first. */
export function writeOptions(
  options: readonly ScriptTcpOption[],
  map: { ecr: (ecr: number) => number; seq: (seq: number) => number },
): Uint8Array {
  const bytes: number[] = [];
  const u16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
  const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n & 0xffff)];
  const put = (kind: number, data: ArrayLike<number>): void =>
    void bytes.push(kind, data.length + 2, ...Array.from(data));
  for (const option of options) {
    switch (option.kind) {
      case 'nop':
        bytes.push(KIND.nop);
        break;
      case 'eol':
        bytes.push(KIND.eol);
        break;
      case 'mss':
        put(KIND.mss, u16(option.value));
        break;
      case 'wscale':
        put(KIND.wscale, [option.value]);
        break;
      case 'sackOK':
        put(KIND.sackOK, []);
        break;
      case 'sack':
        put(
          KIND.sack,
          option.blocks.flatMap(b => [...u32(map.seq(b.start)), ...u32(map.seq(b.end))]),
        );
        break;
      case 'TS':
        put(KIND.TS, [...u32(option.val), ...u32(map.ecr(option.ecr))]);
        break;
      case 'FO':
        put(KIND.FO, option.cookie);
        break;
      case 'FOEXP':
        put(KIND.exp, [0xf9, 0x89, ...option.cookie]);
        break;
      case 'md5':
        put(KIND.md5, option.digest);
        break;
      case 'ECN':
        put(
          option.fields[0]?.name === 'e1b' ? KIND.ecn1 : KIND.ecn0,
          option.fields.flatMap(f => [(f.value >>> 16) & 255, ...u16(f.value & 0xffff)]),
        );
        break;
      case 'unknown':
        put(option.number, option.data);
        break;
    }
  }
  while (bytes.length % 4 !== 0) bytes.push(KIND.eol);
  return Uint8Array.from(bytes);
}
