/** What transports see of the internet layer. */
import type { Ipv4Address } from '../wire/address.ts';
import type { Packet } from '../wire/packet.ts';

/** A datagram to send. `packet` holds the transport's header and data, with headroom for what goes before them. */
export interface OutgoingDatagram {
  packet: Packet;
  source: Ipv4Address;
  destination: Ipv4Address;
  protocol: number;
  ttl?: number;
  trafficClass?: number;
  /** RFC 791's DF. Default false. */
  dontFragment?: boolean;
  options?: Uint8Array;
  /** Interface by name, for limited broadcast and multicast; else the routes decide. */
  interfaceName?: string;
  /** The sender's datagram may go to a broadcast address (SO_BROADCAST). */
  broadcast?: boolean;
}

/** Why a datagram was not sent. */
export type SendFailure =
  | { reason: 'no-route' }
  | { reason: 'too-big'; mtu: number }
  | { reason: 'broadcast-not-allowed' };

/** A datagram for this host, whole (reassembled). The transport's part is bytes[start, end). */
export interface IncomingDatagram {
  source: Ipv4Address;
  destination: Ipv4Address;
  protocol: number;
  ttl: number;
  trafficClass: number;
  bytes: Uint8Array;
  /** Where the IP header starts: an ICMP error quotes from here. */
  headerStart: number;
  start: number;
  end: number;
  /** It came to a broadcast or multicast address, of IP or of the link. */
  toMany: boolean;
  interfaceName: string;
}

/** An ICMP error about a datagram that this host had sent. */
export interface IncomingError {
  type: number;
  code: number;
  /** Next-hop MTU for "fragmentation needed", else 0. */
  mtu: number;
  /** Who says so. */
  reporter: Ipv4Address;
  /** Of the datagram that it is about. */
  source: Ipv4Address;
  destination: Ipv4Address;
  protocol: number;
  /** The first bytes of the transport's header (at least eight). */
  transport: Uint8Array;
}

export interface ProtocolHandler {
  receive(datagram: IncomingDatagram): void;
  /** True when it concerns something that is still alive and plausibly sent that: then a path MTU in it is believed. */
  error(error: IncomingError): boolean;
}

export interface InternetLayer {
  send(datagram: OutgoingDatagram): SendFailure | undefined;
  /** The address that a datagram to `destination` would carry as its source; undefined without a route. */
  sourceFor(destination: Ipv4Address): Ipv4Address | undefined;
  isLocal(address: Ipv4Address): boolean;
  isBroadcast(address: Ipv4Address): boolean;
  /** Path MTU to a destination, bytes of a whole datagram. */
  mtuFor(destination: Ipv4Address): number;
  register(protocol: number, handler: ProtocolHandler): void;
  /** Answers a datagram for which there is no port. */
  portUnreachable(datagram: IncomingDatagram): void;
  join(group: Ipv4Address, interfaceName?: string): void;
  leave(group: Ipv4Address, interfaceName?: string): void;
}
