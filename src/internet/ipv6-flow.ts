/** Datagrams of one protocol between two addresses of IPv6 (Flow in types.ts). */
import type { Ipv6Address } from '../wire/ip-address.ts';
import { ipv6, prependIpv6 } from '../wire/ipv6.ts';
import { EXACT_HEADROOM, type Packet } from '../wire/packet.ts';
import type { KnownAddress } from './address-book.ts';
import type { Ipv6Interface } from './ipv6-interface.ts';
import type { Neighbour } from './neighbours.ts';
import type { PathMtu } from './path-mtu.ts';
import type { Offloading } from './paths.ts';
import type { Route } from './routes.ts';
import type { Flow, OutgoingDatagram, SendFailure } from './types.ts';

export type Ipv6Route = Route<Ipv6Address, Ipv6Interface>;

export interface Ipv6Path {
  destination: KnownAddress;
  /** To ourselves. */
  isLocal: boolean;
  route: Ipv6Route | undefined;
  /** The link on the way, by what it takes over; to ourselves it is all of it. */
  link: Offloading;
}

export interface Ipv6FlowOwner {
  readonly routes: { readonly version: number };
  readonly pathMtu: PathMtu<Ipv6Address>;
  pathTo(destination: Ipv6Address): Ipv6Path;
  send(datagram: OutgoingDatagram<Ipv6Address>): SendFailure | undefined;
}

export class Ipv6Flow implements Flow {
  readonly headroom = EXACT_HEADROOM.ipv6;
  readonly source: Ipv6Address;
  readonly protocol: number;
  readonly addressesSum: number;
  private readonly owner: Ipv6FlowOwner;
  private readonly from: KnownAddress;
  private readonly header: { nextHeader: number; hopLimit: number; trafficClass: number; flowLabel: number };
  /** Good for this version of the routes. */
  private path: Ipv6Path;
  private version: number;
  /** Who took the last one. */
  private neighbour: Neighbour | undefined = undefined;

  constructor(owner: Ipv6FlowOwner, from: KnownAddress, destination: Ipv6Address, protocol: number) {
    this.owner = owner;
    this.source = from.text;
    this.from = from;
    this.protocol = protocol;
    this.header = { nextHeader: protocol, hopLimit: 0, trafficClass: 0, flowLabel: 0 };
    this.path = owner.pathTo(destination);
    this.version = owner.routes.version;
    this.addressesSum = from.sum + this.path.destination.sum;
  }

  get offloads(): boolean {
    return this.pathNow().link.offloads ?? false;
  }

  get refuses(): boolean {
    return this.pathNow().route?.interface.own.link.refuses ?? false;
  }

  send(packet: Packet, trafficClass: number, ttl: number | undefined, dontFragment: boolean): SendFailure | undefined {
    const { header, protocol } = this;
    const { destination, route, isLocal } = this.pathNow();
    const isUsual = route !== undefined && !isLocal && !destination.isMulticast && packet.length + ipv6.size <= 65535;
    if (!isUsual || (packet.unit === 0 && packet.length + ipv6.size > this.mtuOf(route))) {
      const { source } = this;
      return this.owner.send({
        packet,
        source,
        destination: destination.text,
        protocol,
        trafficClass,
        ttl,
        dontFragment,
      });
    }
    const out = route.interface;
    header.trafficClass = trafficClass;
    header.hopLimit = ttl ?? out.hopLimit;
    prependIpv6(packet, header, this.from.words, destination.words);
    this.neighbour = out.sendTo(packet, route.via ?? destination.text, this.neighbour);
    return undefined;
  }

  private mtuOf(route: Ipv6Route): number {
    return this.owner.pathMtu.get(this.path.destination.text, route.interface.mtu);
  }

  private pathNow(): Ipv6Path {
    if (this.version !== this.owner.routes.version) this.findPath();
    return this.path;
  }

  private findPath(): void {
    this.path = this.owner.pathTo(this.path.destination.text);
    this.version = this.owner.routes.version;
    this.neighbour = undefined;
  }
}
