/** Zone files in the standard form (RFC 1035 §5, $TTL of RFC 2308 §4, unknown types of RFC 3597 §5). */
import { fromHex } from '../../base/bytes.ts';
import { parseIpv4, parseIpv6 } from '../../wire/address.ts';
import { absoluteName, labelsOf } from '../../wire/dns-name.ts';
import {
  CLASS_IN,
  type DomainName,
  type RData,
  type ResourceRecord,
  RR,
  rrName,
  rrType,
} from '../../wire/dns-types.ts';

/** 'example.test.zone:12: ...'. */
export class ZoneFileError extends Error {
  override name = 'ZoneFileError';
}

interface Token {
  text: string;
  quoted: boolean;
}

/** One entry: its tokens, and whether its line began with a blank (the owner is that of the entry before). */
interface Entry {
  line: number;
  inherits: boolean;
  tokens: Token[];
}

/** Throws ZoneFileError with file and line. */
export function parseZoneFile(text: string, origin: DomainName, file = 'zone'): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  const state: ParserState = { origin, ttl: undefined, owner: undefined, file, line: 0 };
  for (const entry of entriesOf(text, file)) {
    state.line = entry.line;
    const record = parseEntry(entry, state);
    if (record !== undefined) records.push(record);
  }
  return records;
}

interface ParserState {
  origin: DomainName;
  ttl: number | undefined;
  owner: DomainName | undefined;
  file: string;
  line: number;
}

function fail(state: { file: string; line: number }, message: string): never {
  throw new ZoneFileError(`${state.file}:${state.line}: ${message}`);
}

/** Comments go, parentheses join lines, quotes keep blanks. */
function entriesOf(text: string, file: string): Entry[] {
  const entries: Entry[] = [];
  let current: Entry | undefined;
  let depth = 0;
  let line = 1;
  let startOfLine = true;
  const pattern = /\n|;[^\n]*|[()]|"(?:\\.|[^"\\\n])*"|"|[ \t\r]+|(?:\\.|[^\s;()"])+/g;
  for (const [match] of text.matchAll(pattern)) {
    if (match === '\n') {
      if (depth === 0) current = undefined;
      startOfLine = depth === 0;
      line++;
      continue;
    }
    if (match.startsWith(';')) continue;
    if (match === '"') fail({ file, line }, 'a quoted string does not end');
    if (current === undefined) {
      current = { line, inherits: startOfLine && /^[ \t\r]/.test(match), tokens: [] };
      entries.push(current);
    }
    startOfLine = false;
    if (match === '(') depth++;
    else if (match === ')') depth--;
    else if (match.trim() !== '') {
      const quoted = match.startsWith('"');
      current.tokens.push({ text: quoted ? match.slice(1, -1) : match, quoted });
    }
    if (depth < 0) fail({ file, line }, 'a ) without a (');
  }
  if (depth > 0) fail({ file, line }, 'a ( without a )');
  return entries.filter(entry => entry.tokens.length > 0);
}

function parseEntry(entry: Entry, state: ParserState): ResourceRecord | undefined {
  const tokens = [...entry.tokens];
  if (!entry.inherits && tokens[0].text.startsWith('$')) {
    directive(tokens, state);
    return undefined;
  }
  if (!entry.inherits) state.owner = nameOf((tokens.shift() as Token).text, state);
  const owner = state.owner ?? fail(state, 'the first record has no owner');
  let ttl: number | undefined;
  // RFC 1035 §5.1: TTL and class may come in either order, and either may be absent.
  for (let n = 0; n < 2 && tokens.length > 0; n++) {
    const asTtl = parseTtl(tokens[0].text);
    if (/^IN$/i.test(tokens[0].text)) tokens.shift();
    else if (/^(CH|HS|CS)$/i.test(tokens[0].text)) fail(state, `class ${tokens[0].text} is not served; use IN`);
    else if (asTtl !== undefined && ttl === undefined) {
      ttl = asTtl;
      tokens.shift();
    }
  }
  const typeName = tokens.shift()?.text ?? fail(state, 'a record without a type');
  const type = rrType(typeName) ?? fail(state, `'${typeName}' is no record type`);
  const data = parseData(type, tokens, state);
  const known = ttl ?? state.ttl ?? (data.type === 'SOA' ? data.minimum : undefined);
  state.ttl ??= data.type === 'SOA' ? data.minimum : undefined;
  return { name: owner, class: CLASS_IN, ttl: known ?? fail(state, 'no TTL: give one, or a $TTL line before'), data };
}

function directive(tokens: Token[], state: ParserState): void {
  const [name, value] = tokens.map(token => token.text);
  switch (name.toUpperCase()) {
    case '$ORIGIN':
      state.origin = nameOf(value ?? fail(state, '$ORIGIN needs a name'), state);
      return;
    case '$TTL':
      state.ttl = parseTtl(value ?? '') ?? fail(state, `'${value ?? ''}' is no TTL`);
      return;
    default:
      fail(state, `${name} is not supported; put the records into this file`);
  }
}

/** Seconds, or BIND's '1h30m'. */
function parseTtl(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 0x7fff_ffff ? Number(text) : undefined;
  if (!/^(\d+[smhdw])+$/i.test(text)) return undefined;
  const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  return [...text.toLowerCase().matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * units[unit],
    0,
  );
}

function nameOf(text: string, state: ParserState): DomainName {
  if (text === '@') return state.origin;
  const absolute = text.endsWith('.') && !text.endsWith('\\.');
  const full = absolute ? text : state.origin === '.' ? `${text}.` : `${text}.${state.origin}`;
  return absoluteName(full) ?? fail(state, `'${text}' is no domain name`);
}

function parseData(type: number, tokens: Token[], state: ParserState): RData {
  const next = (what: string): string => tokens.shift()?.text ?? fail(state, `${rrName(type)}: ${what} is missing`);
  const name = (what: string): DomainName => nameOf(next(what), state);
  const number = (what: string, max = 0xffff_ffff): number => {
    const text = next(what);
    const value = parseTtl(text);
    return value !== undefined && value <= max ? value : fail(state, `${rrName(type)}: '${text}' is no ${what}`);
  };
  const data =
    tokens[0]?.text === '\\#'
      ? unknownData(type, tokens, state)
      : knownData(type, { next, name, number }, tokens, state);
  if (tokens.length > 0) fail(state, `${rrName(type)}: '${tokens[0].text}' is too much`);
  return data;
}

interface DataReader {
  next(what: string): string;
  name(what: string): DomainName;
  number(what: string, max?: number): number;
}

function knownData(type: number, read: DataReader, tokens: Token[], state: ParserState): RData {
  switch (type) {
    case RR.A: {
      const text = read.next('address');
      return { type: 'A', address: parseIpv4(text) ?? fail(state, `'${text}' is no IPv4 address`) };
    }
    case RR.AAAA: {
      const text = read.next('address');
      return { type: 'AAAA', address: parseIpv6(text) ?? fail(state, `'${text}' is no IPv6 address`) };
    }
    case RR.NS:
      return { type: 'NS', name: read.name('name server') };
    case RR.CNAME:
      return { type: 'CNAME', name: read.name('canonical name') };
    case RR.PTR:
      return { type: 'PTR', name: read.name('name') };
    case RR.MX:
      return { type: 'MX', preference: read.number('preference', 65535), exchange: read.name('mail server') };
    case RR.SRV:
      return {
        type: 'SRV',
        priority: read.number('priority', 65535),
        weight: read.number('weight', 65535),
        port: read.number('port', 65535),
        target: read.name('target'),
      };
    case RR.SOA:
      return {
        type: 'SOA',
        mname: read.name('primary name server'),
        rname: read.name('mailbox'),
        serial: read.number('serial'),
        refresh: read.number('refresh'),
        retry: read.number('retry'),
        expire: read.number('expire'),
        minimum: read.number('minimum'),
      };
    case RR.TXT: {
      const strings = tokens.splice(0).map(token => textOf(token.text));
      if (strings.length === 0 || strings.some(text => text.length > 255))
        fail(state, 'TXT: strings of 1 to 255 bytes each');
      return { type: 'TXT', strings };
    }
    default:
      return fail(state, `the data of ${rrName(type)} must be written as \\# (RFC 3597)`);
  }
}

function unknownData(type: number, tokens: Token[], state: ParserState): RData {
  const [, length, ...digits] = tokens.splice(0).map(token => token.text);
  const bytes = fromHex(digits.join(''));
  if (bytes.length !== Number(length)) fail(state, `\\# says ${length} bytes, there are ${bytes.length}`);
  return { type: 'other', rrType: type, bytes };
}

/** Escapes of RFC 1035 §5.1 in a character string. */
function textOf(text: string): Uint8Array {
  // As one label it may be longer than a name allows; the escapes are the same.
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const digits = text[i] === '\\' ? /^\d{3}/.exec(text.slice(i + 1)) : null;
    if (digits !== null) {
      bytes.push(Number(digits[0]) & 255);
      i += 3;
    } else {
      if (text[i] === '\\') i++;
      bytes.push(...new TextEncoder().encode(text[i] ?? ''));
    }
  }
  return Uint8Array.from(bytes);
}

/** The name of the zone that a file's records make: the owner of its SOA. */
export function zoneNameOf(records: readonly ResourceRecord[]): DomainName | undefined {
  const soa = records.find(record => record.data.type === 'SOA');
  return soa !== undefined && labelsOf(soa.name) !== undefined ? soa.name : undefined;
}
