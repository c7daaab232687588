/**
 * The IPv6 layer of a host (RFC 8200, RFC 8504): what arrives is checked, put together and delivered, or sent on where
 * the host is a router; what leaves is routed to a neighbour. Nobody but the sender fragments (RFC 8200 §5), and TCP
 * never asks for it: the path's MTU is learned (RFC 8201).
 */
import type { Random } from '../base/random.ts';
import type { Frame, Unit } from '../link/types.ts';
import type { Context } from '../trace/events.ts';
import { type Ipv6Prefix, inPrefix6 } from '../wire/address6.ts';
import { IPV6_LOOPBACK, type Ipv6Address, isLinkLocal, isMulticast6 } from '../wire/ip-address.ts';
import { PROTOCOL } from '../wire/ipv4.ts';
import {
  checkIpv6,
  decodeIpv6,
  type Ipv6Header,
  ipv6,
  ipv6End,
  NEXT_HEADER,
  prependIpv6,
  type UpperLayer,
  upperLayerOf,
} from '../wire/ipv6.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';
import { fragment6, fragmentAt, MOST_DATA6, reassemble6 } from './fragments6.ts';
import { Icmpv6Layer } from './icmpv6.ts';
import type { NetworkInterface } from './interface.ts';
import { Neighbours } from './neighbours.ts';
import { PathMtu } from './path-mtu.ts';
import { Reassembler } from './reassembly.ts';
import type { IncomingDatagram, InternetLayer, OutgoingDatagram, ProtocolHandler, SendFailure } from './types.ts';

const DEFAULT_HOP_LIMIT = 64;
/** RFC 8200 §5: every link takes this. */
export const MINIMUM_MTU = 1280;

export interface Ipv6Interface {
  interface: NetworkInterface;
  addresses: Ipv6Prefix[];
  neighbours: Neighbours;
}

export interface Ipv6Route {
  prefix: Ipv6Prefix;
  via?: Ipv6Address;
  out: Ipv6Interface;
}

/** Places in the header (RFC 8200 §3). */
const PAYLOAD_LENGTH = 4;
const HOP_LIMIT = 7;

/** RFC 7739 §5.3: identifications that nobody else can guess; drawn when the first datagram has to be cut. */
class FragmentIds {
  private readonly random: Random;
  private last: number | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  next(): number {
    this.last = ((this.last ?? this.random.fork('ipv6 fragments').u32()) + 1) >>> 0;
    return this.last;
  }
}

export class Ipv6Layer implements InternetLayer<Ipv6Address> {
  readonly interfaces: Ipv6Interface[] = [];
  readonly pathMtu: PathMtu<Ipv6Address>;
  readonly icmp: Icmpv6Layer;
  /** It is a router: what is for others goes on. */
  forwarding = false;
  private readonly reassembler: Reassembler;
  private readonly identifications: FragmentIds;
  private readonly context: Context;
  private readonly handlers = new Map<number, ProtocolHandler<Ipv6Address>>();
  private routes: Ipv6Route[] = [];

  constructor(context: Context) {
    this.context = context;
    this.pathMtu = new PathMtu(context.scheduler, MINIMUM_MTU);
    this.icmp = new Icmpv6Layer(context, this);
    this.reassembler = new Reassembler(context, 'ipv6', MOST_DATA6, first => this.reassemblyExpired(first));
    this.identifications = new FragmentIds(context.random);
  }

  /** Speaks IPv6 on an interface. Without an address, it gets a link-local one, and others from a router (RFC 4862). */
  enable(own: NetworkInterface, address?: Ipv6Prefix): Ipv6Interface {
    const added: Ipv6Interface = {
      interface: own,
      addresses: [],
      neighbours: new Neighbours(this.context, this, own),
    };
    this.interfaces.push(added);
    own.onIpv6 = (frame, start, unit) => this.arrives(added, frame, start, unit);
    if (address !== undefined) this.addAddress(added, address);
    added.neighbours.start(added);
    return added;
  }

  addAddress(to: Ipv6Interface, prefix: Ipv6Prefix): void {
    if (to.addresses.some(own => own.address === prefix.address)) return;
    to.addresses.push(prefix);
    this.addRoute({ prefix, out: to });
  }

  /** The longest prefix wins. */
  addRoute(route: Ipv6Route): void {
    this.routes.push(route);
    this.routes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  removeRoute(via: Ipv6Address): void {
    this.routes = this.routes.filter(route => route.via !== via);
  }

  register(protocol: number, handler: ProtocolHandler<Ipv6Address>): void {
    this.handlers.set(protocol, handler);
  }

  handlerFor(protocol: number): ProtocolHandler<Ipv6Address> | undefined {
    return this.handlers.get(protocol);
  }

  isLocal(address: Ipv6Address): boolean {
    return address === IPV6_LOOPBACK || this.interfaces.some(i => i.addresses.some(own => own.address === address));
  }

  isBroadcast(): boolean {
    return false;
  }

  /** RFC 6724 in short: on the way out, an address of the same scope; else the first. */
  sourceFor(destination: Ipv6Address): Ipv6Address | undefined {
    if (this.isLocal(destination)) return destination;
    const out = this.routeTo(destination)?.out;
    const local = isLinkLocal(destination) || isMulticast6(destination);
    const fitting = out?.addresses.find(own => isLinkLocal(own.address) === local);
    return (fitting ?? out?.addresses[0])?.address;
  }

  mtuFor(destination: Ipv6Address): number {
    if (this.isLocal(destination)) return 65535;
    return this.pathMtu.get(destination, this.linkMtuFor(destination));
  }

  linkMtuFor(destination: Ipv6Address): number {
    if (this.isLocal(destination)) return 65535;
    return this.routeTo(destination)?.out.interface.mtu ?? 1500;
  }

  offloads(destination: Ipv6Address): boolean {
    if (this.isLocal(destination)) return true;
    return this.routeTo(destination)?.out.interface.link.offloads ?? false;
  }

  refuses(destination: Ipv6Address): boolean {
    return this.routeTo(destination)?.out.interface.link.refuses ?? false;
  }

  join(): void {}
  leave(): void {}

  portUnreachable(datagram: IncomingDatagram<Ipv6Address>): void {
    this.icmp.unreachable(datagram, 4);
  }

  learnPathMtu(destination: Ipv6Address, mtu: number): void {
    this.pathMtu.learn(destination, mtu);
  }

  send(datagram: OutgoingDatagram<Ipv6Address>): SendFailure | undefined {
    const { packet, source, destination } = datagram;
    const header = {
      source,
      destination,
      nextHeader: datagram.protocol,
      hopLimit: datagram.ttl ?? DEFAULT_HOP_LIMIT,
      trafficClass: datagram.trafficClass ?? 0,
      flowLabel: 0,
    };
    if (this.isLocal(destination)) {
      prependIpv6(packet, header);
      this.loopBack(packet);
      return undefined;
    }
    const route = this.routeTo(destination);
    if (route === undefined) return { reason: 'no-route' };
    const mtu = this.pathMtu.get(destination, route.out.interface.mtu);
    const isLong = packet.length + ipv6.size > mtu && packet.unit === 0;
    if (isLong && datagram.dontFragment) return { reason: 'too-big', mtu };
    prependIpv6(packet, header);
    const nextHop = route.via ?? destination;
    if (!isLong) this.transmit(route.out, packet, nextHop);
    else {
      const identification = this.identifications.next();
      for (const piece of fragment6(packet, mtu, identification)) this.transmit(route.out, piece, nextHop);
    }
    return undefined;
  }

  /** `packet` starts with its IPv6 header. */
  transmit(out: Ipv6Interface, packet: Packet, nextHop: Ipv6Address): void {
    const own = out.interface;
    if (!own.up) return this.context.drop('link', 'interface-down');
    if (own.link.medium === 'ip') own.link.send(packet.view(), packet.unit);
    else out.neighbours.send(packet, nextHop);
  }

  private routeTo(destination: Ipv6Address): Ipv6Route | undefined {
    if (isMulticast6(destination)) {
      const [out] = this.interfaces;
      return out === undefined ? undefined : { prefix: { address: destination, length: 128 }, out };
    }
    return this.routes.find(route => inPrefix6(destination, route.prefix));
  }

  /** Local datagrams take a turn of the scheduler, so that a sender never finds itself inside its own receiver. */
  private loopBack(packet: Packet): void {
    const { scheduler } = this.context;
    scheduler.at(scheduler.now(), () => this.deliver(packet.bytes, packet.start, packet.end, 'lo', packet.unit));
  }

  private arrives(from: Ipv6Interface, bytes: Frame, start: number, unit: Unit): void {
    const fault = checkIpv6(bytes, start, bytes.length);
    if (fault !== undefined) return this.context.drop('ipv6', fault);
    const { source, destination } = decodeIpv6(bytes, start);
    if (isMulticast6(source)) return this.context.drop('ipv6', 'martian-source');
    const toMany = isMulticast6(destination);
    const isOurs = toMany ? from.neighbours.isMember(destination) : this.isLocal(destination);
    if (!isOurs && this.forwarding && !toMany) return this.forward(from, bytes, start);
    if (!isOurs) return this.context.drop('ipv6', 'not-for-us');
    this.deliver(bytes, start, ipv6End(bytes, start), from.interface.name, unit);
  }

  private deliver(bytes: Uint8Array, start: number, end: number, interfaceName: string, unit: Unit): void {
    const header = decodeIpv6(bytes, start);
    const upper = upperLayerOf(bytes, start, end);
    if (upper === undefined) return this.context.drop('ipv6', 'ip-truncated');
    const datagram = incoming(bytes, start, end, header, upper, interfaceName, unit);
    if (upper.fragmentAt !== undefined && !fragmentAt(bytes, upper.fragmentAt, end).isWhole) {
      return this.fragmentArrives(datagram, upper.fragmentAt);
    }
    if (upper.protocol === NEXT_HEADER.none) return;
    const handler = this.handlers.get(upper.protocol);
    if (handler !== undefined) return handler.receive(datagram);
    this.context.drop('ipv6', 'unknown-protocol');
    this.icmp.unknownNextHeader(datagram);
  }

  /** RFC 8200 §4.5: with "Parameter Problem, Code 0" for those that cannot be fragments of anything. */
  private fragmentArrives(datagram: IncomingDatagram<Ipv6Address>, at: number): void {
    const { bytes, headerStart, end, interfaceName } = datagram;
    const { oddLength, tooLong } = fragmentAt(bytes, at, end);
    if (oddLength || tooLong) {
      this.context.drop('ipv6', oddLength ? 'fragment-length' : 'fragment-too-long');
      return this.icmp.parameterProblem(datagram, oddLength ? PAYLOAD_LENGTH : at + 2 - headerStart);
    }
    const whole = reassemble6(this.reassembler, bytes, headerStart, at);
    if (whole !== undefined) this.deliver(whole.bytes, whole.start, whole.end, interfaceName, 0);
  }

  /** RFC 8200 §4.5: time exceeded (1), only when the first fragment is there to be quoted. */
  private reassemblyExpired(first: Uint8Array | undefined): void {
    const about = first === undefined ? undefined : this.asDatagram(first, 0, 'lo');
    if (about !== undefined) this.icmp.timeExceeded(about, 1);
  }

  private asDatagram(
    bytes: Uint8Array,
    start: number,
    interfaceName: string,
  ): IncomingDatagram<Ipv6Address> | undefined {
    const end = ipv6End(bytes, start);
    const upper = upperLayerOf(bytes, start, end);
    if (upper === undefined) return undefined;
    return incoming(bytes, start, end, decodeIpv6(bytes, start), upper, interfaceName, 0);
  }

  /** A router's part (RFC 8200 §3, §5; RFC 4291 §2.5.6: what is of a link stays on it). */
  private forward(from: Ipv6Interface, bytes: Frame, start: number): void {
    const about = this.asDatagram(bytes, start, from.interface.name);
    if (about === undefined) return this.context.drop('ipv6', 'ip-truncated');
    const { source, destination } = about;
    if (about.ttl <= 1) {
      this.context.drop('ipv6', 'ttl-exceeded');
      return this.icmp.timeExceeded(about, 0);
    }
    const route = this.routeTo(destination);
    if (route === undefined || isLinkLocal(source) || isLinkLocal(destination)) {
      this.context.drop('ipv6', 'no-route');
      return this.icmp.unreachable(about, route === undefined ? 0 : 2);
    }
    const { mtu } = route.out.interface;
    if (about.end - start > mtu) {
      this.context.drop('ipv6', 'fragmentation-needed');
      return this.icmp.packetTooBig(about, mtu);
    }
    const packet = Packet.of(bytes.subarray(start, about.end), HEADROOM, this.context.slab);
    packet.bytes[packet.start + HOP_LIMIT]--;
    this.transmit(route.out, packet, route.via ?? destination);
  }

  /** Neighbour discovery found nobody (RFC 4861 §7.2.2): "address unreachable" to who had sent it. */
  unresolved(packet: Packet): void {
    this.context.drop('ipv6', 'host-unreachable');
    const about = this.asDatagram(packet.bytes, packet.start, 'lo');
    if (about !== undefined) this.icmp.unreachable(about, 3);
  }

  /** For neighbours.ts. */
  interfaceOf(own: NetworkInterface): Ipv6Interface | undefined {
    return this.interfaces.find(each => each.interface === own);
  }

  get usesTcp(): boolean {
    return this.handlers.has(PROTOCOL.tcp);
  }
}

function incoming(
  bytes: Uint8Array,
  headerStart: number,
  end: number,
  header: Ipv6Header,
  upper: UpperLayer,
  interfaceName: string,
  unit: Unit,
): IncomingDatagram<Ipv6Address> {
  const { source, destination, hopLimit, trafficClass } = header;
  return {
    source,
    destination,
    protocol: upper.protocol,
    ttl: hopLimit,
    trafficClass,
    bytes,
    headerStart,
    start: upper.start,
    end,
    toMany: isMulticast6(destination),
    interfaceName,
    unit,
  };
}
