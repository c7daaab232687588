/** DNS messages (RFC 1035 §4): one parser for decoding and dissection, one encoder with name compression. */
import { hex, latin1 } from '../base/bytes.ts';
import { formatIpv4, formatIpv6 } from './address.ts';
import { NameWriter, readName } from './dns-name.ts';
import {
  type DnsMessage,
  type DomainName,
  type Edns,
  type Question,
  type RData,
  type ResourceRecord,
  RR,
  rcodeName,
  rrName,
  typeOf,
} from './dns-types.ts';
import { type Malformed, Reader } from './reader.ts';

const QR = 0x8000;
const AA = 0x0400;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;

function flagText(flags: number): string {
  const names: [number, string][] = [
    [QR, 'QR'],
    [AA, 'AA'],
    [TC, 'TC'],
    [RD, 'RD'],
    [RA, 'RA'],
  ];
  const set = names.filter(([bit]) => flags & bit).map(([, name]) => name);
  return `0x${flags.toString(16).padStart(4, '0')} (${[...set, rcodeName(flags & 15)].join(' ')})`;
}

export function parseDns(reader: Reader): DnsMessage {
  const id = reader.u16('id', n => `0x${n.toString(16).padStart(4, '0')}`);
  const flags = reader.u16('flags', flagText);
  const counts = ['questions', 'answers', 'authorities', 'additionals'].map(name => reader.u16(`${name} count`));
  const questions: Question[] = [];
  for (let i = 0; i < counts[0] && reader.ok; i++) questions.push(parseQuestion(reader));
  const sections = ['answer', 'authority', 'additional'].map((name, section) => {
    const records: (ResourceRecord | Edns)[] = [];
    for (let i = 0; i < counts[section + 1] && reader.ok; i++) records.push(parseRecord(reader, name));
    return records;
  });
  const edns = sections[2].filter(isEdns);
  // RFC 6891 §6.1.1: "If a query message with more than one OPT RR is received, a FORMERR ... MUST be returned".
  if (edns.length > 1) reader.fail('dns: more than one OPT record');
  if (reader.ok && reader.left > 0) reader.fail('dns: bytes behind the last record');
  const [answers, authorities, additionals] = sections.map(records => records.filter(isRecord));
  return {
    id,
    response: (flags & QR) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & AA) !== 0,
    truncated: (flags & TC) !== 0,
    recursionDesired: (flags & RD) !== 0,
    recursionAvailable: (flags & RA) !== 0,
    rcode: (flags & 15) | ((edns[0]?.extendedRcode ?? 0) << 4),
    questions,
    answers,
    authorities,
    additionals,
    edns: edns[0],
  };
}

const isEdns = (record: ResourceRecord | Edns): record is Edns => 'udpPayloadSize' in record;
const isRecord = (record: ResourceRecord | Edns): record is ResourceRecord => 'data' in record;

function parseQuestion(reader: Reader): Question {
  return reader.group(
    'question',
    () => ({ name: readName(reader, 'name'), type: reader.u16('type', rrName), class: reader.u16('class') }),
    question => `${question.name} ${rrName(question.type)}`,
  );
}

function parseRecord(reader: Reader, section: string): ResourceRecord | Edns {
  return reader.group(
    section,
    () => {
      const name = readName(reader, 'name');
      const type = reader.u16('type', rrName);
      if (type === RR.OPT) return parseOpt(reader);
      const recordClass = reader.u16('class');
      // RFC 2181 §8: a TTL with its highest bit set is treated as zero.
      const ttl = reader.u32('ttl');
      const data = parseData(reader, type);
      return { name, class: recordClass, ttl: ttl > 0x7fff_ffff ? 0 : ttl, data };
    },
    record => (isRecord(record) ? formatRecord(record) : `OPT, ${record.udpPayloadSize} bytes of UDP payload`),
  );
}

function parseOpt(reader: Reader): Edns {
  const udpPayloadSize = reader.u16('UDP payload size');
  const extendedRcode = reader.u8('extended RCODE');
  const version = reader.u8('version');
  const flags = reader.u16('flags');
  const options = reader.view(reader.u16('data length'), 'options');
  return { udpPayloadSize, extendedRcode, version, dnssecOk: (flags & 0x8000) !== 0, options };
}

function parseData(reader: Reader, type: number): RData {
  const length = reader.u16('data length');
  const end = reader.at + length;
  if (length > reader.left) {
    reader.fail('dns: record data is truncated');
    return { type: 'other', rrType: type, bytes: new Uint8Array(0) };
  }
  const data = parseKnownData(reader, type, end);
  if (reader.ok && reader.at !== end) reader.fail(`dns: ${rrName(type)} data of the wrong length`);
  return data;
}

function parseKnownData(reader: Reader, type: number, end: number): RData {
  switch (type) {
    case RR.A:
      return { type: 'A', address: reader.u32('address', formatIpv4) };
    case RR.AAAA: {
      const address = reader.view(16, 'address', formatIpv6);
      return { type: 'AAAA', address: Uint8Array.from(address) };
    }
    case RR.CNAME:
    case RR.NS:
    case RR.PTR:
      return { type: rrName(type) as 'CNAME' | 'NS' | 'PTR', name: readName(reader, 'name') };
    case RR.SOA:
      return {
        type: 'SOA',
        mname: readName(reader, 'mname'),
        rname: readName(reader, 'rname'),
        serial: reader.u32('serial'),
        refresh: reader.u32('refresh'),
        retry: reader.u32('retry'),
        expire: reader.u32('expire'),
        minimum: reader.u32('minimum'),
      };
    case RR.MX:
      return { type: 'MX', preference: reader.u16('preference'), exchange: readName(reader, 'exchange') };
    case RR.TXT: {
      const strings: Uint8Array[] = [];
      while (reader.ok && reader.at < end)
        strings.push(Uint8Array.from(reader.view(reader.u8('length'), 'text', quote)));
      return { type: 'TXT', strings };
    }
    case RR.SRV:
      return {
        type: 'SRV',
        priority: reader.u16('priority'),
        weight: reader.u16('weight'),
        port: reader.u16('port'),
        target: readName(reader, 'target'),
      };
    default:
      return { type: 'other', rrType: type, bytes: Uint8Array.from(reader.view(end - reader.at, 'data')) };
  }
}

export function decodeDns(bytes: Uint8Array, start = 0, end = bytes.length): DnsMessage | Malformed {
  const reader = new Reader(bytes, start, end);
  const message = parseDns(reader);
  return reader.failure ?? message;
}

/** Throws RangeError for an illegal name or a message over 65,535 bytes: those are ours to avoid. */
export function encodeDns(message: DnsMessage): Uint8Array {
  const out: number[] = [];
  const names = new NameWriter();
  const put16 = (value: number): void => void out.push((value >> 8) & 255, value & 255);
  put16(message.id);
  put16(flagsOf(message));
  put16(message.questions.length);
  put16(message.answers.length);
  put16(message.authorities.length);
  put16(message.additionals.length + (message.edns ? 1 : 0));
  for (const question of message.questions) {
    names.write(out, question.name, true);
    put16(question.type);
    put16(question.class);
  }
  for (const section of [message.answers, message.authorities, message.additionals]) {
    for (const record of section) writeRecord(out, names, record);
  }
  if (message.edns) writeOpt(out, message.edns);
  if (out.length > 0xffff) throw new RangeError('DNS message over 65,535 bytes');
  return Uint8Array.from(out);
}

function flagsOf(message: DnsMessage): number {
  return (
    (message.response ? QR : 0) |
    (message.opcode << 11) |
    (message.authoritative ? AA : 0) |
    (message.truncated ? TC : 0) |
    (message.recursionDesired ? RD : 0) |
    (message.recursionAvailable ? RA : 0) |
    (message.rcode & 15)
  );
}

function writeRecord(out: number[], names: NameWriter, record: ResourceRecord): void {
  names.write(out, record.name, true);
  put(out, typeOf(record.data), 2);
  put(out, record.class, 2);
  put(out, record.ttl, 4);
  const lengthAt = out.length;
  put(out, 0, 2);
  writeData(out, names, record.data);
  const length = out.length - lengthAt - 2;
  out[lengthAt] = length >> 8;
  out[lengthAt + 1] = length & 255;
}

function put(out: number[], value: number, size: 1 | 2 | 4): void {
  for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) out.push((value >>> shift) & 255);
}

function writeData(out: number[], names: NameWriter, data: RData): void {
  switch (data.type) {
    case 'A':
      return put(out, data.address, 4);
    case 'AAAA':
      return void out.push(...data.address);
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return names.write(out, data.name, true);
    case 'SOA':
      names.write(out, data.mname, true);
      names.write(out, data.rname, true);
      for (const n of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) put(out, n, 4);
      return;
    case 'MX':
      put(out, data.preference, 2);
      return names.write(out, data.exchange, true);
    case 'TXT':
      for (const text of data.strings) out.push(text.length, ...text);
      return;
    case 'SRV':
      for (const n of [data.priority, data.weight, data.port]) put(out, n, 2);
      // RFC 2782: "name compression is not to be used for this field".
      return names.write(out, data.target, false);
    case 'other':
      for (const byte of data.bytes) out.push(byte);
  }
}

function writeOpt(out: number[], edns: Edns): void {
  out.push(0);
  put(out, RR.OPT, 2);
  put(out, edns.udpPayloadSize, 2);
  out.push(edns.extendedRcode, edns.version);
  put(out, edns.dnssecOk ? 0x8000 : 0, 2);
  put(out, edns.options.length, 2);
  out.push(...edns.options);
}

const quote = (text: Uint8Array): string => JSON.stringify(latin1(text));

/** The data as a zone file writes it (RFC 1035 §5.1). */
export function formatData(data: RData): string {
  switch (data.type) {
    case 'A':
      return formatIpv4(data.address);
    case 'AAAA':
      return formatIpv6(data.address);
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return data.name;
    case 'SOA':
      return [data.mname, data.rname, data.serial, data.refresh, data.retry, data.expire, data.minimum].join(' ');
    case 'MX':
      return `${data.preference} ${data.exchange}`;
    case 'TXT':
      return data.strings.map(quote).join(' ');
    case 'SRV':
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`;
    case 'other':
      return `\\# ${data.bytes.length} ${hex(data.bytes)}`; // RFC 3597 §5
  }
}

export const formatRecord = (record: ResourceRecord): string =>
  `${record.name} ${record.ttl} IN ${rrName(typeOf(record.data))} ${formatData(record.data)}`;

export function emptyMessage(id: number, name: DomainName, type: number): DnsMessage {
  return {
    id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    rcode: 0,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
  };
}
