/**
 * A sealed internet under construction: hosts, cables, switches, and the routes that follow from how they are joined.
 * Everything in it comes from one clock and one seed.
 */
import { type Duration, ms } from '../base/instant.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { SlabAllocator } from '../base/slab.ts';
import { Host, type HostOptions, parseOwnAddress, type World } from '../host/host.ts';
import { Cable, type CableOptions } from '../link/cable.ts';
import { Switch } from '../link/switch.ts';
import type { Trace } from '../trace/events.ts';
import { networkOf } from '../wire/address.ts';
import { networkOf6 } from '../wire/address6.ts';
import type { IpAddress } from '../wire/ip-address.ts';
import { VirtualClock } from './clock.ts';
import { type Net, routeAll, type Segment, type Version } from './routing.ts';

export interface InternetOptions {
  seed?: number | string;
  trace?: Trace;
}

/** An address with its prefix length, '198.18.0.1/30' or 'fd00::1/64'; or one of each version. */
export type Addresses = string | readonly string[];

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

  /** Two hosts on one cable. */
  join(a: Host, addressA: Addresses, b: Host, addressB: Addresses, options: Partial<CableOptions> = {}): Cable {
    const cable = this.cable(a.name, b.name, options);
    const segment = this.segment(addressA, options.delay ?? 0);
    this.attach(segment, a, addressA, cable.a);
    this.attach(segment, b, addressB, cable.b);
    return cable;
  }

  /** Hosts on a switch, each by a cable of its own. */
  lan(
    name: string,
    members: readonly (readonly [Host, Addresses])[],
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
  extend(lan: Switch, host: Host, address: Addresses, options: Partial<CableOptions> = {}): void {
    const nets = netsOf(address);
    const isSame = (segment: Segment, version: Version): boolean =>
      nets[version] !== undefined &&
      segment.nets[version]?.address === nets[version].address &&
      segment.nets[version].length === nets[version].length;
    const segment = this.segments.find(known => isSame(known, 'v4') || isSame(known, 'v6'));
    if (segment === undefined) throw new TypeError(`${address} is on no network of this internet`);
    this.plugIn(lan, segment, host, address, options);
  }

  /**
   * Gives every host its default route and every router a route to every network, by the least delay. Called once the
   * topology stands; again after it was extended.
   */
  route(): void {
    routeAll(this.hosts.values(), this.segments);
  }

  private segment(address: Addresses, delay: Duration, isPrivate = false): Segment {
    const segment: Segment = { nets: netsOf(address), delay, members: [], isPrivate };
    this.segments.push(segment);
    return segment;
  }

  private plugIn(lan: Switch, segment: Segment, host: Host, address: Addresses, options: Partial<CableOptions>): void {
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

  private attach(segment: Segment, host: Host, address: Addresses, link: Cable['a']): void {
    host.attach(link, address);
    const addresses: Partial<Record<Version, IpAddress>> = {};
    for (const own of parsed(address)) addresses[versionOf(own.address)] ??= own.address;
    segment.members.push({ host, addresses });
  }
}

const versionOf = (address: IpAddress): Version => (typeof address === 'number' ? 'v4' : 'v6');

const parsed = (addresses: Addresses): Net[] =>
  (typeof addresses === 'string' ? [addresses] : addresses).map(parseOwnAddress);

/** The networks that they are on. */
function netsOf(addresses: Addresses): Segment['nets'] {
  const nets: Segment['nets'] = {};
  for (const { address, length } of parsed(addresses)) {
    const network = typeof address === 'number' ? networkOf(address, length) : networkOf6(address, length);
    nets[versionOf(address)] ??= { address: network, length };
  }
  return nets;
}
