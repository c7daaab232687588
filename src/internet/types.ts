/**
 * What transports see of the internet layer. `A` is the kind of address: a layer of one version speaks its own, the two
 * together (dual-stack.ts) either.
 */
import type { IpAddress } from '../wire/ip-address.ts';
import type { Packet } from '../wire/packet.ts';

/** A datagram to send. `packet` holds the transport's header and data, with headroom for what goes before them. */
export interface OutgoingDatagram<A = IpAddress> {
  packet: Packet;
  source: A;
  destination: A;
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

/** A datagram for this host, whole (reassembled). The transport's part is [start, end) of the packet's memory. */
export interface IncomingDatagram<A = IpAddress> {
  source: A;
  destination: A;
  protocol: number;
  ttl: number;
  trafficClass: number;
  packet: Packet;
  /** The packet's memory. */
  bytes: Uint8Array;
  /** Where the IP header starts: an ICMP error quotes from here. */
  headerStart: number;
  start: number;
  end: number;
  /** It came to a broadcast or multicast address, of IP or of the link. */
  toMany: boolean;
  interfaceName: string;
}

/** What an error says, whichever version's numbers it came with. */
export type ErrorMeaning = 'network' | 'host' | 'protocol' | 'port' | 'prohibited' | 'too-big' | 'time' | 'other';

/** An ICMP error about a datagram that this host had sent. */
export interface IncomingError<A = IpAddress> {
  type: number;
  code: number;
  meaning: ErrorMeaning;
  /** 'host unreachable', for people. */
  name: string;
  /** Next-hop MTU for "fragmentation needed", else 0. */
  mtu: number;
  /** Who says so. */
  reporter: A;
  /** Of the datagram that it is about. */
  source: A;
  destination: A;
  protocol: number;
  /** The first bytes of the transport's header (at least eight). */
  transport: Uint8Array;
}

export interface ProtocolHandler<A = IpAddress> {
  receive(datagram: IncomingDatagram<A>): void;
  /** Several datagrams come at once: told before the first (true) and behind the last (false). */
  batch?(begins: boolean): void;
  /** True when it concerns something that is still alive and plausibly sent that: then a path MTU in it is believed. */
  error(error: IncomingError<A>): boolean;
}

/**
 * Datagrams of one protocol from one address to another, as a connection sends them: what is the same for all is found
 * out once, and again when routes or neighbours have changed.
 */
export interface Flow {
  /** Room for all headers in front of the transport's. */
  readonly headroom: number;
  /** The sum of the words of both addresses: their share of a pseudo-header's checksum. */
  readonly addressesSum: number;
  /** What goes there may be given down with a unit. */
  readonly offloads: boolean;
  /** The link there takes nothing now. */
  readonly refuses: boolean;
  /** `packet` starts with the transport's header. `ttl` undefined: what is usual. */
  send(packet: Packet, trafficClass: number, ttl: number | undefined, dontFragment: boolean): SendFailure | undefined;
}

export interface InternetLayer<A = IpAddress> {
  flow(source: A, destination: A, protocol: number): Flow;
  send(datagram: OutgoingDatagram<A>): SendFailure | undefined;
  /** The address that a datagram to `destination` would carry as its source; undefined without a route. */
  sourceFor(destination: A): A | undefined;
  /** The sum of the words of both: their share of a pseudo-header's checksum. */
  addressesSum(source: A, destination: A): number;
  isLocal(address: A): boolean;
  isBroadcast(address: A): boolean;
  /** Path MTU to a destination, bytes of a whole datagram. */
  mtuFor(destination: A): number;
  /** That of the link on the way there, whatever is known of the path behind it. */
  linkMtuFor(destination: A): number;
  register(protocol: number, handler: ProtocolHandler<A>): void;
  /** Answers a datagram for which there is no port. */
  portUnreachable(datagram: IncomingDatagram<A>): void;
  join(group: A, interfaceName?: string): void;
  leave(group: A, interfaceName?: string): void;
}
