/**
 * The neighbour cache of one interface (RFC 4861 §5.1, §7.2, §7.3): whose MAC address an IPv6 address has, and whether
 * that neighbour still is where it was.
 *
 * INCOMPLETE: asked for, packets wait. REACHABLE: known a moment ago. STALE: not lately. DELAY: used nevertheless, and
 * given a chance to be confirmed. PROBE: asked by unicast.
 */
import { type Duration, type Instant, ms, seconds } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';
import type { MacAddress } from '../wire/address.ts';
import { ALL_NODES, multicastMac6, solicitedNode } from '../wire/address6.ts';
import { ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { addressBytes, type Ipv6Address, ipv6At, isMulticast6 } from '../wire/ip-address.ts';
import { ADVERTISED, joined, macIn, macOption, NDP_OPTION, ndpOptions } from '../wire/ndp.ts';
import type { Packet } from '../wire/packet.ts';
import type { NdpPort } from './ndp-port.ts';
import type { IncomingDatagram } from './types.ts';

/** RFC 4861 §10. */
const MAX_SOLICITATIONS = 3;
const DELAY_FIRST_PROBE = seconds(5);
/** RFC 4861 §7.2.2: packets that wait for an address; the oldest goes first. */
const MAX_WAITING = 64;
const MAX_NEIGHBOURS = 1024;

type Reachability = 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE';

export interface Neighbour {
  readonly address: Ipv6Address;
  mac: MacAddress;
  state: Reachability;
  /** REACHABLE lasts so long; looked at when it is used, not by a timer. */
  until: Instant;
  isRouter: boolean;
  asked: number;
  waiting: Packet[];
  timer: Timer | undefined;
}

export class Neighbours {
  /** RFC 4861 §6.3.4: routers may say otherwise. */
  retransTimer: Duration = seconds(1);
  reachableBase: Duration = seconds(30);
  private readonly scheduler: Scheduler;
  private readonly port: NdpPort;
  private readonly makeRandom: () => Random;
  private random: Random | undefined = undefined;
  private readonly known = new Map<Ipv6Address, Neighbour>();

  constructor(scheduler: Scheduler, port: NdpPort, makeRandom: () => Random) {
    this.scheduler = scheduler;
    this.port = port;
    this.makeRandom = makeRandom;
  }

  /** For a person. */
  list(): { address: Ipv6Address; mac: MacAddress; state: string }[] {
    return [...this.known.values()]
      .filter(({ state }) => state !== 'INCOMPLETE')
      .map(({ address, mac, state }) => ({ address, mac, state }));
  }

  macOf(address: Ipv6Address): MacAddress | undefined {
    const neighbour = this.known.get(address);
    return neighbour === undefined || neighbour.state === 'INCOMPLETE' ? undefined : neighbour.mac;
  }

  /**
   * `packet` starts with its IPv6 header; `nextHop` is on this link. Answers who took it, if that is known already.
   * `last`: what was answered the last time, so that it need not be looked up.
   */
  send(packet: Packet, nextHop: Ipv6Address, last?: Neighbour): Neighbour | undefined {
    const neighbour = last !== undefined && last.state !== 'INCOMPLETE' ? last : this.known.get(nextHop);
    if (neighbour === undefined || neighbour.state === 'INCOMPLETE') {
      this.sendToUnknown(packet, nextHop, neighbour);
      return undefined;
    }
    this.port.transmit(packet, neighbour.mac);
    if (neighbour.state === 'STALE') this.delay(neighbour);
    else if (neighbour.state === 'REACHABLE' && this.scheduler.now() >= neighbour.until) this.delay(neighbour);
    return neighbour;
  }

  private sendToUnknown(packet: Packet, nextHop: Ipv6Address, known: Neighbour | undefined): void {
    if (isMulticast6(nextHop)) return this.port.transmit(packet, multicastMac6(nextHop));
    const neighbour = known ?? this.add(nextHop);
    neighbour.waiting.push(packet);
    if (neighbour.waiting.length > MAX_WAITING) {
      neighbour.waiting.shift();
      this.port.drop('ndp-queue-full');
    }
    if (neighbour.timer === undefined) this.solicit(neighbour);
  }

  private add(address: Ipv6Address): Neighbour {
    if (this.known.size >= MAX_NEIGHBOURS) {
      const oldest = this.known.values().next().value as Neighbour;
      this.forget(oldest);
      for (const _ of oldest.waiting) this.port.drop('ndp-table-full');
    }
    const neighbour: Neighbour = {
      address,
      mac: 0,
      state: 'INCOMPLETE',
      until: 0,
      isRouter: false,
      asked: 0,
      waiting: [],
      timer: undefined,
    };
    this.known.set(address, neighbour);
    return neighbour;
  }

  private forget(neighbour: Neighbour): void {
    neighbour.timer?.cancel();
    neighbour.state = 'INCOMPLETE'; // others may have kept it
    this.known.delete(neighbour.address);
  }

  // --- is it still there?

  /** RFC 4861 §7.3.2: a word from it within five seconds spares the question. */
  private delay(neighbour: Neighbour): void {
    neighbour.state = 'DELAY';
    neighbour.asked = 0;
    if (neighbour.isRouter) this.port.routerChanged(neighbour.address, 'used');
    this.later(neighbour, DELAY_FIRST_PROBE, () => {
      neighbour.state = 'PROBE';
      this.solicit(neighbour);
    });
  }

  /** RFC 4861 §7.2.2 by multicast, §7.3.3 by unicast. */
  private solicit(neighbour: Neighbour): void {
    const { address, state } = neighbour;
    if (neighbour.asked >= MAX_SOLICITATIONS) return this.giveUp(neighbour);
    neighbour.asked++;
    const body = joined([addressBytes(address), macOption(NDP_OPTION.source, this.port.mac)]);
    const message = { type: ICMPV6.neighbourSolicitation, code: 0, rest: 0, body };
    if (state === 'PROBE') this.port.message(message, address, this.senderFor(neighbour), neighbour.mac);
    else {
      this.port.note('who-has', address);
      this.port.message(message, solicitedNode(address), this.senderFor(neighbour));
    }
    this.later(neighbour, this.retransTimer, () => this.solicit(neighbour));
  }

  /** RFC 4861 §7.2.2: that of the packet which prompts it, if it is ours: then its answer will find it here. */
  private senderFor({ waiting }: Neighbour): Ipv6Address | undefined {
    const [first] = waiting;
    const source = first === undefined ? undefined : ipv6At(first.bytes, first.start + 8);
    return source !== undefined && this.port.has(source)
      ? source
      : (this.port.linkLocal ?? this.port.addresses[0]?.address);
  }

  private giveUp(neighbour: Neighbour): void {
    this.forget(neighbour);
    this.port.note('failed', neighbour.address);
    if (neighbour.isRouter) this.port.routerChanged(neighbour.address, 'silent');
    for (const packet of neighbour.waiting) this.port.unresolved(packet);
  }

  private later(neighbour: Neighbour, after: Duration, run: () => void): void {
    neighbour.timer?.cancel();
    neighbour.timer = this.scheduler.at(this.scheduler.now() + after, () => {
      neighbour.timer = undefined;
      run();
    });
  }

  // --- what is told

  /** RFC 4861 §7.2.3, §7.2.4; who asks for an address that he means to take himself is autoconfiguration's matter. */
  solicited({ body }: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>): void {
    const options = body.length < 16 ? undefined : ndpOptions(body, 16);
    const target = options === undefined ? '::' : ipv6At(body, 0);
    const mac = options === undefined ? undefined : macIn(options, NDP_OPTION.source);
    const asker = datagram.source;
    const isOdd = asker === '::' && (mac !== undefined || !datagram.toMany);
    if (options === undefined || isMulticast6(target) || isOdd) return this.port.drop('ndp-malformed');
    if (!this.port.has(target)) return;
    if (mac !== undefined) this.learn(asker, mac, false);
    this.advertise(target, asker === '::' ? ALL_NODES : asker);
  }

  /** RFC 4861 §7.2.4; unasked (§7.2.6) to all nodes. */
  advertise(target: Ipv6Address, to: Ipv6Address): void {
    const router = this.port.isRouter ? ADVERTISED.router : 0;
    const rest = (router | (to === ALL_NODES ? 0 : ADVERTISED.solicited) | ADVERTISED.override) >>> 0;
    const body = joined([addressBytes(target), macOption(NDP_OPTION.target, this.port.mac)]);
    this.port.message({ type: ICMPV6.neighbourAdvertisement, code: 0, rest, body }, to, target);
  }

  /** RFC 4861 §7.2.5, in its order. */
  advertised({ body, rest }: Icmpv6Message, toMany: boolean): void {
    const options = body.length < 16 ? undefined : ndpOptions(body, 16);
    const isSolicited = (rest & ADVERTISED.solicited) !== 0;
    if (options === undefined || (toMany && isSolicited)) return this.port.drop('ndp-malformed');
    const neighbour = this.known.get(ipv6At(body, 0));
    if (neighbour === undefined) return; // "there is no need to create an entry"
    const mac = macIn(options, NDP_OPTION.target);
    const isRouter = (rest & ADVERTISED.router) !== 0;
    if (neighbour.state === 'INCOMPLETE') {
      if (mac === undefined) return;
      neighbour.isRouter = isRouter;
      return this.resolved(neighbour, mac, isSolicited);
    }
    const isNew = mac !== undefined && mac !== neighbour.mac;
    if ((rest & ADVERTISED.override) === 0 && isNew) {
      if (neighbour.state === 'REACHABLE') neighbour.state = 'STALE';
      return;
    }
    if (isNew) this.rename(neighbour, mac);
    if (isSolicited) this.confirm(neighbour);
    else if (isNew) this.becomesStale(neighbour);
    if (neighbour.isRouter && !isRouter) this.port.routerChanged(neighbour.address, 'gone');
    neighbour.isRouter = isRouter;
  }

  /** RFC 4861 §7.2.3, §6.2.6, §6.3.4, §8.3: a MAC address that came along with something else. */
  learn(address: Ipv6Address, mac: MacAddress, isRouter: boolean | undefined): void {
    const known = this.known.get(address);
    const neighbour = known ?? this.add(address);
    if (isRouter !== undefined && (known === undefined || isRouter)) neighbour.isRouter = isRouter;
    if (neighbour.state === 'INCOMPLETE') return this.resolved(neighbour, mac, false);
    if (neighbour.mac === mac) return;
    this.rename(neighbour, mac);
    this.becomesStale(neighbour);
  }

  private resolved(neighbour: Neighbour, mac: MacAddress, isSolicited: boolean): void {
    this.rename(neighbour, mac);
    if (isSolicited) this.confirm(neighbour);
    else this.becomesStale(neighbour);
    for (const packet of neighbour.waiting.splice(0)) this.send(packet, neighbour.address);
  }

  private rename(neighbour: Neighbour, mac: MacAddress): void {
    neighbour.mac = mac;
    this.port.note('learned', neighbour.address, mac);
  }

  private becomesStale(neighbour: Neighbour): void {
    neighbour.state = 'STALE';
    neighbour.timer?.cancel();
    neighbour.timer = undefined;
  }

  /** RFC 4861 §6.3.2: for a random time, half as long as the base or half longer. */
  private confirm(neighbour: Neighbour): void {
    this.becomesStale(neighbour);
    neighbour.state = 'REACHABLE';
    this.random ??= this.makeRandom();
    const milliseconds = this.reachableBase / ms(1);
    neighbour.until = this.scheduler.now() + ms(milliseconds / 2 + this.random.below(Math.max(1, milliseconds)));
  }
}
