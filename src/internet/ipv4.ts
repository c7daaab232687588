/**
 * The IPv4 layer of a host or router: what arrives is checked, delivered or forwarded; what leaves is routed, cut to
 * size and given to an interface (RFC 791, RFC 1122 §3, RFC 1812 §5).
 */

import type { Link } from '../link/types.ts';
import type { Context } from '../trace/events.ts';
import {
  broadcastOf,
  IPV4_BROADCAST,
  IPV4_LOCALHOST,
  type Ipv4Address,
  inPrefix,
  isLoopback,
  isMulticast,
  type MacAddress,
  networkOf,
  type Prefix,
} from '../wire/address.ts';
import { ICMP, TIME_EXCEEDED, UNREACHABLE } from '../wire/icmp.ts';
import { addressSum } from '../wire/ip-address.ts';
import {
  decrementTtl,
  faultOfIpv4,
  ipv4,
  ipv4HeaderLength,
  isFragment,
  newIpv4Header,
  prependIpv4,
} from '../wire/ipv4.ts';
import { EXACT_HEADROOM, Packet } from '../wire/packet.ts';
import { AddressSet } from './address-set.ts';
import type { ArpSettings } from './arp.ts';
import { Flows } from './flows.ts';
import { fragment, MOST_DATA, reassemble } from './fragments.ts';
import { type IcmpHost, IcmpLayer } from './icmp.ts';
import { type InterfaceOwner, NetworkInterface } from './interface.ts';
import { dealWithOptions } from './ip-options.ts';
import { Ipv4Flow, type Ipv4FlowOwner, type Ipv4Path, type Ipv4Route } from './ipv4-flow.ts';
import type { Nat } from './nat.ts';
import { PathMtu } from './path-mtu.ts';
import { NOWHERE, Paths, TO_OURSELVES } from './paths.ts';
import { Reassembler } from './reassembly.ts';
import { RoutingTable } from './routes.ts';
import type { IncomingDatagram, OutgoingDatagram, ProtocolHandler, SendFailure } from './types.ts';

const NO_OPTIONS = new Uint8Array(0);
const DEFAULT_TTL = 64;
/** Host routes learned from redirects; the oldest goes first. */
const MAX_REDIRECTS = 256;

export class Ipv4Layer implements IcmpHost, InterfaceOwner, Ipv4FlowOwner {
  readonly interfaces: NetworkInterface[] = [];
  readonly routes = new RoutingTable<Ipv4Address, NetworkInterface>(networkOf);
  private readonly paths = new Paths<Ipv4Address, Ipv4Path>(this.routes, destination => this.findPath(destination));
  private readonly flows = new Flows<Ipv4Address, Ipv4Flow>(
    (from, to, protocol) => new Ipv4Flow(this, from, to, protocol),
  );
  readonly pathMtu: PathMtu<Ipv4Address>;
  readonly icmp: IcmpLayer;
  readonly reassembler: Reassembler;
  /** A router forwards what is not for it (RFC 1122 §3.3.1: a host does not). */
  forwarding = false;
  nat: Nat | undefined = undefined;
  private readonly context: Context;
  private readonly handlers = new Map<number, ProtocolHandler<Ipv4Address>>();
  /** Those who want to know of batches: asked twice for every frame. */
  private batched: readonly ProtocolHandler<Ipv4Address>[] = [];
  /** Of all interfaces: our addresses, and what is for all stations of a network. */
  private readonly own = new AddressSet();
  private readonly broadcasts = new AddressSet(IPV4_BROADCAST);
  /** Of the datagram that came last, if it was for us alone: nearly always the next has the same, and passes as it did. */
  private lastSource: Ipv4Address | undefined = undefined;
  private lastDestination: Ipv4Address | undefined = undefined;
  private lastFrom: NetworkInterface | undefined = undefined;
  private readonly redirects = new Set<Ipv4Address>();
  private nextIdentification: number;
  /** Of the datagram being sent: the same object each time. */
  private readonly header = newIpv4Header(0, 0, 0);

  constructor(context: Context) {
    this.context = context;
    this.pathMtu = new PathMtu(context.scheduler);
    this.nextIdentification = context.random.fork('ip identification').below(65536);
    this.reassembler = new Reassembler(context, 'ipv4', MOST_DATA, first => this.reassemblyExpired(first));
    this.icmp = new IcmpLayer(context, this);
  }

  addInterface(
    name: string,
    mac: MacAddress,
    link: Link,
    address?: Prefix,
    arp?: Partial<ArpSettings>,
  ): NetworkInterface {
    const added = new NetworkInterface(this.context, this, name, mac, link, arp);
    this.interfaces.push(added);
    if (address !== undefined) this.addAddress(added, address);
    return added;
  }

  addAddress(to: NetworkInterface, address: Prefix): void {
    to.addAddress(address);
    this.own.add(address.address);
    const broadcast = broadcastOf(address);
    if (broadcast !== undefined) this.broadcasts.add(broadcast);
    this.lastFrom = undefined;
    this.routes.add({ prefix: address, interface: to });
  }

  register(protocol: number, handler: ProtocolHandler<Ipv4Address>): void {
    this.handlers.set(protocol, handler);
    this.batched = [...this.handlers.values()].filter(known => known.batch !== undefined);
  }

  handlerFor(protocol: number): ProtocolHandler<Ipv4Address> | undefined {
    return this.handlers.get(protocol);
  }

  flow(source: Ipv4Address, destination: Ipv4Address, protocol: number): Ipv4Flow {
    return this.flows.between(source, destination, protocol);
  }

  pathTo(destination: Ipv4Address): Ipv4Path {
    return this.paths.to(destination);
  }

  isLocal(address: Ipv4Address): boolean {
    return this.own.has(address) || isLoopback(address);
  }

  isBroadcast(address: Ipv4Address): boolean {
    return this.broadcasts.has(address);
  }

  sourceFor(destination: Ipv4Address): Ipv4Address | undefined {
    if (isLoopback(destination)) return IPV4_LOCALHOST;
    if (this.isLocal(destination)) return destination;
    const route = this.routeTo(destination);
    return route === undefined ? undefined : route.interface.senderFor(route.via ?? destination);
  }

  addressesSum(source: Ipv4Address, destination: Ipv4Address): number {
    return addressSum(source) + addressSum(destination);
  }

  mtuFor(destination: Ipv4Address): number {
    const { isLocal, route } = this.paths.to(destination);
    return isLocal ? 65535 : this.pathMtu.get(destination, route?.interface.mtu ?? 1500);
  }

  linkMtuFor(destination: Ipv4Address): number {
    const { isLocal, route } = this.paths.to(destination);
    return isLocal ? 65535 : (route?.interface.mtu ?? 1500);
  }

  join(group: Ipv4Address, interfaceName?: string): void {
    for (const own of this.named(interfaceName)) own.join(group);
  }

  leave(group: Ipv4Address, interfaceName?: string): void {
    for (const own of this.named(interfaceName)) own.leave(group);
  }

  portUnreachable(datagram: IncomingDatagram<Ipv4Address>): void {
    const { bytes, headerStart, end, toMany } = datagram;
    this.icmp.sendError(ICMP.unreachable, UNREACHABLE.port, 0, bytes, headerStart, end, toMany);
  }

  learnPathMtu(destination: Ipv4Address, mtu: number): void {
    this.pathMtu.learn(destination, mtu);
  }

  /** RFC 1122 §3.2.2.2: believed only from the router in use, and only towards a router on our own network. */
  redirected(destination: Ipv4Address, gateway: Ipv4Address, reporter: Ipv4Address): void {
    const route = this.routes.lookup(destination);
    const onLink = route?.interface.addresses.some(own => inPrefix(gateway, own)) ?? false;
    if (this.forwarding || route?.via !== reporter || !onLink || this.isLocal(gateway)) {
      return this.context.drop('icmp', 'redirect-not-believed');
    }
    if (this.redirects.size >= MAX_REDIRECTS) {
      const oldest = this.redirects.values().next().value as Ipv4Address;
      this.redirects.delete(oldest);
      this.routes.remove({ address: oldest, length: 32 });
    }
    this.redirects.add(destination);
    this.routes.remove({ address: destination, length: 32 });
    this.routes.add({ prefix: { address: destination, length: 32 }, via: gateway, interface: route.interface });
  }

  // --- down

  send(datagram: OutgoingDatagram<Ipv4Address>): SendFailure | undefined {
    const { packet, source, destination, dontFragment = false } = datagram;
    const { header } = this;
    header.source = source;
    header.destination = destination;
    header.protocol = datagram.protocol;
    header.ttl = datagram.ttl ?? (isMulticast(destination) ? 1 : DEFAULT_TTL); // RFC 1112 §6.1: multicast defaults to 1
    header.trafficClass = datagram.trafficClass ?? 0;
    header.identification = this.identify(packet);
    header.dontFragment = dontFragment;
    header.options = datagram.options ?? NO_OPTIONS;
    const path = this.paths.to(destination);
    if (path.isLocal) {
      prependIpv4(packet, header);
      this.loopBack(packet);
      return undefined;
    }
    const isUnicast = path.isUnicast && datagram.interfaceName === undefined;
    const route = isUnicast ? path.route : this.routeTo(destination, datagram.interfaceName);
    if (route === undefined) return { reason: 'no-route' };
    const isBroadcast = !isUnicast && route.interface.isBroadcast(destination);
    if (isBroadcast && !datagram.broadcast) return { reason: 'broadcast-not-allowed' };
    const mtu = this.pathMtu.get(destination, route.interface.mtu);
    if (packet.length + ipv4.size + header.options.length > 65535) return { reason: 'too-big', mtu: 65535 };
    prependIpv4(packet, header);
    if (packet.length > mtu && dontFragment && packet.unit === 0) return { reason: 'too-big', mtu };
    if (isBroadcast || (!isUnicast && isMulticast(destination) && route.interface.inGroup(destination))) {
      // RFC 1112 §6.1: a sender that is a member gets a copy itself; so it is with broadcasts.
      this.loopBack(Packet.of(packet.view(), 0));
    }
    this.sendOn(packet, route, destination, mtu, isUnicast);
    return undefined;
  }

  identify(packet: Packet): number {
    const first = this.nextIdentification;
    const pieces = packet.unit === 0 ? 1 : Math.ceil(packet.length / packet.unit);
    this.nextIdentification = (first + pieces) & 0xffff;
    return first;
  }

  private sendOn(packet: Packet, route: Ipv4Route, destination: Ipv4Address, mtu: number, isUnicast: boolean): void {
    const nextHop = route.via ?? destination;
    if (packet.length <= mtu || packet.unit > 0) return route.interface.sendIpv4(packet, nextHop, isUnicast);
    for (const piece of fragment(packet, mtu)) route.interface.sendIpv4(piece, nextHop, isUnicast);
  }

  /** Local datagrams take a turn of the scheduler, so that a sender never finds itself inside its own receiver. */
  private loopBack(packet: Packet): void {
    const { scheduler } = this.context;
    scheduler.at(scheduler.now(), () => this.deliver(packet, 'lo', false));
  }

  private routeTo(destination: Ipv4Address, interfaceName?: string): Ipv4Route | undefined {
    const bound = interfaceName === undefined ? undefined : this.named(interfaceName)[0];
    if (isMulticast(destination) || destination === 0xffff_ffff || bound !== undefined) {
      const out = bound ?? this.routes.lookup(destination)?.interface ?? this.interfaces[0];
      const route = this.routes.lookup(destination);
      if (route?.interface === out && !isMulticast(destination) && destination !== 0xffff_ffff) return route;
      return out === undefined
        ? undefined
        : { prefix: { address: destination, length: 32 }, interface: out, metric: 0 };
    }
    return this.routes.lookup(destination);
  }

  private findPath(destination: Ipv4Address): Ipv4Path {
    const route = this.routes.lookup(destination);
    const toMany = (address: Ipv4Address): boolean =>
      isMulticast(address) || address === IPV4_BROADCAST || (route?.interface.isBroadcast(address) ?? false);
    const isUnicast = !toMany(destination) && !toMany(route?.via ?? destination);
    const isLocal = this.isLocal(destination);
    return { isLocal, route, isUnicast, link: isLocal ? TO_OURSELVES : (route?.interface.link ?? NOWHERE) };
  }

  private named(interfaceName?: string): NetworkInterface[] {
    return interfaceName === undefined ? this.interfaces : this.interfaces.filter(own => own.name === interfaceName);
  }

  /** ARP found nobody: RFC 1812 §5.2.7.1 "host unreachable", to a sender of ours or of somebody else. */
  unresolved(_from: NetworkInterface, packet: Packet): void {
    this.context.drop('ipv4', 'host-unreachable');
    this.icmp.sendError(ICMP.unreachable, UNREACHABLE.host, 0, packet.bytes, packet.start, packet.end);
  }

  // --- up

  ipv4Arrives(from: NetworkInterface, packet: Packet, linkToMany: boolean): void {
    const { bytes, start } = packet;
    const fault = faultOfIpv4(packet.memory, start, packet.end);
    if (fault !== undefined) return this.context.drop('ipv4', fault);
    packet.end = start + ipv4.f.totalLength.get(bytes, start); // what follows is the padding of a short frame
    const source = ipv4.f.source.get(bytes, start);
    const destination = ipv4.f.destination.get(bytes, start);
    const isAlike = source === this.lastSource && destination === this.lastDestination && from === this.lastFrom;
    if (isAlike && !linkToMany && ipv4HeaderLength(bytes, start) === ipv4.size) {
      return this.deliver(packet, from.name, false);
    }
    if (this.isMartian(source)) return this.context.drop('ipv4', 'martian-source');
    if (isLoopback(destination)) return this.context.drop('ipv4', 'martian-destination');
    const toMany = isMulticast(destination) || from.isBroadcast(destination);
    // RFC 1122 §3.3.6: a datagram in a link-layer broadcast that is none itself is silently discarded.
    if (linkToMany && !toMany) return this.context.drop('ipv4', 'link-broadcast-of-unicast');
    if (isMulticast(destination) && !from.inGroup(destination)) return;
    if (ipv4HeaderLength(bytes, start) > ipv4.size) {
      const verdict = dealWithOptions(bytes, start);
      if (verdict.drop !== undefined) {
        this.context.drop('ipv4', verdict.drop);
        if (verdict.pointer !== undefined) {
          this.icmp.sendError(ICMP.parameterProblem, 0, verdict.pointer << 24, bytes, start, packet.end, toMany);
        }
        return;
      }
    }
    if (toMany || this.isLocal(destination)) {
      this.lastSource = source;
      this.lastDestination = destination;
      this.lastFrom = toMany ? undefined : from;
      this.deliver(packet, from.name, toMany);
    } else if (this.forwarding) this.forward(from, packet.toChange(EXACT_HEADROOM.ethernet, this.context.slab), true);
    else this.context.drop('ipv4', 'not-for-us');
  }

  batch(begins: boolean): void {
    for (const handler of this.batched) handler.batch?.(begins);
  }

  /** RFC 1122 §3.2.1.3: addresses that must never be a source on the wire. */
  private isMartian(source: Ipv4Address): boolean {
    return isMulticast(source) || isLoopback(source) || this.isBroadcast(source);
  }

  /** `packet` starts with its IP header. */
  private deliver(packet: Packet, interfaceName: string, toMany: boolean): void {
    const { bytes, start, end } = packet;
    if (isFragment(bytes, start)) {
      const whole = reassemble(this.reassembler, bytes, start, end);
      if (whole !== undefined) this.deliver(whole, interfaceName, toMany);
      return;
    }
    if (this.nat !== undefined && !toMany && this.fromOutside(packet, interfaceName)) return;
    const protocol = ipv4.f.protocol.get(bytes, start);
    const handler = this.handlers.get(protocol);
    if (handler === undefined) {
      this.context.drop('ipv4', 'unknown-protocol');
      this.icmp.sendError(ICMP.unreachable, UNREACHABLE.protocol, 0, bytes, start, end, toMany);
      return;
    }
    handler.receive({
      source: ipv4.f.source.get(bytes, start),
      destination: ipv4.f.destination.get(bytes, start),
      protocol,
      ttl: ipv4.f.ttl.get(bytes, start),
      trafficClass: bytes[start + 1],
      packet,
      bytes,
      headerStart: start,
      start: start + ipv4HeaderLength(bytes, start),
      end,
      toMany,
      interfaceName,
    });
  }

  /** To our own address, but meant for somebody behind us: translated and sent on. */
  private fromOutside(packet: Packet, interfaceName: string): boolean {
    const copy = packet.copy(EXACT_HEADROOM.ethernet, this.context.slab);
    if (!this.nat?.inbound(copy, interfaceName)) return false;
    const from = this.named(interfaceName)[0];
    this.forward(from, copy, false);
    return true;
  }

  /** RFC 1812 §5.2-5.3. `packet` may be changed. */
  private forward(from: NetworkInterface | undefined, packet: Packet, translate: boolean): void {
    const { bytes, start, end } = packet;
    const destination = ipv4.f.destination.get(bytes, start);
    if (ipv4.f.ttl.get(bytes, start) <= 1) {
      this.context.drop('ipv4', 'ttl-exceeded');
      return this.icmp.sendError(ICMP.timeExceeded, TIME_EXCEEDED.transit, 0, bytes, start, end);
    }
    const { route, isUnicast } = this.paths.to(destination);
    if (route === undefined) {
      this.context.drop('ipv4', 'no-route');
      return this.icmp.sendError(ICMP.unreachable, UNREACHABLE.network, 0, bytes, start, end);
    }
    // RFC 2644: directed broadcasts are not forwarded; multicast stays on its link, for want of a routing protocol.
    if (!isUnicast && (route.interface.isBroadcast(destination) || isMulticast(destination))) {
      return this.context.drop('ipv4', 'broadcast-not-forwarded');
    }
    const { mtu } = route.interface;
    if (packet.length > mtu && packet.unit === 0 && ipv4.f.dontFragment.get(bytes, start) === 1) {
      this.context.drop('ipv4', 'fragmentation-needed');
      return this.icmp.sendError(ICMP.unreachable, UNREACHABLE.fragmentationNeeded, mtu, bytes, start, end);
    }
    if (from === route.interface) this.sendRedirect(from, packet, route.via ?? destination);
    if (translate && this.nat?.isOutbound(from?.name, route.interface.name)) {
      const whole = this.wholeForNat(packet);
      if (whole === undefined) return;
      if (!this.nat.outbound(whole)) return this.context.drop('nat', 'nat-untranslatable');
      decrementTtl(whole.bytes, whole.start);
      return this.sendOn(whole, route, destination, mtu, isUnicast);
    }
    decrementTtl(bytes, start);
    this.sendOn(packet, route, destination, mtu, isUnicast);
  }

  /** Ports stand in the first fragment alone, so a NAT puts datagrams together before it translates (RFC 4787 REQ-14). */
  private wholeForNat(packet: Packet): Packet | undefined {
    const { bytes, start, end } = packet;
    return isFragment(bytes, start) ? reassemble(this.reassembler, bytes, start, end) : packet;
  }

  /** RFC 1812 §5.2.7.2: the sender could have reached the next hop itself. */
  private sendRedirect(from: NetworkInterface, packet: Packet, nextHop: Ipv4Address): void {
    const source = ipv4.f.source.get(packet.bytes, packet.start);
    if (!from.addresses.some(own => inPrefix(source, own) && inPrefix(nextHop, own))) return;
    this.icmp.sendError(ICMP.redirect, 1, nextHop, packet.bytes, packet.start, packet.end);
  }

  /** RFC 1122 §3.3.2: time exceeded (1), only when the first fragment is there to be quoted. */
  private reassemblyExpired(first: Uint8Array | undefined): void {
    if (first !== undefined)
      this.icmp.sendError(ICMP.timeExceeded, TIME_EXCEEDED.reassembly, 0, first, 0, first.length);
  }
}
