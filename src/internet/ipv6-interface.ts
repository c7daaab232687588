/** An interface as IPv6 sees it: its addresses, its neighbours and routers, its groups. */

import type { Context } from '../trace/events.ts';
import { formatMac, type MacAddress } from '../wire/address.ts';
import { ALL_ROUTERS, type Ipv6Prefix } from '../wire/address6.ts';
import { ETHERTYPE } from '../wire/ethernet.ts';
import { encodeIcmpv6, ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { addressWords, type Ipv6Address, ipv6At, isLinkLocal } from '../wire/ip-address.ts';
import { NEXT_HEADER, prependIpv6 } from '../wire/ipv6.ts';
import { macIn, NDP_OPTION, ndpOptions } from '../wire/ndp.ts';
import type { Packet } from '../wire/packet.ts';
import { Autoconfiguration, always } from './autoconfiguration.ts';
import type { NetworkInterface } from './interface.ts';
import { MulticastListener } from './multicast-listener.ts';
import type { NdpPort, OwnAddress } from './ndp-port.ts';
import { type Neighbour, Neighbours } from './neighbours.ts';
import { RouterAdvertiser } from './router-advertiser.ts';
import type { IncomingDatagram } from './types.ts';

/** RFC 4861 §7.1: no router has forwarded it. */
const FROM_THIS_LINK = 255;
const DEFAULT_HOP_LIMIT = 64;
/** RFC 3810 §5.2.14, §5: reports go to all MLDv2-capable routers, no further than the link, with a router alert. */
const MLD_ROUTERS: Ipv6Address = 'ff02::16';
const ROUTER_ALERT = Uint8Array.of(NEXT_HEADER.icmpv6, 0, 5, 2, 0, 0, 1, 0);

/** The layer that it belongs to. */
export interface Ipv6Owner {
  readonly forwarding: boolean;
  assigned(to: Ipv6Interface, address: OwnAddress): void;
  withdrawn(from: Ipv6Interface, address: OwnAddress): void;
  addRoute(prefix: Ipv6Prefix, via: Ipv6Address | undefined, out: Ipv6Interface): void;
  removeRoute(prefix: Ipv6Prefix, via: Ipv6Address | undefined): void;
  firstHop(destination: Ipv6Address): Ipv6Address | undefined;
  unresolved(packet: Packet): void;
  /** Somebody else has an address that was to be ours, and is not any more. */
  duplicate(address: Ipv6Address): void;
}

export class Ipv6Interface implements NdpPort {
  readonly name: string;
  readonly own: NetworkInterface;
  readonly addresses: OwnAddress[] = [];
  readonly neighbours: Neighbours;
  readonly autoconfiguration: Autoconfiguration;
  linkLocal: Ipv6Address | undefined = undefined;
  private readonly context: Context;
  private readonly owner: Ipv6Owner;
  private readonly groups: MulticastListener;
  private readonly advertiser: RouterAdvertiser;
  /** Below Ethernet there are stations to be found; a link without has two ends. */
  private readonly hasStations: boolean;

  constructor(context: Context, owner: Ipv6Owner, own: NetworkInterface) {
    this.context = context;
    this.owner = owner;
    this.own = own;
    this.name = own.name;
    this.hasStations = own.link.medium === 'ethernet';
    const { scheduler } = context;
    const random = context.random.fork(`ndp ${own.name}`);
    this.neighbours = new Neighbours(scheduler, this, () => random.fork('reachable'));
    this.autoconfiguration = new Autoconfiguration(scheduler, this, this.neighbours, random);
    this.advertiser = new RouterAdvertiser(scheduler, this, this.neighbours, random);
    this.groups = new MulticastListener(scheduler, random, message => this.report(message));
  }

  start(): void {
    if (!this.hasStations) return;
    this.autoconfiguration.start(() => {
      if (this.isRouter) this.advertiser.announce();
    });
  }

  /** An address that a person has given: used at once, and tested for a double meanwhile. */
  give(prefix: Ipv6Prefix): void {
    if (this.has(prefix.address)) return;
    const address = { ...prefix, ...always };
    this.assign(address);
    if (this.hasStations) this.autoconfiguration.test(address);
  }

  /** What it takes at once, or what the routers of the link say that all of its stations take. */
  get mtu(): number {
    return this.autoconfiguration.mtu || this.own.mtu;
  }

  get hopLimit(): number {
    return this.autoconfiguration.hopLimit || DEFAULT_HOP_LIMIT;
  }

  isMember(group: Ipv6Address): boolean {
    return this.groups.has(group) || (group === ALL_ROUTERS && this.isRouter);
  }

  // --- what arrives

  /** What is said on this link alone. */
  told(message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    if (message.type === ICMPV6.listenerQuery) this.queried(message, datagram);
    else this.discovered(message, datagram);
  }

  private discovered(message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    if (datagram.ttl !== FROM_THIS_LINK || message.code !== 0) return this.drop('ndp-not-on-link');
    switch (message.type) {
      case ICMPV6.neighbourSolicitation:
        return this.solicited(message, datagram);
      case ICMPV6.neighbourAdvertisement:
        return this.advertised(message, datagram.toMany);
      case ICMPV6.routerSolicitation:
        return this.advertiser.solicited(message, datagram.source);
      case ICMPV6.routerAdvertisement:
        return this.autoconfiguration.routerAdvertised(message, datagram.source);
      default: {
        const isInUse = (router: Ipv6Address, to: Ipv6Address): boolean => this.owner.firstHop(to) === router;
        return this.autoconfiguration.redirected(message, datagram.source, isInUse);
      }
    }
  }

  /** RFC 3810 §6.2: from the link, with a hop limit of 1. */
  private queried(message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    if (datagram.ttl !== 1 || !isLinkLocal(datagram.source)) return this.drop('mld-not-on-link');
    this.groups.queried(message);
  }

  /** RFC 4862 §5.4.3: while an address is tested, a question from nobody means that somebody else tests it as well. */
  private solicited(message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    const target = message.body.length < 16 ? '::' : ipv6At(message.body, 0);
    if (!this.autoconfiguration.isTested(target)) return this.neighbours.solicited(message, datagram);
    if (datagram.source === '::') this.autoconfiguration.conflict(target);
    else if (this.has(target)) this.neighbours.solicited(message, datagram);
  }

  private advertised(message: Icmpv6Message, toMany: boolean): void {
    const { body } = message;
    const target = body.length < 16 ? '::' : ipv6At(body, 0);
    if (this.autoconfiguration.isTested(target)) {
      const mac = macIn(ndpOptions(body, 16) ?? [], NDP_OPTION.target);
      return this.autoconfiguration.conflict(target, mac);
    }
    if (this.has(target)) return this.note('conflict', target);
    this.neighbours.advertised(message, toMany);
  }

  /** RFC 4861 §8.2: the sender of a packet could have reached its next hop itself. */
  redirect(message: Icmpv6Message, to: Ipv6Address): void {
    if (this.linkLocal !== undefined) this.message(message, to);
  }

  // --- for the parts

  get mac(): MacAddress {
    return this.own.mac;
  }

  get isRouter(): boolean {
    return this.owner.forwarding;
  }

  has(address: Ipv6Address): boolean {
    return this.addresses.some(own => own.address === address);
  }

  assign(address: OwnAddress): void {
    this.addresses.push(address);
    if (isLinkLocal(address.address)) this.linkLocal ??= address.address;
    this.owner.assigned(this, address);
    // RFC 4861 §6.2.4: what it advertises has changed.
    if (this.isRouter && this.linkLocal !== undefined) this.advertiser.announce();
  }

  withdraw(address: Ipv6Address): void {
    const at = this.addresses.findIndex(own => own.address === address);
    const [gone] = this.addresses.splice(at, 1);
    if (this.linkLocal === address) this.linkLocal = undefined;
    this.owner.withdrawn(this, gone);
    this.owner.duplicate(address);
  }

  join(group: Ipv6Address): void {
    this.groups.join(group);
  }

  leave(group: Ipv6Address): void {
    this.groups.leave(group);
  }

  message(message: Icmpv6Message, destination: Ipv6Address, source = this.linkLocal ?? '::', to?: MacAddress): void {
    const packet = encodeIcmpv6(message, source, destination);
    const header = { nextHeader: NEXT_HEADER.icmpv6, hopLimit: FROM_THIS_LINK, trafficClass: 0, flowLabel: 0 };
    prependIpv6(packet, header, addressWords(source), addressWords(destination));
    if (to === undefined) this.neighbours.send(packet, destination);
    else this.transmit(packet, to);
  }

  private report(message: Icmpv6Message): void {
    if (!this.hasStations) return;
    const source = this.linkLocal ?? '::';
    const packet = encodeIcmpv6(message, source, MLD_ROUTERS);
    packet.bytes.set(ROUTER_ALERT, packet.prepend(ROUTER_ALERT.length));
    const header = { nextHeader: NEXT_HEADER.hopByHop, hopLimit: 1, trafficClass: 0, flowLabel: 0 };
    prependIpv6(packet, header, addressWords(source), addressWords(MLD_ROUTERS));
    this.neighbours.send(packet, MLD_ROUTERS);
  }

  /** `packet` starts with its IPv6 header; answers who took it, for the next time (`last`). */
  sendTo(packet: Packet, nextHop: Ipv6Address, last?: Neighbour): Neighbour | undefined {
    const { own } = this;
    if (own.up && this.hasStations) return this.neighbours.send(packet, nextHop, last);
    if (own.up) own.hand(packet);
    else this.context.drop('link', 'interface-down');
    return undefined;
  }

  transmit(packet: Packet, to: MacAddress): void {
    if (this.own.up) this.own.transmit(packet, to, ETHERTYPE.ipv6);
    else this.context.drop('link', 'interface-down');
  }

  unresolved(packet: Packet): void {
    this.owner.unresolved(packet);
  }

  addRoute(prefix: Ipv6Prefix, via?: Ipv6Address): void {
    this.owner.addRoute(prefix, via, this);
  }

  removeRoute(prefix: Ipv6Prefix, via?: Ipv6Address): void {
    this.owner.removeRoute(prefix, via);
  }

  routerChanged(address: Ipv6Address, what: 'gone' | 'silent' | 'used'): void {
    this.autoconfiguration.routerChanged(address, what);
  }

  note(action: 'who-has' | 'learned' | 'failed' | 'conflict', address: Ipv6Address, mac?: MacAddress): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const event = { kind: 'arp', time: scheduler.now(), host, action, address } as const;
    trace(mac === undefined ? event : { ...event, mac: formatMac(mac) });
  }

  drop(reason: string): void {
    this.context.drop('ipv6', reason);
  }
}
