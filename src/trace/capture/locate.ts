/** Where the TCP segment of a captured packet stands: link header, IPv4 or IPv6 with its extensions, and no fragments. */
import { ETHERTYPE } from '../../wire/ethernet.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { NEXT_HEADER } from '../../wire/ipv6.ts';

/** Of the last packet that `locateTcp` said yes to: one object for all of them. */
export class TcpPlace {
  isV6 = false;
  /** Offsets into the packet's bytes. */
  source = 0;
  destination = 0;
  tcp = 0;
  data = 0;
  /** The end of the data as the IP header has it, which may lie beyond what was captured. */
  end = 0;
}

/** tcpdump.org/linktypes.html: those that captures of IP come in. */
const LINK = { null: 0, ethernet: 1, raw: 101, cooked: 113, ipv4: 228, ipv6: 229, cooked2: 276 } as const;
const VLAN = 0x8100;
const PROVIDER_VLAN = 0x88a8;
/** RFC 8200 §4: more of them than any sender has use for. */
const MOST_EXTENSIONS = 8;

export function locateTcp(bytes: Uint8Array, start: number, end: number, linkType: number, place: TcpPlace): boolean {
  const at = networkStart(bytes, start, end, linkType);
  if (at < 0 || at + 20 > end) return false;
  const version = bytes[at] >> 4;
  if (version === 4) return inIpv4(bytes, at, end, place);
  return version === 6 && inIpv6(bytes, at, end, place);
}

/** Where the IP header starts; -1: there is none. */
function networkStart(bytes: Uint8Array, start: number, end: number, linkType: number): number {
  switch (linkType) {
    case LINK.ethernet:
      return behindType(bytes, start + 12, end);
    case LINK.raw:
    case LINK.ipv4:
    case LINK.ipv6:
      return start;
    case LINK.null:
      return start + 4;
    case LINK.cooked:
      return behindType(bytes, start + 14, end);
    case LINK.cooked2:
      return start + 20;
    default:
      return -1;
  }
}

/** Behind an EtherType, and the VLAN tags that may stand in its place (IEEE 802.1Q clause 9). */
function behindType(bytes: Uint8Array, typeAt: number, end: number): number {
  let at = typeAt;
  while (at + 2 <= end) {
    const type = (bytes[at] << 8) | bytes[at + 1];
    if (type === ETHERTYPE.ipv4 || type === ETHERTYPE.ipv6) return at + 2;
    if (type !== VLAN && type !== PROVIDER_VLAN) return -1;
    at += 4;
  }
  return -1;
}

function inIpv4(bytes: Uint8Array, at: number, end: number, place: TcpPlace): boolean {
  if (bytes[at + 9] !== PROTOCOL.tcp) return false;
  // Only a whole datagram, or the first fragment of one, begins with TCP's header.
  if ((((bytes[at + 6] & 0x1f) << 8) | bytes[at + 7]) !== 0) return false;
  const tcp = at + (bytes[at] & 15) * 4;
  // Zero: a frame that was captured before its segmentation was done.
  const length = (bytes[at + 2] << 8) | bytes[at + 3];
  place.isV6 = false;
  place.source = at + 12;
  place.destination = at + 16;
  return inTcp(bytes, tcp, end, length === 0 ? end : at + length, place);
}

function inIpv6(bytes: Uint8Array, at: number, end: number, place: TcpPlace): boolean {
  if (at + 40 > end) return false;
  const length = (bytes[at + 4] << 8) | bytes[at + 5];
  let next = bytes[at + 6];
  let header = at + 40;
  for (let n = 0; next !== PROTOCOL.tcp; n++) {
    const isExtension =
      next === NEXT_HEADER.hopByHop || next === NEXT_HEADER.routing || next === NEXT_HEADER.destinationOptions;
    if (!isExtension || n === MOST_EXTENSIONS || header + 8 > end) return false;
    next = bytes[header];
    header += (bytes[header + 1] + 1) * 8;
  }
  place.isV6 = true;
  place.source = at + 8;
  place.destination = at + 24;
  return inTcp(bytes, header, end, length === 0 ? end : at + 40 + length, place);
}

function inTcp(bytes: Uint8Array, tcp: number, end: number, dataEnd: number, place: TcpPlace): boolean {
  if (tcp + 20 > end) return false;
  const data = tcp + (bytes[tcp + 12] >> 4) * 4;
  if (data < tcp + 20 || data > dataEnd) return false;
  place.tcp = tcp;
  place.data = data;
  place.end = dataEnd;
  return true;
}
