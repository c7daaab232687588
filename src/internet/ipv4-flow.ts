/** Datagrams of one protocol between two addresses of IPv4 (Flow in types.ts). */
import type { Ipv4Address } from '../wire/address.ts';
import { addressSum } from '../wire/ip-address.ts';
import { type Ipv4Header, ipv4, newIpv4Header, prependIpv4 } from '../wire/ipv4.ts';
import { EXACT_HEADROOM, type Packet } from '../wire/packet.ts';
import type { Station } from './arp.ts';
import type { NetworkInterface } from './interface.ts';
import type { PathMtu } from './path-mtu.ts';
import type { Offloading } from './paths.ts';
import type { Route } from './routes.ts';
import type { Flow, OutgoingDatagram, SendFailure } from './types.ts';

export type Ipv4Route = Route<Ipv4Address, NetworkInterface>;

export interface Ipv4Path {
  /** To ourselves. */
  isLocal: boolean;
  route: Ipv4Route | undefined;
  /** The link on the way, by what it takes over; to ourselves it is all of it. */
  link: Offloading;
  /** To one station: neither a group's address nor that of all stations of a network. */
  isUnicast: boolean;
}

export interface Ipv4FlowOwner {
  readonly routes: { readonly version: number };
  readonly pathMtu: PathMtu<Ipv4Address>;
  pathTo(destination: Ipv4Address): Ipv4Path;
  /** The identification of what is sent as this packet; of several pieces, the first's. */
  identify(packet: Packet): number;
  send(datagram: OutgoingDatagram<Ipv4Address>): SendFailure | undefined;
}

export class Ipv4Flow implements Flow {
  readonly headroom = EXACT_HEADROOM.ipv4;
  readonly source: Ipv4Address;
  readonly protocol: number;
  readonly addressesSum: number;
  private readonly owner: Ipv4FlowOwner;
  private readonly header: Ipv4Header;
  /** Good for this version of the routes. */
  private path: Ipv4Path;
  private version: number;
  /** Who took the last one. */
  private station: Station | undefined = undefined;

  constructor(owner: Ipv4FlowOwner, source: Ipv4Address, destination: Ipv4Address, protocol: number) {
    this.owner = owner;
    this.source = source;
    this.protocol = protocol;
    this.addressesSum = addressSum(source) + addressSum(destination);
    this.header = newIpv4Header(source, destination, protocol);
    this.path = owner.pathTo(destination);
    this.version = owner.routes.version;
  }

  get offloads(): boolean {
    return this.pathNow().link.offloads ?? false;
  }

  get refuses(): boolean {
    return this.pathNow().route?.interface.link.refuses ?? false;
  }

  send(packet: Packet, trafficClass: number, ttl: number | undefined, dontFragment: boolean): SendFailure | undefined {
    const { owner, header } = this;
    const { route, isUnicast, isLocal } = this.pathNow();
    const length = packet.length + ipv4.size;
    const isUsual = route !== undefined && isUnicast && !isLocal && ttl !== undefined && length <= 65535;
    if (!isUsual || (packet.unit === 0 && length > this.mtuOf(route))) {
      const { source, destination, protocol } = header;
      return owner.send({ packet, source, destination, protocol, trafficClass, ttl, dontFragment });
    }
    header.trafficClass = trafficClass;
    header.ttl = ttl;
    header.dontFragment = dontFragment;
    header.identification = owner.identify(packet);
    prependIpv4(packet, header);
    this.station = route.interface.sendTo(packet, route.via ?? header.destination, this.station);
    return undefined;
  }

  private mtuOf(route: Ipv4Route): number {
    return this.owner.pathMtu.get(this.header.destination, route.interface.mtu);
  }

  private pathNow(): Ipv4Path {
    if (this.version !== this.owner.routes.version) this.findPath();
    return this.path;
  }

  private findPath(): void {
    this.path = this.owner.pathTo(this.header.destination);
    this.version = this.owner.routes.version;
    this.station = undefined;
  }
}
