/** The lines of packets: '< S 0:0(0) win 32792 <mss 1000,sackOK>', '> [ect0] P. 1:1001(1000) ack 1', '< icmp ...'. */
import { ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../wire/tcp.ts';
import type { Scanner } from './scanner.ts';
import type { IpInfo, ScriptIcmp, ScriptPacket, ScriptSegment, ScriptTcpOption } from './script.ts';

const FLAGS: Record<string, number> = {
  F: FIN,
  S: SYN,
  R: RST,
  P: PSH,
  '.': ACK,
  U: URG,
  E: ECE,
  W: CWR,
  A: AE,
};
/** RFC 9768's ACE field as a digit: its bits are AE, CWR and ECE. */
const aceBits = (ace: number): number => (ace & 4 ? AE : 0) | (ace & 2 ? CWR : 0) | (ace & 1 ? ECE : 0);

export function parsePacket(scanner: Scanner): ScriptPacket {
  const direction = scanner.takes('<') ? 'in' : 'out';
  if (direction === 'out') scanner.expect('>');
  if (scanner.peek(/(?:ipv4|ipv6|gre|mpls)\b/)) return scanner.fail('encapsulated packets are not supported');
  const about = parseAbout(scanner);
  const ip = parseIpInfo(scanner);
  if (scanner.takesWord('icmp')) return { kind: 'icmp', direction, ip, icmp: parseIcmp(scanner, about) };
  if (scanner.takesWord('udp')) {
    scanner.expect('(');
    const length = scanner.number();
    scanner.expect(')');
    return { kind: 'udp', direction, ip, length };
  }
  return { kind: 'tcp', direction, ip, tcp: parseSegment(scanner) };
}

/** '[1:1001(1000)]' or '[udp (1000)]' before 'icmp'. */
function parseAbout(scanner: Scanner): ScriptIcmp['about'] {
  if (!scanner.peek(/\[\s*(?:\d+:|udp)/)) return undefined;
  scanner.expect('[');
  if (scanner.takesWord('udp')) {
    scanner.expect('(');
    const length = scanner.number();
    scanner.expect(')');
    scanner.expect(']');
    return { kind: 'udp', length };
  }
  const { seq, length } = parseRange(scanner);
  scanner.expect(']');
  return { kind: 'tcp', seq, length };
}

function parseIpInfo(scanner: Scanner): IpInfo {
  const info: IpInfo = {};
  const closing = scanner.takes('[') ? ']' : scanner.takes('(') ? ')' : undefined;
  for (;;) {
    const ecn = scanner.match(/(?:noecn|ect01|ect0|ect1|ce)\b/)?.[0];
    if (ecn !== undefined) info.ecn = ecn as IpInfo['ecn'];
    else if (scanner.takesWord('tos')) info.tos = scanner.number();
    else if (scanner.takesWord('ttl')) info.ttl = scanner.number();
    else if (scanner.takesWord('flowlabel')) info.flowLabel = scanner.number();
    else if (closing !== undefined && scanner.takes(',')) continue;
    else break;
  }
  if (closing !== undefined) scanner.expect(closing);
  return info;
}

function parseSegment(scanner: Scanner): ScriptSegment {
  const segment: ScriptSegment = { ...parseFlags(scanner), ...parseRange(scanner), options: [] };
  if (scanner.takesWord('ack')) {
    segment.ack = scanner.number() >>> 0;
    segment.flags |= 0;
  }
  if (scanner.takesWord('win')) segment.window = scanner.number();
  if (scanner.takesWord('urg')) segment.urgentPointer = scanner.number();
  if (scanner.peek(/<(?!\s*(?:\[|[SFRPUEWA.]+\s+\d))/) && scanner.takes('<')) segment.options = parseOptions(scanner);
  return segment;
}

/** '-' is no flag at all; a digit is the ACE field. */
function parseFlags(scanner: Scanner): { flags: number } {
  const found = scanner.match(/-|[FSRPUEWA.0-7]+(?=\s)/);
  if (found === undefined) return scanner.fail(`TCP flags are missing before ${scanner.rest()}`);
  let flags = 0;
  for (const letter of found[0]) flags |= FLAGS[letter] ?? (letter === '-' ? 0 : aceBits(Number(letter)));
  return { flags };
}

function parseRange(scanner: Scanner): { seq: number; length: number } {
  const seq = scanner.number() >>> 0;
  let end: number | undefined;
  if (scanner.takes(':')) end = scanner.number() >>> 0;
  scanner.expect('(');
  const length = scanner.number();
  scanner.expect(')');
  if (end !== undefined && (seq + length) >>> 0 !== end) {
    return scanner.fail(`${seq}:${end}(${length}): the length does not fit the sequence numbers`);
  }
  return { seq, length };
}

function parseOptions(scanner: Scanner): ScriptTcpOption[] | undefined {
  if (scanner.takes('...')) {
    scanner.expect('>');
    return undefined;
  }
  const options: ScriptTcpOption[] = [];
  while (!scanner.takes('>')) {
    options.push(parseOption(scanner));
    scanner.takes(',');
  }
  return options;
}

function parseOption(scanner: Scanner): ScriptTcpOption {
  if (scanner.peek(/0x|\d/)) {
    const number = scanner.number();
    return { kind: 'unknown', number, data: scanner.peek(/[0-9a-fA-F]/) ? scanner.hexBytes() : new Uint8Array(0) };
  }
  const name = scanner.word();
  switch (name) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: name };
    case 'mss':
    case 'wscale':
      return { kind: name, value: scanner.number() };
    case 'TS': {
      if (!scanner.takesWord('val')) return scanner.fail("'val' is missing behind TS");
      const val = scanner.number() >>> 0;
      if (!scanner.takesWord('ecr')) return scanner.fail("'ecr' is missing behind TS val");
      return { kind: 'TS', val, ecr: scanner.number() >>> 0 };
    }
    case 'sack': {
      const blocks: { start: number; end: number }[] = [];
      while (scanner.peek(/\d/)) {
        const start = scanner.number() >>> 0;
        scanner.expect(':');
        blocks.push({ start, end: scanner.number() >>> 0 });
      }
      return { kind: 'sack', blocks };
    }
    case 'FO':
    case 'FOEXP':
      return { kind: name, cookie: scanner.peek(/[0-9a-zA-Z_]/) ? scanner.hexBytes() : new Uint8Array(0) };
    case 'md5':
      return { kind: 'md5', digest: scanner.peek(/[0-9a-fA-F]/) ? scanner.hexBytes() : new Uint8Array(16) };
    case 'ECN': {
      const fields: { name: 'e0b' | 'e1b' | 'ceb'; value: number }[] = [];
      while (scanner.peek(/e0b|e1b|ceb/)) {
        fields.push({ name: scanner.match(/e0b|e1b|ceb/)?.[0] as 'e0b', value: scanner.number() });
      }
      return { kind: 'ECN', fields };
    }
    default:
      return scanner.fail(`'${name}' is no TCP option that is known here`);
  }
}

/** 'unreachable frag_needed mtu 1200', the segment that it is about before or behind it. */
function parseIcmp(scanner: Scanner, before: ScriptIcmp['about']): ScriptIcmp {
  const icmp: ScriptIcmp = { type: scanner.word(), about: before };
  const next = scanner.peek(/[a-z_]+\b/) ? scanner.peekWord() : undefined;
  if (next !== undefined && next !== 'mtu') icmp.code = scanner.word();
  if (scanner.takesWord('mtu')) icmp.mtu = scanner.number();
  icmp.about ??= parseAbout(scanner);
  return icmp;
}
