/** From a frame's bytes to its layers and fields, each with its byte range: what a person sees of a packet. */
import { formatIpv4 } from '../wire/address.ts';
import { arp } from '../wire/arp.ts';
import { parseDns } from '../wire/dns.ts';
import { ETHERTYPE, ethernet } from '../wire/ethernet.ts';
import { findHeadEnd, parseRequestHead, parseResponseHead } from '../wire/http1.ts';
import { icmp, icmpLayoutFor, icmpName, isIcmpError } from '../wire/icmp.ts';
import { icmpv6, icmpv6Name, isIcmpv6Error } from '../wire/icmpv6.ts';
import { checkIpv4, ipv4, ipv4HeaderLength, PROTOCOL, parseIpv4Options } from '../wire/ipv4.ts';
import { checkIpv6, decodeIpv6, ipv6, ipv6End, NEXT_HEADER } from '../wire/ipv6.ts';
import { type Reader, RecordingReader, type Span } from '../wire/reader.ts';
import { flagNames, Segment, tcp } from '../wire/tcp.ts';
import { parseTcpOptions } from '../wire/tcp-options.ts';
import { udp } from '../wire/udp.ts';

/** The layers from the outside in. Their ranges follow one another and cover the frame. Never throws. */
export function dissectFrame(bytes: Uint8Array, start = 0, end = bytes.length): Span[] {
  if (end - start < ethernet.size) return [rest('truncated frame', bytes, start, end)];
  const layer = span('Ethernet II', start, start + ethernet.size, '', ethernet.spans(bytes, start));
  const at = start + ethernet.size;
  const type = ethernet.f.type.get(bytes, start);
  if (type === ETHERTYPE.ipv4) return [layer, ...dissectIpv4(bytes, at, end)];
  if (type === ETHERTYPE.ipv6) return [layer, ...dissectIpv6(bytes, at, end)];
  if ((type === ETHERTYPE.arp || type === ETHERTYPE.rarp) && end - at >= arp.size) {
    const text = `${arp.f.operation.show(arp.f.operation.get(bytes, at))}`;
    const message = span(type === ETHERTYPE.arp ? 'ARP' : 'RARP', at, at + arp.size, text, arp.spans(bytes, at));
    return [layer, message, ...padding(bytes, at + arp.size, end)];
  }
  return [layer, ...(at < end ? [rest('data', bytes, at, end)] : [])];
}

export function dissectIpv4(bytes: Uint8Array, start: number, end: number): Span[] {
  const fault = checkIpv4(bytes, start, end);
  if (fault !== undefined && fault !== 'ip-checksum') return [rest(`malformed IPv4 (${fault})`, bytes, start, end)];
  const headerEnd = start + ipv4HeaderLength(bytes, start);
  const dataEnd = start + ipv4.f.totalLength.get(bytes, start);
  const fields = [
    ...ipv4.spans(bytes, start),
    ...options(bytes, start + ipv4.size, headerEnd, r => void parseIpv4Options(r)),
  ];
  const source = formatIpv4(ipv4.f.source.get(bytes, start));
  const destination = formatIpv4(ipv4.f.destination.get(bytes, start));
  const bad = fault === undefined ? '' : ', bad header checksum';
  const layer = span('IPv4', start, headerEnd, `${source} → ${destination}${bad}`, fields);
  return [layer, ...transport(bytes, start, headerEnd, dataEnd), ...padding(bytes, dataEnd, end)];
}

export function dissectIpv6(bytes: Uint8Array, start: number, end: number): Span[] {
  const fault = checkIpv6(bytes, start, end);
  if (fault !== undefined) return [rest(`malformed IPv6 (${fault})`, bytes, start, end)];
  const dataEnd = ipv6End(bytes, start);
  const { source, destination } = decodeIpv6(bytes, start);
  const layers = [span('IPv6', start, start + ipv6.size, `${source} → ${destination}`, ipv6.spans(bytes, start))];
  let protocol = bytes[start + 6];
  let at = start + ipv6.size;
  for (let name = EXTENSION_NAMES[protocol]; name !== undefined; name = EXTENSION_NAMES[protocol]) {
    const length = protocol === NEXT_HEADER.fragment ? 8 : (bytes[at + 1] + 1) * 8;
    if (at + 8 > dataEnd || at + length > dataEnd) break;
    layers.push(rest(name, bytes, at, at + length));
    const isLater = protocol === NEXT_HEADER.fragment && ((bytes[at + 2] << 8) | bytes[at + 3]) >> 3 > 0;
    protocol = bytes[at];
    at += length;
    if (!isLater) continue;
    return [...layers, rest('fragment', bytes, at, dataEnd), ...padding(bytes, dataEnd, end)];
  }
  return [...layers, ...upper(bytes, protocol, at, dataEnd), ...padding(bytes, dataEnd, end)];
}

const EXTENSION_NAMES: Readonly<Record<number, string>> = {
  [NEXT_HEADER.hopByHop]: 'hop-by-hop options',
  [NEXT_HEADER.routing]: 'routing header',
  [NEXT_HEADER.fragment]: 'fragment header',
  [NEXT_HEADER.destinationOptions]: 'destination options',
};

function transport(bytes: Uint8Array, header: number, start: number, end: number): Span[] {
  // Only the first fragment has the transport's header.
  if (ipv4.f.fragmentOffset.get(bytes, header) > 0 && start < end) return [rest('fragment', bytes, start, end)];
  return upper(bytes, ipv4.f.protocol.get(bytes, header), start, end);
}

function upper(bytes: Uint8Array, protocol: number, start: number, end: number): Span[] {
  if (start === end) return [];
  if (protocol === PROTOCOL.tcp && end - start >= tcp.size) return dissectTcp(bytes, start, end);
  if (protocol === PROTOCOL.udp && end - start >= udp.size) return dissectUdp(bytes, start, end);
  if (protocol === PROTOCOL.icmp && end - start >= icmp.size) return dissectIcmp(bytes, start, end);
  if (protocol === NEXT_HEADER.icmpv6 && end - start >= icmpv6.size) return dissectIcmpv6(bytes, start, end);
  return [rest(`protocol ${protocol}`, bytes, start, end)];
}

function dissectTcp(bytes: Uint8Array, start: number, end: number): Span[] {
  const headerEnd = start + (bytes[start + 12] >> 4) * 4;
  if (headerEnd < start + tcp.size || headerEnd > end) return [rest('malformed TCP (data offset)', bytes, start, end)];
  const fields = [
    ...tcp.spans(bytes, start),
    ...options(bytes, start + tcp.size, headerEnd, reader => parseTcpOptions(reader, new Segment())),
  ];
  const f = tcp.f;
  const ports = [f.sourcePort.get(bytes, start), f.destinationPort.get(bytes, start)];
  const text = `${ports[0]} → ${ports[1]} ${flagNames(f.flags.get(bytes, start))} seq=${f.seq.get(bytes, start) >>> 0}`;
  const layer = span('TCP', start, headerEnd, text, fields);
  if (headerEnd === end) return [layer];
  if (ports.includes(53) && end - headerEnd > 2) return [layer, ...dnsOverTcp(bytes, headerEnd, end)];
  return [layer, ...(ports.includes(80) ? dissectHttp(bytes, headerEnd, end) : [rest('data', bytes, headerEnd, end)])];
}

function dissectUdp(bytes: Uint8Array, start: number, end: number): Span[] {
  const ports = [udp.f.sourcePort.get(bytes, start), udp.f.destinationPort.get(bytes, start)];
  const dataStart = start + udp.size;
  const layer = span('UDP', start, dataStart, `${ports[0]} → ${ports[1]}`, udp.spans(bytes, start));
  if (dataStart === end) return [layer];
  return [layer, ...(ports.includes(53) ? dissectDns(bytes, dataStart, end) : [rest('data', bytes, dataStart, end)])];
}

function dissectIcmp(bytes: Uint8Array, start: number, end: number): Span[] {
  const type = icmp.f.type.get(bytes, start);
  const code = icmp.f.code.get(bytes, start);
  const dataStart = start + icmp.size;
  const layer = span('ICMP', start, dataStart, icmpName(type, code), icmpLayoutFor(type).spans(bytes, start));
  if (dataStart === end) return [layer];
  if (!isIcmpError(type)) return [layer, rest('data', bytes, dataStart, end)];
  // The datagram that the error is about, as far as it is quoted.
  const quoted = end - dataStart >= ipv4.size ? ipv4.spans(bytes, dataStart) : [];
  const quotedEnd = quoted.at(-1)?.end ?? dataStart;
  const about = span('quoted datagram', dataStart, end, '', [
    ...quoted,
    ...(quotedEnd < end ? [rest('data', bytes, quotedEnd, end)] : []),
  ]);
  return [layer, about];
}

function dissectIcmpv6(bytes: Uint8Array, start: number, end: number): Span[] {
  const type = icmpv6.f.type.get(bytes, start);
  const dataStart = start + icmpv6.size;
  const name = icmpv6Name(type, icmpv6.f.code.get(bytes, start));
  const layer = span('ICMPv6', start, dataStart, name, icmpv6.spans(bytes, start));
  if (dataStart === end) return [layer];
  if (!isIcmpv6Error(type)) return [layer, rest('data', bytes, dataStart, end)];
  // The datagram that the error is about, as far as it is quoted.
  const quoted = end - dataStart >= ipv6.size ? ipv6.spans(bytes, dataStart) : [];
  const quotedEnd = quoted.at(-1)?.end ?? dataStart;
  const left = quotedEnd < end ? [rest('data', bytes, quotedEnd, end)] : [];
  return [layer, span('quoted datagram', dataStart, end, '', [...quoted, ...left])];
}

function dissectDns(bytes: Uint8Array, start: number, end: number): Span[] {
  return recorded('DNS', bytes, start, end, reader => {
    const message = parseDns(reader);
    return `${message.response ? 'response' : 'query'} ${message.questions[0]?.name ?? ''}`;
  });
}

function dnsOverTcp(bytes: Uint8Array, start: number, end: number): Span[] {
  const length = (bytes[start] << 8) | bytes[start + 1];
  const prefix = span('DNS over TCP', start, start + 2, `${length} bytes follow`, []);
  const body =
    start + 2 + length === end ? dissectDns(bytes, start + 2, end) : [rest('part of a message', bytes, start + 2, end)];
  return [prefix, ...body];
}

function dissectHttp(bytes: Uint8Array, start: number, end: number): Span[] {
  const headEnd = findHeadEnd(bytes, start, end);
  const isResponse =
    bytes[start] === 0x48 && bytes[start + 1] === 0x54 && bytes[start + 2] === 0x54 && bytes[start + 3] === 0x50;
  if (headEnd < 0) return [rest('data', bytes, start, end)];
  const reader = new RecordingReader(bytes, start, headEnd);
  if (isResponse) parseResponseHead(reader);
  else parseRequestHead(reader);
  if (!reader.ok) return [rest('data', bytes, start, end)];
  const children = reader.recorded[0]?.children ?? [];
  const head = span('HTTP', start, headEnd, isResponse ? 'response' : 'request', children);
  return headEnd < end ? [head, rest('body', bytes, headEnd, end)] : [head];
}

/** A layer whose parser records itself; what it could not read is shown as such. */
function recorded(
  name: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  parse: (reader: Reader) => string,
): Span[] {
  const reader = new RecordingReader(bytes, start, end);
  const text = parse(reader);
  const spans = [...reader.recorded];
  const stop = spans.at(-1)?.end ?? start;
  if (stop < end) spans.push(rest(reader.failure?.reason ?? 'data', bytes, stop, end));
  return [span(name, start, end, reader.ok ? text : (reader.failure?.reason ?? ''), spans)];
}

function options(bytes: Uint8Array, start: number, end: number, parse: (reader: Reader) => void): Span[] {
  if (start === end) return [];
  const reader = new RecordingReader(bytes, start, end);
  parse(reader);
  const spans = [...reader.recorded];
  const stop = spans.at(-1)?.end ?? start;
  return stop < end ? [...spans, rest('malformed options', bytes, stop, end)] : spans;
}

const span = (name: string, start: number, end: number, value: string, children: readonly Span[]): Span => ({
  name,
  start,
  end,
  value,
  children,
});

function rest(name: string, _bytes: Uint8Array, start: number, end: number): Span {
  return { name, start, end, value: `${end - start} bytes` };
}

const padding = (bytes: Uint8Array, start: number, end: number): Span[] =>
  start < end ? [rest('padding', bytes, start, end)] : [];
