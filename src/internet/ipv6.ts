/**
 * The IPv6 layer of a host (RFC 8200, RFC 8504): what arrives is checked, put together and delivered, or sent on where
 * the host is a router; what leaves is routed to a neighbour. Nobody but the sender fragments (RFC 8200 §5), and TCP
 * never asks for it: the path's MTU is learned (RFC 8201).
 */
import type { Random } from '../base/random.ts';
import type { Context } from '../trace/events.ts';
import { type Ipv6Prefix, networkOf6 } from '../wire/address6.ts';
import { ICMPV6 } from '../wire/icmpv6.ts';
import { IPV6_LOOPBACK, type Ipv6Address, ipv6At, isLinkLocal } from '../wire/ip-address.ts';
import { checkIpv6, ipv6, ipv6End, NEXT_HEADER, prependIpv6, trafficClassAt } from '../wire/ipv6.ts';
import { macOption, NDP_OPTION, redirectBody, redirectedOption } from '../wire/ndp.ts';
import { EXACT_HEADROOM, Packet } from '../wire/packet.ts';
import { AddressBook, type KnownAddress } from './address-book.ts';
import { PROBLEM, type Walked, walkHeaders } from './extension-headers.ts';
import { Flows } from './flows.ts';
import { fragment6, fragmentAt, MOST_DATA6, reassemble6 } from './fragments6.ts';
import { Icmpv6Layer } from './icmpv6.ts';
import type { NetworkInterface } from './interface.ts';
import { Ipv6Flow, type Ipv6FlowOwner, type Ipv6Path, type Ipv6Route } from './ipv6-flow.ts';
import { Ipv6Interface, type Ipv6Owner } from './ipv6-interface.ts';
import type { OwnAddress } from './ndp-port.ts';
import { PathMtu } from './path-mtu.ts';
import { NOWHERE, Paths, TO_OURSELVES } from './paths.ts';
import { Reassembler } from './reassembly.ts';
import { RoutingTable } from './routes.ts';
import { bestSource } from './source-address.ts';
import type { IncomingDatagram, InternetLayer, OutgoingDatagram, ProtocolHandler, SendFailure } from './types.ts';

/** RFC 8200 §5: every link takes this. */
export const MINIMUM_MTU = 1280;

const LOCAL_HOP_LIMIT = 64;
/** Places in the header (RFC 8200 §3). */
const PAYLOAD_LENGTH = 4;
const NEXT = 6;
const HOP_LIMIT = 7;

/** RFC 7739 §5.3: identifications that nobody else can guess; drawn when the first datagram has to be cut. */
class FragmentIds {
  private readonly random: Random;
  private last: number | undefined = undefined;

  constructor(random: Random) {
    this.random = random;
  }

  next(): number {
    this.last = ((this.last ?? this.random.fork('ipv6 fragments').u32()) + 1) >>> 0;
    return this.last;
  }
}

export class Ipv6Layer implements InternetLayer<Ipv6Address>, Ipv6Owner, Ipv6FlowOwner {
  readonly interfaces: Ipv6Interface[] = [];
  readonly routes = new RoutingTable<Ipv6Address, Ipv6Interface>(networkOf6);
  readonly pathMtu: PathMtu<Ipv6Address>;
  readonly icmp: Icmpv6Layer;
  /** It is a router: what is for others goes on. */
  forwarding = false;
  /** RFC 4862 §5.4.5: an address that was ours turned out to be somebody else's; "the system administrator" is told. */
  onDuplicate: (address: Ipv6Address) => void = () => {};
  private readonly book = new AddressBook();
  private readonly paths = new Paths<Ipv6Address, Ipv6Path>(this.routes, destination => this.findPath(destination));
  private readonly flows = new Flows<Ipv6Address, Ipv6Flow>(
    (from, to, protocol) => new Ipv6Flow(this, this.book.of(from), to, protocol),
  );
  private readonly reassembler: Reassembler;
  private readonly identifications: FragmentIds;
  private readonly context: Context;
  private readonly handlers = new Map<number, ProtocolHandler<Ipv6Address>>();
  /** Our addresses, of all interfaces. */
  private readonly own = new Set<Ipv6Address>([IPV6_LOOPBACK]);
  /** Of the datagram being sent: the same object each time. */
  private readonly header = { nextHeader: 0, hopLimit: 0, trafficClass: 0, flowLabel: 0 };

  constructor(context: Context) {
    this.context = context;
    this.pathMtu = new PathMtu(context.scheduler, MINIMUM_MTU);
    this.icmp = new Icmpv6Layer(context, this);
    this.icmp.onLink = (message, datagram) => this.named(datagram.interfaceName)?.told(message, datagram);
    this.reassembler = new Reassembler(context, 'ipv6', MOST_DATA6, first => this.reassemblyExpired(first));
    this.identifications = new FragmentIds(context.random);
  }

  /** Speaks IPv6 on an interface. Without an address, it gets a link-local one, and others from a router (RFC 4862). */
  enable(own: NetworkInterface, address?: Ipv6Prefix): Ipv6Interface {
    let known = this.interfaceOf(own);
    if (known === undefined) {
      const added = new Ipv6Interface(this.context, this, own);
      this.interfaces.push(added);
      own.onIpv6 = packet => this.arrives(added, packet);
      added.start();
      known = added;
    }
    if (address !== undefined) known.give(address);
    return known;
  }

  assigned(to: Ipv6Interface, prefix: OwnAddress): void {
    this.own.add(prefix.address);
    this.routes.add({ prefix, interface: to });
  }

  withdrawn(_from: Ipv6Interface, prefix: OwnAddress): void {
    // The same link-local address may be that of another interface.
    if (!this.interfaces.some(other => other.has(prefix.address))) this.own.delete(prefix.address);
    this.routes.remove(prefix);
  }

  addRoute(prefix: Ipv6Prefix, via: Ipv6Address | undefined, out: Ipv6Interface): void {
    this.routes.add({ prefix, via, interface: out });
  }

  removeRoute(prefix: Ipv6Prefix, via: Ipv6Address | undefined): void {
    this.routes.remove(prefix, via);
  }

  duplicate(address: Ipv6Address): void {
    this.onDuplicate(address);
  }

  firstHop(destination: Ipv6Address): Ipv6Address | undefined {
    const route = this.routes.lookup(destination);
    return route?.via ?? (route === undefined ? undefined : destination);
  }

  register(protocol: number, handler: ProtocolHandler<Ipv6Address>): void {
    this.handlers.set(protocol, handler);
  }

  handlerFor(protocol: number): ProtocolHandler<Ipv6Address> | undefined {
    return this.handlers.get(protocol);
  }

  flow(source: Ipv6Address, destination: Ipv6Address, protocol: number): Ipv6Flow {
    return this.flows.between(source, destination, protocol);
  }

  pathTo(destination: Ipv6Address): Ipv6Path {
    return this.paths.to(destination);
  }

  isLocal(address: Ipv6Address): boolean {
    return this.own.has(address);
  }

  isBroadcast(): boolean {
    return false;
  }

  sourceFor(destination: Ipv6Address): Ipv6Address | undefined {
    const path = this.paths.to(destination);
    if (path.isLocal) return destination;
    const candidates = path.route?.interface.addresses ?? [];
    return bestSource(this.book, path.destination, candidates, this.context.scheduler.now());
  }

  addressesSum(source: Ipv6Address, destination: Ipv6Address): number {
    return this.book.of(source).sum + this.book.of(destination).sum;
  }

  mtuFor(destination: Ipv6Address): number {
    const { isLocal, route } = this.paths.to(destination);
    return isLocal ? 65535 : this.pathMtu.get(destination, route?.interface.mtu ?? 1500);
  }

  linkMtuFor(destination: Ipv6Address): number {
    const { isLocal, route } = this.paths.to(destination);
    return isLocal ? 65535 : (route?.interface.mtu ?? 1500);
  }

  join(group: Ipv6Address, interfaceName?: string): void {
    this.named(interfaceName)?.join(group);
  }

  leave(group: Ipv6Address, interfaceName?: string): void {
    this.named(interfaceName)?.leave(group);
  }

  /** Without a name, the first. */
  private named(interfaceName?: string): Ipv6Interface | undefined {
    return this.interfaces.find(({ name }) => interfaceName === undefined || name === interfaceName);
  }

  portUnreachable(datagram: IncomingDatagram<Ipv6Address>): void {
    this.icmp.unreachable(datagram, 4);
  }

  learnPathMtu(destination: Ipv6Address, mtu: number): void {
    this.pathMtu.learn(destination, mtu);
  }

  // --- down

  send(datagram: OutgoingDatagram<Ipv6Address>): SendFailure | undefined {
    const { packet, destination } = datagram;
    const path = this.paths.to(destination);
    const toMany = path.destination.isMulticast;
    const { header } = this;
    header.nextHeader = datagram.protocol;
    header.trafficClass = datagram.trafficClass ?? 0;
    const source = this.book.of(datagram.source).words;
    if (packet.length > MOST_DATA6) return { reason: 'too-big', mtu: MOST_DATA6 };
    // RFC 3493 §5.2: multicast goes no further than the link, unless it is told to.
    header.hopLimit = datagram.ttl ?? (toMany ? 1 : (path.route?.interface.hopLimit ?? LOCAL_HOP_LIMIT));
    if (path.isLocal) {
      prependIpv6(packet, header, source, path.destination.words);
      this.loopBack(packet);
      return undefined;
    }
    const route = toMany ? this.routeToMany(destination, datagram.interfaceName) : path.route;
    if (route === undefined) return { reason: 'no-route' };
    const mtu = this.pathMtu.get(destination, route.interface.mtu);
    const isLong = packet.unit === 0 && packet.length + ipv6.size > mtu;
    if (isLong && datagram.dontFragment) return { reason: 'too-big', mtu };
    prependIpv6(packet, header, source, path.destination.words);
    // RFC 3493 §5.2 (IPV6_MULTICAST_LOOP): a sender that is a member gets a copy itself.
    if (toMany && route.interface.isMember(destination))
      this.loopBack(Packet.of(packet.view(), 0), route.interface.name);
    const nextHop = route.via ?? destination;
    if (!isLong) route.interface.sendTo(packet, nextHop);
    else {
      const identification = this.identifications.next();
      for (const piece of fragment6(packet, mtu, identification)) route.interface.sendTo(piece, nextHop);
    }
    return undefined;
  }

  private findPath(text: Ipv6Address): Ipv6Path {
    const destination = this.book.of(text);
    const route = destination.isMulticast ? this.routeToMany(text) : this.routes.lookup(text);
    const isLocal = this.isLocal(text);
    return { destination, isLocal, route, link: isLocal ? TO_OURSELVES : (route?.interface.own.link ?? NOWHERE) };
  }

  /** By the interface that is named, or else the first. */
  private routeToMany(group: Ipv6Address, interfaceName?: string): Ipv6Route | undefined {
    const out = this.named(interfaceName);
    return out === undefined ? undefined : { prefix: { address: group, length: 128 }, interface: out, metric: 0 };
  }

  /** Local datagrams take a turn of the scheduler, so that a sender never finds itself inside its own receiver. */
  private loopBack(packet: Packet, interfaceName = 'lo'): void {
    const { scheduler } = this.context;
    scheduler.at(scheduler.now(), () => this.deliverOwn(packet, interfaceName));
  }

  // --- up

  private arrives(from: Ipv6Interface, packet: Packet): void {
    const { bytes, start } = packet;
    const fault = checkIpv6(bytes, start, packet.end);
    if (fault !== undefined) return this.context.drop('ipv6', fault);
    packet.end = ipv6End(bytes, start);
    const source = this.book.at(packet.memory, start + 8);
    const destination = this.book.at(packet.memory, start + 24);
    // RFC 4291 §2.7, §2.5.3: no group sends, and the loopback address is on no wire.
    if (source.isMulticast || source.text === IPV6_LOOPBACK) return this.context.drop('ipv6', 'martian-source');
    if (destination.text === IPV6_LOOPBACK) return this.context.drop('ipv6', 'martian-destination');
    const isOurs = destination.isMulticast ? from.isMember(destination.text) : this.own.has(destination.text);
    if (isOurs) this.deliver(packet, source, destination, from.name);
    else if (this.forwarding && !destination.isMulticast) this.forward(from, packet);
    else this.context.drop('ipv6', 'not-for-us');
  }

  /** `packet` starts with its IPv6 header. */
  private deliver(packet: Packet, source: KnownAddress, destination: KnownAddress, interfaceName: string): void {
    const { bytes, start: headerStart } = packet;
    const protocol = bytes[headerStart + NEXT];
    const datagram: IncomingDatagram<Ipv6Address> = {
      source: source.text,
      destination: destination.text,
      protocol,
      ttl: bytes[headerStart + HOP_LIMIT],
      trafficClass: trafficClassAt(bytes, headerStart),
      packet,
      bytes,
      headerStart,
      start: headerStart + ipv6.size,
      end: ipv6End(bytes, headerStart),
      toMany: destination.isMulticast,
      interfaceName,
    };
    // Nearly always there is nothing between the header and the transport's.
    const handler = this.handlers.get(protocol);
    if (handler !== undefined) handler.receive(datagram);
    else this.deliverBehind(datagram);
  }

  /** A packet that was put together here. */
  private deliverOwn(packet: Packet, interfaceName: string): void {
    const { memory, start } = packet;
    const [source, destination] = [this.book.at(memory, start + 8), this.book.at(memory, start + 24)];
    this.deliver(packet, source, destination, interfaceName);
  }

  /** The same where there is, or where nobody knows what there is. */
  private deliverBehind(datagram: IncomingDatagram<Ipv6Address>): void {
    const { bytes, headerStart, end } = datagram;
    const walked = walkHeaders(bytes, headerStart, end, 'transport');
    datagram.protocol = walked.protocol;
    datagram.start = walked.start;
    if (walked.drop !== undefined) return this.refuse(datagram, walked);
    const { fragmentAt: at } = walked;
    if (at >= 0 && !fragmentAt(bytes, at, end).isWhole) return this.fragmentArrives(datagram, at);
    if (walked.protocol === NEXT_HEADER.none) return;
    const handler = this.handlers.get(walked.protocol);
    if (handler !== undefined) return handler.receive(datagram);
    this.context.drop('ipv6', 'unknown-protocol');
    // RFC 8200 §4: "unrecognized Next Header type encountered", and where it stands.
    this.icmp.parameterProblem(datagram, PROBLEM.nextHeader, walked.named - headerStart);
  }

  private refuse(datagram: IncomingDatagram<Ipv6Address>, { drop, code, pointer, evenToMany }: Walked): void {
    this.context.drop('ipv6', drop as string);
    if (code >= 0) this.icmp.parameterProblem(datagram, code, pointer - datagram.headerStart, evenToMany);
  }

  /** RFC 8200 §4.5: with "Parameter Problem, Code 0" for those that cannot be fragments of anything. */
  private fragmentArrives(datagram: IncomingDatagram<Ipv6Address>, at: number): void {
    const { bytes, headerStart, end, interfaceName } = datagram;
    const { oddLength, tooLong } = fragmentAt(bytes, at, end);
    if (oddLength || tooLong) {
      this.context.drop('ipv6', oddLength ? 'fragment-length' : 'fragment-too-long');
      const pointer = oddLength ? PAYLOAD_LENGTH : at + 2 - headerStart;
      return this.icmp.parameterProblem(datagram, PROBLEM.field, pointer);
    }
    const whole = reassemble6(this.reassembler, bytes, headerStart, at);
    if (whole !== undefined) this.deliverOwn(whole, interfaceName);
  }

  /** RFC 8200 §4.5: time exceeded (1), only when the first fragment is there to be quoted. */
  private reassemblyExpired(first: Uint8Array | undefined): void {
    if (first !== undefined) this.icmp.timeExceeded(this.quotable(Packet.over(first), 'lo'), 1);
  }

  /** For errors about it. */
  private quotable(packet: Packet, interfaceName: string): IncomingDatagram<Ipv6Address> {
    const { bytes, start: headerStart } = packet;
    const end = ipv6End(bytes, headerStart);
    const { protocol, start } = walkHeaders(bytes, headerStart, end, 'transport');
    return {
      source: ipv6At(bytes, headerStart + 8),
      destination: ipv6At(bytes, headerStart + 24),
      protocol,
      ttl: bytes[headerStart + HOP_LIMIT],
      trafficClass: trafficClassAt(bytes, headerStart),
      packet,
      bytes,
      headerStart,
      start,
      end,
      toMany: false,
      interfaceName,
    };
  }

  /** A router's part (RFC 8200 §3, §5; RFC 4291 §2.5.6: what is of a link stays on it). */
  private forward(from: Ipv6Interface, packet: Packet): void {
    const { bytes, start, end } = packet;
    if (bytes[start + NEXT] === NEXT_HEADER.hopByHop) {
      const walked = walkHeaders(bytes, start, end, 'hops');
      if (walked.drop !== undefined) return this.refuse(this.quotable(packet, from.name), walked);
    }
    if (bytes[start + HOP_LIMIT] <= 1) {
      this.context.drop('ipv6', 'ttl-exceeded');
      return this.icmp.timeExceeded(this.quotable(packet, from.name), 0);
    }
    const source = this.book.at(packet.memory, start + 8);
    const { destination, route } = this.paths.to(this.book.at(packet.memory, start + 24).text);
    if (route === undefined || source.isLinkLocal || destination.isLinkLocal || source.text === '::') {
      this.context.drop('ipv6', 'no-route');
      return this.icmp.unreachable(this.quotable(packet, from.name), route === undefined ? 0 : 2);
    }
    const { mtu } = route.interface;
    if (packet.unit === 0 && end - start > mtu) {
      this.context.drop('ipv6', 'fragmentation-needed');
      return this.icmp.packetTooBig(this.quotable(packet, from.name), mtu);
    }
    const nextHop = route.via ?? destination.text;
    if (from === route.interface) this.sendRedirect(from, packet.view(), destination.text, nextHop);
    const onward = packet.toChange(EXACT_HEADROOM.ethernet, this.context.slab);
    onward.bytes[onward.start + HOP_LIMIT]--;
    route.interface.sendTo(onward, nextHop);
  }

  /** RFC 4861 §8.2: the sender is a neighbour, and the better hop is known by its link-local address, or the end. */
  private sendRedirect(
    from: Ipv6Interface,
    datagram: Uint8Array,
    destination: Ipv6Address,
    nextHop: Ipv6Address,
  ): void {
    const sender = ipv6At(datagram, 8);
    const isNeighbour = this.firstHop(sender) === sender;
    const isNamed = nextHop === destination || isLinkLocal(nextHop);
    if (!isNeighbour || !isNamed || !this.icmp.limit.allow()) return;
    const mac = from.neighbours.macOf(nextHop);
    const options = mac === undefined ? [] : [macOption(NDP_OPTION.target, mac)];
    const body = redirectBody(nextHop, destination, [...options, redirectedOption(datagram)]);
    from.redirect({ type: ICMPV6.redirect, code: 0, rest: 0, body }, sender);
  }

  /** Neighbour discovery found nobody (RFC 4861 §7.2.2): "address unreachable" to who had sent it. */
  unresolved(packet: Packet): void {
    this.context.drop('ipv6', 'host-unreachable');
    this.icmp.unreachable(this.quotable(packet, 'lo'), 3);
  }

  private interfaceOf(own: NetworkInterface): Ipv6Interface | undefined {
    return this.interfaces.find(each => each.own === own);
  }
}
