/**
 * A home router's NAT (RFC 3022 with the behaviour of RFC 4787, 5382 and 5508): endpoint-independent mapping, address
 * and port-dependent filtering, ICMP errors translated with the datagram inside them, idle timeouts, bounded.
 *
 * It works on bytes: a header's addresses and ports are replaced and checksums adjusted by RFC 1624, never made anew.
 */
import { adjustChecksum, internetChecksum } from '../base/checksum.ts';
import { type Duration, type Instant, minutes, seconds } from '../base/instant.ts';
import { type PortRange, pickPort } from '../base/ports.ts';
import type { Context } from '../trace/events.ts';
import type { Ipv4Address } from '../wire/address.ts';
import { ICMP, icmp, isIcmpError } from '../wire/icmp.ts';
import { ipv4, ipv4HeaderLength, PROTOCOL } from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet.ts';
import { FIN, RST, tcp } from '../wire/tcp.ts';
import { udp } from '../wire/udp.ts';

export interface NatSettings {
  /** RFC 4787 REQ-5: at least 2 minutes, 5 recommended. */
  udpTimeout: Duration;
  /** RFC 5382 REQ-5: at least 2 h 4 min for an established connection, 4 min else. */
  tcpTimeout: Duration;
  tcpTransitoryTimeout: Duration;
  /** RFC 5508 REQ-2: at least 60 s. */
  icmpTimeout: Duration;
  maxMappings: number;
}

export const NAT_DEFAULTS: NatSettings = {
  udpTimeout: minutes(5),
  tcpTimeout: minutes(124),
  tcpTransitoryTimeout: minutes(4),
  icmpTimeout: seconds(60),
  maxMappings: 16384,
};

/** Outside the range that the router's own sockets take theirs from (RFC 6335 §6: 49152-65535). */
const PORTS: PortRange = { first: 32768, count: 16384 };
/** Remote endpoints remembered for one mapping; the oldest goes first. */
const MAX_PEERS = 4096;

interface Mapping {
  protocol: number;
  insideAddress: Ipv4Address;
  insidePort: number;
  outsidePort: number;
  /** Remote endpoints that the inside host has sent to: the only ones that may answer. */
  peers: Set<number>;
  expires: Instant;
  established: boolean;
  closing: boolean;
}

/** Where a datagram's ports (or its echo identifier) and its checksum are. */
interface Transport {
  protocol: number;
  sourcePortAt: number;
  destinationPortAt: number;
  checksumAt: number;
  /** The checksum covers a pseudo-header, and for UDP may be absent. */
  pseudo: boolean;
}

export class Nat {
  readonly settings: NatSettings;
  private readonly context: Context;
  private readonly outsideName: string;
  private readonly outsideAddress: () => Ipv4Address | undefined;
  private readonly byInside = new Map<string, Mapping>();
  private readonly byOutside = new Map<number, Mapping>();

  constructor(
    context: Context,
    outsideName: string,
    outsideAddress: () => Ipv4Address | undefined,
    settings: Partial<NatSettings> = {},
  ) {
    this.context = context;
    this.outsideName = outsideName;
    this.outsideAddress = outsideAddress;
    this.settings = { ...NAT_DEFAULTS, ...settings };
  }

  /** Live mappings, for a person. */
  list(): readonly Readonly<Mapping>[] {
    const now = this.context.scheduler.now();
    return [...this.byInside.values()].filter(mapping => mapping.expires > now);
  }

  isOutbound(from: string | undefined, to: string): boolean {
    return from !== this.outsideName && to === this.outsideName;
  }

  /** From a host inside to one outside. False: it can't be translated, and must not leave as it is. */
  outbound(packet: Packet): boolean {
    const { bytes, start } = packet;
    const external = this.outsideAddress();
    if (external === undefined) return false;
    if (isErrorMessage(packet)) return this.outboundError(packet, external);
    const where = transportOf(bytes, start, packet.end);
    if (where === undefined) return false;
    const insideAddress = ipv4.f.source.get(bytes, start);
    const insidePort = read16(bytes, where.sourcePortAt);
    const mapping = this.mappingFor(where.protocol, insideAddress, insidePort);
    if (mapping === undefined) return false;
    const remote = ipv4.f.destination.get(bytes, start) * 65536;
    if (mapping.peers.size >= MAX_PEERS) mapping.peers.delete(mapping.peers.values().next().value as number);
    mapping.peers.add(remote + (where.protocol === PROTOCOL.icmp ? 0 : read16(bytes, where.destinationPortAt)));
    this.touch(mapping, bytes, start, true);
    replaceAddress(bytes, start, 'source', external, where);
    replacePort(bytes, where.sourcePortAt, mapping.outsidePort, where);
    return true;
  }

  /** To our outside address. True: translated, to be forwarded; false: it is the router's own. */
  inbound(packet: Packet, interfaceName: string): boolean {
    const { bytes, start } = packet;
    if (ipv4.f.destination.get(bytes, start) !== this.outsideAddress()) return false;
    if (isErrorMessage(packet)) return this.inboundError(packet);
    const where = transportOf(bytes, start, packet.end);
    if (where === undefined) return false;
    const mapping = this.lookup(where.protocol, read16(bytes, where.destinationPortAt));
    if (mapping === undefined) return false;
    // RFC 4787 REQ-9: hairpinning, the inside sender appears with its outside address.
    if (interfaceName !== this.outsideName && interfaceName !== 'lo' && !this.outbound(packet)) return false;
    const remote = ipv4.f.source.get(bytes, start) * 65536;
    const peer = remote + (where.protocol === PROTOCOL.icmp ? 0 : read16(bytes, where.sourcePortAt));
    if (!mapping.peers.has(peer)) {
      this.context.drop('nat', 'nat-filtered');
      return false;
    }
    this.touch(mapping, bytes, start, false);
    replaceAddress(bytes, start, 'destination', mapping.insideAddress, where);
    replacePort(bytes, where.destinationPortAt, mapping.insidePort, where);
    return true;
  }

  /** RFC 5508 §4.2: an error about a datagram that had been translated, brought back to whom it concerns. */
  private inboundError(packet: Packet): boolean {
    const { bytes, start } = packet;
    const inner = innerStart(packet);
    const where = inner === undefined ? undefined : transportOf(bytes, inner, packet.end, true);
    if (inner === undefined || where === undefined) return false;
    const mapping = this.lookup(where.protocol, read16(bytes, where.sourcePortAt));
    if (mapping === undefined) return false;
    replaceQuoted(packet, inner, 'source', mapping.insideAddress, where, mapping.insidePort);
    finishError(packet, 'destination', mapping.insideAddress);
    return ipv4.f.destination.get(bytes, start) === mapping.insideAddress;
  }

  /** RFC 5508 §4.1: an inside host's error about a datagram that had come in. */
  private outboundError(packet: Packet, external: Ipv4Address): boolean {
    const { bytes } = packet;
    const inner = innerStart(packet);
    const where = inner === undefined ? undefined : transportOf(bytes, inner, packet.end, true);
    if (inner === undefined || where === undefined) return false;
    const key = insideKey(where.protocol, ipv4.f.destination.get(bytes, inner), read16(bytes, where.destinationPortAt));
    const mapping = this.byInside.get(key);
    if (mapping === undefined) return false;
    replaceQuoted(packet, inner, 'destination', external, where, mapping.outsidePort);
    finishError(packet, 'source', external);
    return true;
  }

  private lookup(protocol: number, outsidePort: number): Mapping | undefined {
    const mapping = this.byOutside.get(protocol * 65536 + outsidePort);
    if (mapping === undefined) return undefined;
    if (mapping.expires > this.context.scheduler.now()) return mapping;
    this.forget(mapping);
    return undefined;
  }

  private mappingFor(protocol: number, insideAddress: Ipv4Address, insidePort: number): Mapping | undefined {
    const key = insideKey(protocol, insideAddress, insidePort);
    const known = this.byInside.get(key);
    if (known !== undefined && known.expires > this.context.scheduler.now()) return known;
    if (known !== undefined) this.forget(known);
    if (this.byInside.size >= this.settings.maxMappings) this.sweep();
    const outsidePort = this.freePort(protocol);
    if (outsidePort === undefined) return undefined;
    const fresh: Mapping = {
      protocol,
      insideAddress,
      insidePort,
      outsidePort,
      peers: new Set(),
      expires: 0,
      established: false,
      closing: false,
    };
    this.byInside.set(key, fresh);
    this.byOutside.set(protocol * 65536 + outsidePort, fresh);
    return fresh;
  }

  private freePort(protocol: number): number | undefined {
    if (this.byInside.size >= this.settings.maxMappings) return undefined;
    return pickPort(this.context.random, PORTS, port => !this.byOutside.has(protocol * 65536 + port));
  }

  private sweep(): void {
    const now = this.context.scheduler.now();
    for (const mapping of this.byInside.values()) if (mapping.expires <= now) this.forget(mapping);
  }

  private forget(mapping: Mapping): void {
    this.byInside.delete(insideKey(mapping.protocol, mapping.insideAddress, mapping.insidePort));
    this.byOutside.delete(mapping.protocol * 65536 + mapping.outsidePort);
  }

  /** RFC 4787 REQ-6: what goes out refreshes a UDP mapping; TCP's lifetime follows the connection's state. */
  private touch(mapping: Mapping, bytes: Uint8Array, start: number, outbound: boolean): void {
    const { settings } = this;
    const now = this.context.scheduler.now();
    if (mapping.protocol === PROTOCOL.tcp) {
      const flags = bytes[start + ipv4HeaderLength(bytes, start) + 13];
      if (flags & (FIN | RST)) mapping.closing = true;
      else if (!outbound) mapping.established = true;
      const settled = mapping.established && !mapping.closing;
      mapping.expires = now + (settled ? settings.tcpTimeout : settings.tcpTransitoryTimeout);
    } else if (outbound || mapping.expires === 0) {
      mapping.expires = now + (mapping.protocol === PROTOCOL.udp ? settings.udpTimeout : settings.icmpTimeout);
    }
  }
}

const insideKey = (protocol: number, address: Ipv4Address, port: number): string => `${protocol} ${address} ${port}`;

const read16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];

function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** `quoted`: inside an ICMP error, where eight bytes must do. */
function transportOf(bytes: Uint8Array, start: number, end: number, quoted = false): Transport | undefined {
  const protocol = ipv4.f.protocol.get(bytes, start);
  const at = start + ipv4HeaderLength(bytes, start);
  const least = quoted ? 8 : protocol === PROTOCOL.tcp ? tcp.size : 8;
  if (end - at < least) return undefined;
  if (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) {
    const checksumAt = at + (protocol === PROTOCOL.tcp ? tcp.f.checksum.offset : udp.f.checksum.offset);
    return { protocol, sourcePortAt: at, destinationPortAt: at + 2, checksumAt, pseudo: true };
  }
  const isEcho = protocol === PROTOCOL.icmp && (bytes[at] === ICMP.echoRequest || bytes[at] === ICMP.echoReply);
  // RFC 3022 §4.1: the query identifier takes the place of both ports.
  return isEcho
    ? { protocol, sourcePortAt: at + 4, destinationPortAt: at + 4, checksumAt: at + 2, pseudo: false }
    : undefined;
}

function isErrorMessage(packet: Packet): boolean {
  const { bytes, start, end } = packet;
  const at = start + ipv4HeaderLength(bytes, start);
  return ipv4.f.protocol.get(bytes, start) === PROTOCOL.icmp && at < end && isIcmpError(bytes[at]);
}

/** Where the datagram inside an ICMP error begins. */
function innerStart(packet: Packet): number | undefined {
  const { bytes, start, end } = packet;
  const inner = start + ipv4HeaderLength(bytes, start) + icmp.size;
  if (end - inner < ipv4.size) return undefined;
  const length = ipv4HeaderLength(bytes, inner);
  return length >= ipv4.size && inner + length + 8 <= end ? inner : undefined;
}

function adjustAt(bytes: Uint8Array, at: number, before: number, after: number): void {
  write16(bytes, at, adjustChecksum(read16(bytes, at), before, after));
}

function replaceAddress(
  bytes: Uint8Array,
  start: number,
  which: 'source' | 'destination',
  address: Ipv4Address,
  where: Transport | undefined,
): void {
  const before = ipv4.f[which].get(bytes, start);
  ipv4.f[which].set(bytes, start, address);
  const covered = [start + ipv4.f.headerChecksum.offset];
  if (where?.pseudo && !isChecksumAbsent(bytes, where)) covered.push(where.checksumAt);
  for (const at of covered) {
    adjustAt(bytes, at, before >>> 16, address >>> 16);
    adjustAt(bytes, at, before & 0xffff, address & 0xffff);
  }
}

function replacePort(bytes: Uint8Array, at: number, port: number, where: Transport): void {
  const before = read16(bytes, at);
  write16(bytes, at, port);
  if (!isChecksumAbsent(bytes, where)) adjustAt(bytes, where.checksumAt, before, port);
}

/** RFC 768: a UDP checksum of zero says that the sender made none. */
const isChecksumAbsent = (bytes: Uint8Array, where: Transport): boolean =>
  where.protocol === PROTOCOL.udp && read16(bytes, where.checksumAt) === 0;

/** The quoted datagram is shown to its sender as it was sent; its transport's checksum too, where that is quoted. */
function replaceQuoted(
  packet: Packet,
  inner: number,
  which: 'source' | 'destination',
  address: Ipv4Address,
  where: Transport,
  port: number,
): void {
  const { bytes, end } = packet;
  const portAt = which === 'source' ? where.sourcePortAt : where.destinationPortAt;
  if (where.checksumAt + 2 <= end) {
    replaceAddress(bytes, inner, which, address, where);
    replacePort(bytes, portAt, port, where);
  } else {
    replaceAddress(bytes, inner, which, address, undefined);
    write16(bytes, portAt, port);
  }
}

function finishError(packet: Packet, which: 'source' | 'destination', address: Ipv4Address): void {
  const { bytes, start, end } = packet;
  replaceAddress(bytes, start, which, address, undefined);
  const at = start + ipv4HeaderLength(bytes, start);
  icmp.f.checksum.set(bytes, at, 0);
  icmp.f.checksum.set(bytes, at, internetChecksum(bytes, at, end));
}
