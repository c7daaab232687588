/**
 * The addresses and routes that a host makes itself (RFC 4862, and the host's half of RFC 4861 §6.3): a link-local
 * address, those of the prefixes that routers advertise, each tested for a double first, and default routes.
 */
import { type Duration, type Instant, ms, seconds } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';
import type { MacAddress } from '../wire/address.ts';
import { ALL_ROUTERS, type Ipv6Prefix, solicitedNode, withInterfaceId } from '../wire/address6.ts';
import { ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { addressBytes, type Ipv6Address, ipv6At, isLinkLocal, isMulticast6 } from '../wire/ip-address.ts';
import {
  type AdvertisedPrefix,
  macIn,
  macOption,
  NDP_OPTION,
  type NdpOption,
  ndpOptions,
  prefixIn,
  routerAdvertisementIn,
} from '../wire/ndp.ts';
import type { NdpPort, OwnAddress } from './ndp-port.ts';
import type { Neighbours } from './neighbours.ts';

/** RFC 4861 §10. */
const MAX_SOLICITATIONS = 3;
const SOLICITATION_INTERVAL = seconds(4);
const MAX_DELAY = 1000;
/** RFC 4862 §5.5.3 (e): a forged advertisement must not take an address away at once. */
const TWO_HOURS = seconds(7200);
const FOR_EVER = 0xffff_ffff;
const DEFAULT: Ipv6Prefix = { address: '::', length: 0 };
/** More prefixes than any link has; a forger has no end of them. */
const MOST_ADDRESSES = 16;
const MINIMUM_MTU = 1280;
/** Routes learned from redirects; the oldest goes first. */
const MAX_REDIRECTS = 256;

export const always = { preferredUntil: Number.POSITIVE_INFINITY, validUntil: Number.POSITIVE_INFINITY };

interface Router {
  address: Ipv6Address;
  until: Instant;
  /** When it was last heard, and for how long that holds. */
  lifetime: Duration;
}

export class Autoconfiguration {
  /** What routers say of this link: 0, nothing. */
  hopLimit = 0;
  mtu = 0;
  private readonly scheduler: Scheduler;
  private readonly port: NdpPort;
  private readonly neighbours: Neighbours;
  private readonly random: Random;
  /** Addresses that nobody else is known to have, or not to have. */
  private readonly tested = new Map<Ipv6Address, Timer>();
  private readonly routers: Router[] = [];
  private readonly redirects = new Set<Ipv6Address>();
  private solicitations = 0;
  private answered = false;
  private isFirst = true;

  constructor(scheduler: Scheduler, port: NdpPort, neighbours: Neighbours, random: Random) {
    this.scheduler = scheduler;
    this.port = port;
    this.neighbours = neighbours;
    this.random = random;
  }

  /** RFC 4862 §5.3: a link-local address; RFC 4861 §6.3.7: then a router is asked for. `ready`: there is one. */
  start(ready: () => void): void {
    const address = withInterfaceId('fe80::', this.port.mac);
    this.test({ address, length: 64, ...always }, () => {
      ready();
      this.solicitRouter();
    });
  }

  isTested(address: Ipv6Address): boolean {
    return this.tested.has(address);
  }

  /** RFC 4862 §5.4. One that is not ours yet becomes it afterwards; one that a person has given is used meanwhile. */
  test(address: OwnAddress, then: () => void = () => {}): void {
    const target = address.address;
    if (this.tested.has(target)) return;
    this.port.join(solicitedNode(target));
    // §5.4.2: "the node SHOULD delay joining ... by a random delay" where it is the first that it sends.
    const wait = this.isFirst ? ms(this.random.below(MAX_DELAY)) : 0;
    this.isFirst = false;
    const finish = (): void => {
      this.tested.delete(target);
      if (!this.port.has(target)) this.port.assign(address);
      then();
    };
    const ask = (): void => {
      const message = { type: ICMPV6.neighbourSolicitation, code: 0, rest: 0, body: addressBytes(target) };
      this.port.message(message, solicitedNode(target), '::');
      this.tested.set(target, this.after(this.neighbours.retransTimer, finish));
    };
    this.tested.set(target, this.after(wait, ask));
  }

  /** RFC 4862 §5.4.3, §5.4.4: somebody has it, or means to: "MUST NOT be assigned". */
  conflict(target: Ipv6Address, mac?: MacAddress): void {
    this.tested.get(target)?.cancel();
    this.tested.delete(target);
    this.port.note('conflict', target, mac);
    this.port.leave(solicitedNode(target));
    if (this.port.has(target)) this.port.withdraw(target);
  }

  private after(duration: Duration, run: () => void): Timer {
    return this.scheduler.at(this.scheduler.now() + duration, run);
  }

  // --- routers

  private solicitRouter(): void {
    if (this.port.isRouter || this.answered || this.solicitations >= MAX_SOLICITATIONS) return;
    this.solicitations++;
    const body = macOption(NDP_OPTION.source, this.port.mac);
    this.port.message({ type: ICMPV6.routerSolicitation, code: 0, rest: 0, body }, ALL_ROUTERS);
    this.after(SOLICITATION_INTERVAL, () => this.solicitRouter());
  }

  /** RFC 4861 §6.1.2, §6.3.4. */
  routerAdvertised({ body, rest }: Icmpv6Message, router: Ipv6Address): void {
    const options = body.length < 8 ? undefined : ndpOptions(body, 8);
    if (options === undefined || !isLinkLocal(router)) return this.port.drop('ndp-malformed');
    // RFC 4861 §6.2.6: a router learns nothing of others that way.
    if (this.port.isRouter) return;
    this.answered = true;
    const { hopLimit, lifetime, reachable, retransmit } = routerAdvertisementIn(rest, body);
    if (hopLimit > 0) this.hopLimit = hopLimit;
    if (reachable > 0 && reachable <= 3_600_000) this.neighbours.reachableBase = ms(reachable);
    if (retransmit > 0) this.neighbours.retransTimer = ms(retransmit);
    const mac = macIn(options, NDP_OPTION.source);
    if (mac !== undefined) this.neighbours.learn(router, mac, true);
    this.keepRouter(router, seconds(lifetime));
    for (const option of options) this.heed(option);
  }

  private heed(option: NdpOption): void {
    const prefix = prefixIn(option);
    if (prefix !== undefined) return this.prefixAdvertised(prefix);
    if (option.type !== NDP_OPTION.mtu || option.data.length < 6) return;
    const mtu = option.data.subarray(2, 6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (mtu >= MINIMUM_MTU && mtu <= this.port.mtu) this.mtu = mtu;
  }

  private keepRouter(address: Ipv6Address, lifetime: Duration): void {
    const at = this.routers.findIndex(each => each.address === address);
    const until = this.scheduler.now() + lifetime;
    if (lifetime === 0 && at >= 0) {
      this.routers.splice(at, 1);
      this.port.removeRoute(DEFAULT, address);
    } else if (at >= 0) {
      this.routers[at] = { address, until, lifetime };
    } else if (lifetime > 0 && this.routers.length < MOST_ADDRESSES) {
      this.routers.push({ address, until, lifetime });
      this.port.addRoute(DEFAULT, address);
    }
  }

  /**
   * RFC 4861 §6.3.6: one that does not answer is taken when there is no other, and one that says so no more (§7.3.3).
   * One that is in use is asked again when half of its lifetime is over, and so no router needs to speak unasked: a
   * world in which all is said stays at rest.
   */
  routerChanged(address: Ipv6Address, what: 'gone' | 'silent' | 'used'): void {
    const router = this.routers.find(each => each.address === address);
    if (router === undefined) return;
    const left = router.until - this.scheduler.now();
    if (what === 'gone' || left <= 0) return this.keepRouter(address, 0);
    if (what === 'silent') {
      // Behind all others.
      this.keepRouter(address, 0);
      this.keepRouter(address, left);
    } else if (left < router.lifetime / 2) {
      this.answered = false;
      this.solicitations = 0;
      this.solicitRouter();
    }
  }

  /** RFC 4861 §6.3.4 (which addresses are on this link), RFC 4862 §5.5.3 (which of them may be ours). */
  private prefixAdvertised({ prefix, onLink, autonomous, valid, preferred }: AdvertisedPrefix): void {
    if (isLinkLocal(prefix.address) || isMulticast6(prefix.address)) return;
    if (onLink) {
      this.port.removeRoute(prefix);
      if (valid > 0) this.port.addRoute(prefix);
    }
    if (!autonomous || preferred > valid || prefix.length !== 64) return;
    const address = withInterfaceId(prefix.address, this.port.mac);
    const now = this.scheduler.now();
    const until = (lifetime: number): Instant =>
      lifetime === FOR_EVER ? Number.POSITIVE_INFINITY : now + seconds(lifetime);
    const own = this.port.addresses.find(each => each.address === address);
    if (own !== undefined) {
      own.preferredUntil = until(preferred);
      const isBelieved = seconds(valid) > TWO_HOURS || until(valid) > own.validUntil;
      if (isBelieved) own.validUntil = until(valid);
      else own.validUntil = Math.min(own.validUntil, now + TWO_HOURS);
    } else if (valid > 0 && this.port.addresses.length < MOST_ADDRESSES) {
      this.test({ address, length: 128, preferredUntil: until(preferred), validUntil: until(valid) });
    }
  }

  /** RFC 4861 §8.1, §8.3: from the router in use for that destination, a better one, or the destination itself. */
  redirected(
    { body }: Icmpv6Message,
    source: Ipv6Address,
    isInUse: (router: Ipv6Address, to: Ipv6Address) => boolean,
  ): void {
    const options = body.length < 32 ? undefined : ndpOptions(body, 32);
    if (options === undefined || !isLinkLocal(source)) return this.port.drop('ndp-malformed');
    const [target, destination] = [ipv6At(body, 0), ipv6At(body, 16)];
    const isRouter = target !== destination;
    if (isMulticast6(destination) || (isRouter && !isLinkLocal(target))) return this.port.drop('ndp-malformed');
    if (this.port.isRouter || !isInUse(source, destination)) return this.port.drop('redirect-not-believed');
    const mac = macIn(options, NDP_OPTION.target);
    if (mac !== undefined) this.neighbours.learn(target, mac, isRouter ? true : undefined);
    if (this.redirects.size >= MAX_REDIRECTS) this.forgetRedirect(this.redirects.values().next().value as Ipv6Address);
    this.forgetRedirect(destination);
    this.redirects.add(destination);
    this.port.addRoute({ address: destination, length: 128 }, isRouter ? target : undefined);
  }

  private forgetRedirect(destination: Ipv6Address): void {
    if (this.redirects.delete(destination)) this.port.removeRoute({ address: destination, length: 128 });
  }
}
