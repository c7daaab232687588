/**
 * Neighbour discovery (RFC 4861) and stateless address autoconfiguration (RFC 4862) on one interface: whose MAC address
 * an IPv6 address has, which routers there are, and the addresses that their prefixes make.
 */
import { type Instant, seconds } from '../base/instant.ts';
import type { Timer } from '../base/scheduler.ts';
import type { Context } from '../trace/events.ts';
import { formatMac, type MacAddress } from '../wire/address.ts';
import {
  ALL_NODES,
  ALL_ROUTERS,
  type Ipv6Prefix,
  multicastMac6,
  solicitedNode,
  withInterfaceId,
} from '../wire/address6.ts';
import { ETHERTYPE } from '../wire/ethernet.ts';
import { encodeIcmpv6, ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { addressBytes, type Ipv6Address, ipv6At, isLinkLocal, isMulticast6 } from '../wire/ip-address.ts';
import { NEXT_HEADER, prependIpv6 } from '../wire/ipv6.ts';
import type { Packet } from '../wire/packet.ts';
import type { NetworkInterface } from './interface.ts';
import type { Ipv6Interface, Ipv6Layer } from './ipv6.ts';
import type { IncomingDatagram } from './types.ts';

/** RFC 4861 §10. */
const RETRANS_TIMER = seconds(1);
const MAX_SOLICITATIONS = 3;
const REACHABLE_TIME = seconds(30);
/** RFC 4861 §7.2.2: packets that wait for an address; the oldest goes first. */
const MAX_WAITING = 64;
const MAX_NEIGHBOURS = 1024;
/** RFC 4861 §6.1, §7.1: no router has forwarded it. */
const ON_LINK = 255;
/** RFC 4861 §6.2.1: the defaults, in seconds. */
const ROUTER_LIFETIME = 1800;
const VALID_LIFETIME = 2_592_000;
const PREFERRED_LIFETIME = 604_800;
const HOP_LIMIT = 64;
const DEFAULT: Ipv6Prefix = { address: '::', length: 0 };
const OPTION = { source: 1, target: 2, prefix: 3 } as const;
/** Flags of a neighbour advertisement: router, solicited, override. */
const SOLICITED = 0x4000_0000;
const OVERRIDE = 0x2000_0000;

interface Neighbour {
  mac: MacAddress | undefined;
  waiting: Packet[];
  asked: number;
  timer: Timer | undefined;
  confirmed: Instant;
}

export class Neighbours {
  private readonly context: Context;
  private readonly ip: Ipv6Layer;
  private readonly own: NetworkInterface;
  private readonly known = new Map<Ipv6Address, Neighbour>();
  private linkLocal: Ipv6Address = '::';
  /** Router solicitations sent. */
  private solicitations = 0;
  private routerKnown = false;

  constructor(context: Context, ip: Ipv6Layer, own: NetworkInterface) {
    this.context = context;
    this.ip = ip;
    this.own = own;
  }

  /** RFC 4862 §5.3: a link-local address; §6.3.7 of RFC 4861: a router is asked for. */
  start(entry: Ipv6Interface): void {
    if (this.own.link.medium === 'ip') return;
    this.linkLocal = withInterfaceId('fe80::', this.own.mac);
    this.ip.addAddress(entry, { address: this.linkLocal, length: 64 });
    const { icmp } = this.ip;
    const others = icmp.onDiscovery;
    icmp.onDiscovery = (message, datagram) => {
      if (datagram.interfaceName === this.own.name) this.discovered(entry, message, datagram);
      else others(message, datagram);
    };
    this.solicitRouter();
  }

  isMember(group: Ipv6Address): boolean {
    if (group === ALL_NODES || (group === ALL_ROUTERS && this.ip.forwarding)) return true;
    const addresses = this.ip.interfaceOf(this.own)?.addresses ?? [];
    return addresses.some(each => solicitedNode(each.address) === group);
  }

  /** `packet` starts with its IPv6 header; `nextHop` is on this link. */
  send(packet: Packet, nextHop: Ipv6Address): void {
    if (isMulticast6(nextHop)) return this.own.transmit(packet, multicastMac6(nextHop), ETHERTYPE.ipv6);
    const neighbour = this.known.get(nextHop) ?? this.add(nextHop);
    if (neighbour.mac === undefined) {
      neighbour.waiting.push(packet);
      if (neighbour.waiting.length > MAX_WAITING) neighbour.waiting.shift();
      if (neighbour.timer === undefined) this.solicit(nextHop, neighbour);
      return;
    }
    this.own.transmit(packet, neighbour.mac, ETHERTYPE.ipv6);
    // What was not confirmed for a while is asked again while it is used (RFC 4861 §7.3, in short).
    const { scheduler } = this.context;
    if (scheduler.now() - neighbour.confirmed > REACHABLE_TIME && neighbour.timer === undefined) {
      neighbour.asked = 0;
      this.solicit(nextHop, neighbour);
    }
  }

  private add(address: Ipv6Address): Neighbour {
    if (this.known.size >= MAX_NEIGHBOURS) {
      const [oldest, entry] = this.known.entries().next().value as [Ipv6Address, Neighbour];
      entry.timer?.cancel();
      this.known.delete(oldest);
    }
    const neighbour: Neighbour = { mac: undefined, waiting: [], asked: 0, timer: undefined, confirmed: 0 };
    this.known.set(address, neighbour);
    return neighbour;
  }

  /** RFC 4861 §7.2.2. */
  private solicit(target: Ipv6Address, neighbour: Neighbour): void {
    const { scheduler } = this.context;
    if (neighbour.asked >= MAX_SOLICITATIONS) {
      this.known.delete(target);
      for (const packet of neighbour.waiting) this.ip.unresolved(packet);
      return;
    }
    neighbour.asked++;
    this.trace('who-has', target);
    const body = concat(addressBytes(target), this.macOption(OPTION.source));
    this.message({ type: ICMPV6.neighbourSolicitation, code: 0, rest: 0, body }, solicitedNode(target));
    neighbour.timer = scheduler.at(scheduler.now() + RETRANS_TIMER, () => {
      neighbour.timer = undefined;
      this.solicit(target, neighbour);
    });
  }

  private solicitRouter(): void {
    if (this.ip.forwarding || this.routerKnown || this.solicitations >= MAX_SOLICITATIONS) return;
    this.solicitations++;
    const body = this.macOption(OPTION.source);
    this.message({ type: ICMPV6.routerSolicitation, code: 0, rest: 0, body }, ALL_ROUTERS);
    const { scheduler } = this.context;
    scheduler.at(scheduler.now() + 4 * RETRANS_TIMER, () => this.solicitRouter());
  }

  private message(message: Icmpv6Message, destination: Ipv6Address, source = this.linkLocal): void {
    const packet = encodeIcmpv6(message, source, destination);
    const header = { nextHeader: NEXT_HEADER.icmpv6, hopLimit: ON_LINK, trafficClass: 0, flowLabel: 0 };
    prependIpv6(packet, header, addressBytes(source), addressBytes(destination));
    this.send(packet, destination);
  }

  private discovered(entry: Ipv6Interface, message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    if (datagram.ttl !== ON_LINK || message.code !== 0) return this.context.drop('ipv6', 'ndp-not-on-link');
    switch (message.type) {
      case ICMPV6.neighbourSolicitation:
        return this.solicited(entry, message, datagram);
      case ICMPV6.neighbourAdvertisement:
        return this.advertised(message);
      case ICMPV6.routerSolicitation:
        if (this.ip.forwarding)
          this.message(routerAdvertisement(entry.addresses, this.macOption(OPTION.source)), ALL_NODES);
        return;
      case ICMPV6.routerAdvertisement:
        if (this.ip.forwarding) return; // RFC 4861 §6.2.6: a router learns nothing of others that way
        return this.routerAdvertised(entry, message, datagram.source);
      default:
        return;
    }
  }

  /** RFC 4861 §7.2.3, §7.2.4. */
  private solicited(entry: Ipv6Interface, { body }: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    if (body.length < 16) return this.context.drop('ipv6', 'ndp-malformed');
    const target = ipv6At(body, 0);
    if (!entry.addresses.some(own => own.address === target)) return;
    const mac = macOf(body, 16, OPTION.source);
    const asker = datagram.source;
    if (mac !== undefined && asker !== '::') this.learn(asker, mac);
    const answer = concat(addressBytes(target), this.macOption(OPTION.target));
    const rest = (asker === '::' ? OVERRIDE : SOLICITED | OVERRIDE) >>> 0;
    const advertisement = { type: ICMPV6.neighbourAdvertisement, code: 0, rest, body: answer };
    this.message(advertisement, asker === '::' ? ALL_NODES : asker, target);
  }

  /** RFC 4861 §7.2.5: only what is asked for is learned. */
  private advertised({ body }: Icmpv6Message): void {
    if (body.length < 16) return this.context.drop('ipv6', 'ndp-malformed');
    const target = ipv6At(body, 0);
    const mac = macOf(body, 16, OPTION.target);
    if (mac !== undefined && this.known.has(target)) this.learn(target, mac);
  }

  private learn(address: Ipv6Address, mac: MacAddress): void {
    const neighbour = this.known.get(address) ?? this.add(address);
    if (neighbour.mac !== mac) this.trace('learned', address, mac);
    neighbour.mac = mac;
    neighbour.confirmed = this.context.scheduler.now();
    neighbour.timer?.cancel();
    neighbour.timer = undefined;
    neighbour.asked = 0;
    for (const packet of neighbour.waiting.splice(0)) this.own.transmit(packet, mac, ETHERTYPE.ipv6);
  }

  /** RFC 4861 §6.3.4 and RFC 4862 §5.5.3. */
  private routerAdvertised(entry: Ipv6Interface, message: Icmpv6Message, router: Ipv6Address): void {
    const { body, rest } = message;
    if (body.length < 8) return this.context.drop('ipv6', 'ndp-malformed');
    const mac = macOf(body, 8, OPTION.source);
    if (mac !== undefined) this.learn(router, mac);
    this.ip.routes.remove(DEFAULT, router);
    const lifetime = rest & 0xffff;
    this.routerKnown = lifetime > 0;
    if (lifetime > 0) this.ip.routes.add({ prefix: DEFAULT, via: router, interface: entry });
    for (const option of optionsOf(body, 8)) {
      if (option.type !== OPTION.prefix || option.data.length < 30) continue;
      const [length, flags] = option.data;
      const autonomous = (flags & 0x40) !== 0 && length === 64;
      if (autonomous) {
        const address = withInterfaceId(ipv6At(option.data, 14), this.own.mac);
        this.ip.addAddress(entry, { address, length });
      }
    }
  }

  private macOption(type: number): Uint8Array {
    const { mac } = this.own;
    return Uint8Array.of(type, 1, ...Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (40 - 8 * i)) & 255));
  }

  private trace(action: 'who-has' | 'learned', address: Ipv6Address, mac?: MacAddress): void {
    const { trace, host, scheduler } = this.context;
    const known = mac === undefined ? {} : { mac: formatMac(mac) };
    trace?.({ kind: 'arp', time: scheduler.now(), host, action, address, ...known });
  }
}

/**
 * RFC 4861 §4.2, §6.2.3: "I am a router", and the prefixes of this link with which hosts make addresses. It is sent to
 * who asks; nothing is sent unasked, and so nothing keeps a world busy in which all is said.
 */
function routerAdvertisement(addresses: readonly Ipv6Prefix[], source: Uint8Array): Icmpv6Message {
  const prefixes = addresses.filter(own => own.length === 64 && !isLinkLocal(own.address)).map(prefixOption);
  const body = [new Uint8Array(8), source, ...prefixes].reduce(concat);
  return { type: ICMPV6.routerAdvertisement, code: 0, rest: ((HOP_LIMIT << 24) | ROUTER_LIFETIME) >>> 0, body };
}

/** RFC 4861 §4.6.2: on this link, and for addresses of one's own making (flags L and A). */
function prefixOption({ address, length }: Ipv6Prefix): Uint8Array {
  const option = new Uint8Array(32);
  const view = new DataView(option.buffer);
  option.set([OPTION.prefix, 4, length, 0xc0]);
  view.setUint32(4, VALID_LIFETIME);
  view.setUint32(8, PREFERRED_LIFETIME);
  option.set(addressBytes(address).subarray(0, length / 8), 16);
  return option;
}

interface Option {
  type: number;
  /** Behind type and length. */
  data: Uint8Array;
}

/** RFC 4861 §4.6: lengths in units of eight bytes; zero ends it, since it is malformed. */
function optionsOf(body: Uint8Array, from: number): Option[] {
  const options: Option[] = [];
  let at = from;
  while (at + 8 <= body.length) {
    const length = body[at + 1] * 8;
    if (length === 0 || at + length > body.length) break;
    options.push({ type: body[at], data: body.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

function macOf(body: Uint8Array, from: number, type: number): MacAddress | undefined {
  const option = optionsOf(body, from).find(each => each.type === type);
  return option?.data.subarray(0, 6).reduce((mac, byte) => mac * 256 + byte, 0);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
