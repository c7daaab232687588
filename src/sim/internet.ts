/**
 * A sealed internet under construction: hosts, cables, switches, and the routes that follow from how they are joined.
 * Everything in it comes from one clock and one seed.
 */
import { type Duration, ms } from '../base/instant.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { SlabAllocator } from '../base/slab.ts';
import { Host, type HostOptions, type World } from '../host/host.ts';
import type { NetworkInterface } from '../internet/interface.ts';
import { Cable, type CableOptions } from '../link/cable.ts';
import { Switch } from '../link/switch.ts';
import type { Trace } from '../trace/events.ts';
import { formatIpv4, formatPrefix, type Ipv4Address, networkOf, type Prefix, parsePrefix } from '../wire/address.ts';
import { VirtualClock } from './clock.ts';

export interface InternetOptions {
  seed?: number | string;
  trace?: Trace;
}

/** A host's place on a network. */
interface Attachment {
  host: Host;
  interface: NetworkInterface;
  address: Ipv4Address;
}

interface Segment {
  prefix: Prefix;
  delay: Duration;
  members: Attachment[];
  /** Not told to routers elsewhere: a home's private network. */
  isPrivate: boolean;
}

export class Internet implements World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly trace: Trace | undefined;
  readonly slab = new SlabAllocator();
  readonly hosts = new Map<string, Host>();
  readonly cables = new Map<string, Cable>();
  readonly switches = new Map<string, Switch>();
  private readonly segments: Segment[] = [];

  constructor(options: InternetOptions = {}) {
    this.random = seededRandom(options.seed ?? 1);
    this.trace = options.trace;
  }

  get scheduler(): VirtualClock {
    return this.clock;
  }

  host(name: string, options?: HostOptions): Host {
    if (this.hosts.has(name)) throw new TypeError(`there is a host '${name}' already`);
    const host = new Host(this, name, options);
    this.hosts.set(name, host);
    return host;
  }

  router(name: string, options: HostOptions = {}): Host {
    return this.host(name, { ...options, router: true });
  }

  /** Two hosts on one cable. Addresses with their prefix length: '198.18.0.1/30'. */
  join(a: Host, addressA: string, b: Host, addressB: string, options: Partial<CableOptions> = {}): Cable {
    const cable = this.cable(a.name, b.name, options);
    const segment = this.segment(addressA, options.delay ?? 0);
    this.attach(segment, a, addressA, cable.a);
    this.attach(segment, b, addressB, cable.b);
    return cable;
  }

  /** Hosts on a switch, each by a cable of its own. */
  lan(
    name: string,
    members: readonly (readonly [Host, string])[],
    options: Partial<CableOptions> = {},
    isPrivate = false,
  ): Switch {
    const made = new Switch(name, this.clock);
    this.switches.set(name, made);
    const segment = this.segment(members[0][1], (options.delay ?? 0) * 2, isPrivate);
    for (const [host, address] of members) this.plugIn(made, segment, host, address, options);
    return made;
  }

  /** One more host on a switch. */
  extend(lan: Switch, host: Host, address: string, options: Partial<CableOptions> = {}): void {
    const wanted = parsePrefix(address);
    const segment = this.segments.find(
      s => wanted !== undefined && formatPrefix(s.prefix) === formatPrefix(networkPrefix(wanted)),
    );
    if (segment === undefined) throw new TypeError(`${address} is on no network of this internet`);
    this.plugIn(lan, segment, host, address, options);
  }

  /**
   * Gives every host its default route and every router a route to every network, by the least delay. Called once the
   * topology stands; again after it was extended.
   */
  route(): void {
    for (const host of this.hosts.values()) {
      if (host.ip.forwarding) this.routeRouter(host);
      else this.routeLeaf(host);
    }
  }

  private routeLeaf(host: Host): void {
    const own = this.segments.find(segment => segment.members.some(member => member.host === host));
    const gateway = own?.members.find(member => member.host.ip.forwarding);
    if (gateway !== undefined && host.ip.routes.lookup(0xdfffffff) === undefined)
      host.route('default', formatIpv4(gateway.address));
  }

  /** Dijkstra from one router over the networks that it can see. */
  private routeRouter(router: Host): void {
    const best = new Map<Host, { cost: number; via: Ipv4Address | undefined }>([[router, { cost: 0, via: undefined }]]);
    const open = new Set<Host>([router]);
    while (open.size > 0) {
      const at = [...open].reduce((a, b) => ((best.get(a)?.cost ?? 0) <= (best.get(b)?.cost ?? 0) ? a : b));
      open.delete(at);
      const here = best.get(at) as { cost: number; via: Ipv4Address | undefined };
      for (const segment of this.visible(at)) {
        this.routeTo(router, segment.prefix, here.via);
        for (const member of segment.members) {
          const cost = here.cost + segment.delay + 1;
          const isBetter = cost < (best.get(member.host)?.cost ?? Number.POSITIVE_INFINITY);
          if (!member.host.ip.forwarding || !isBetter) continue;
          best.set(member.host, { cost, via: here.via ?? (at === router ? member.address : undefined) });
          open.add(member.host);
        }
      }
    }
  }

  private visible(host: Host): Segment[] {
    return this.segments.filter(segment => !segment.isPrivate && segment.members.some(member => member.host === host));
  }

  private routeTo(router: Host, prefix: Prefix, via: Ipv4Address | undefined): void {
    const known = router.ip.routes.routes.some(
      route => formatPrefix(networkPrefix(route.prefix)) === formatPrefix(prefix),
    );
    if (!known && via !== undefined) router.route(formatPrefix(prefix), formatIpv4(via));
  }

  private segment(address: string, delay: Duration, isPrivate = false): Segment {
    const parsed = parsePrefix(address);
    if (parsed === undefined) throw new TypeError(`'${address}' is not an address with a prefix length`);
    const segment: Segment = { prefix: networkPrefix(parsed), delay, members: [], isPrivate };
    this.segments.push(segment);
    return segment;
  }

  private plugIn(lan: Switch, segment: Segment, host: Host, address: string, options: Partial<CableOptions>): void {
    const cable = this.cable(host.name, lan.name, options);
    this.attach(segment, host, address, cable.a);
    lan.attach(cable.b);
  }

  private cable(a: string, b: string, options: Partial<CableOptions>): Cable {
    const name = `${a}:${b}`;
    const cable = new Cable(
      name,
      { delay: ms(0.05), ...options },
      { scheduler: this.clock, random: this.random, trace: this.trace },
      [a, b],
    );
    this.cables.set(name, cable);
    return cable;
  }

  private attach(segment: Segment, host: Host, address: string, link: Cable['a']): void {
    const own = parsePrefix(address) as Prefix;
    segment.members.push({ host, interface: host.attach(link, address), address: own.address });
  }
}

const networkPrefix = (p: Prefix): Prefix => ({ address: networkOf(p.address, p.length), length: p.length });
