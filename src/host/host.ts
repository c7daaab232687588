/** A host: every layer of the stack, plugged together. The only folder that names concrete classes of all of them. */
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { SlabAllocator } from '../base/slab.ts';
import type { ArpSettings } from '../internet/arp.ts';
import { DualStack } from '../internet/dual-stack.ts';
import type { NetworkInterface } from '../internet/interface.ts';
import { Ipv4Layer } from '../internet/ipv4.ts';
import { Ipv6Layer } from '../internet/ipv6.ts';
import { Nat, type NatSettings } from '../internet/nat.ts';
import type { Link } from '../link/types.ts';
import { StackNetwork } from '../socket/stack.ts';
import type { Network } from '../socket/types.ts';
import { HostContext } from '../trace/context.ts';
import type { Trace } from '../trace/events.ts';
import { TcpLayer } from '../transport/tcp/layer.ts';
import { PROFILES, type ProfileName } from '../transport/tcp/profiles.ts';
import type { TcpSettings } from '../transport/tcp/types.ts';
import { UdpLayer } from '../transport/udp/layer.ts';
import { ip, type MacAddress, parsePrefix, prefix } from '../wire/address.ts';
import { inPrefix6, parsePrefix6 } from '../wire/address6.ts';
import { type IpAddress, type Ipv6Address, isIpv6, parseIp } from '../wire/ip-address.ts';
import { type PingOptions, type PingResult, ping } from './ping.ts';

/** What a host shares with the others of its world. */
export interface World {
  scheduler: Scheduler;
  random: Random;
  trace?: Trace;
  /** Where all of them make their packets; by default each for itself. */
  slab?: SlabAllocator;
}

export interface HostOptions {
  /** Whose behaviour its TCP has; default 'rfc'. */
  profile?: ProfileName;
  tcp?: Partial<TcpSettings>;
  /** Forwards what is not for it. */
  router?: boolean;
  arp?: Partial<ArpSettings>;
}

/** '10.0.0.1/24' or 'fd00::1/64'. Throws TypeError. */
export function parseOwnAddress(text: string): { address: IpAddress; length: number } {
  const parsed = parsePrefix(text) ?? parsePrefix6(text);
  if (parsed === undefined) throw new TypeError(`'${text}' is not an address with a prefix length`);
  return parsed;
}

export class Host {
  readonly name: string;
  readonly context: HostContext;
  readonly ip: Ipv4Layer;
  readonly ip6: Ipv6Layer;
  readonly udp: UdpLayer;
  readonly tcp: TcpLayer;
  readonly network: Network;
  private readonly macs: Random;
  private readonly arp: Partial<ArpSettings> | undefined;

  constructor(world: World, name: string, options: HostOptions = {}) {
    this.name = name;
    const random = world.random.fork(`host ${name}`);
    this.macs = random.fork('mac');
    this.arp = options.arp;
    this.context = new HostContext(name, world.scheduler, random, world.trace, world.slab);
    this.ip = new Ipv4Layer(this.context);
    this.ip.forwarding = options.router ?? false;
    this.ip6 = new Ipv6Layer(this.context);
    this.ip6.forwarding = options.router ?? false;
    const internet = new DualStack(this.ip, this.ip6);
    this.udp = new UdpLayer(this.context, internet);
    this.tcp = new TcpLayer(this.context, internet, { ...PROFILES[options.profile ?? 'rfc'], ...options.tcp });
    this.network = new StackNetwork(this.tcp, this.udp, world.scheduler);
  }

  /**
   * Attaches a link's end with its addresses: '10.0.0.1/24', 'fd00::1/64', or a list of both. Without `mac`, a locally
   * administered one by the seed.
   */
  attach(link: Link, address?: string | readonly string[], mac: MacAddress = this.randomMac()): NetworkInterface {
    const wanted = (typeof address === 'string' ? [address] : (address ?? [])).map(parseOwnAddress);
    const own = this.ip.addInterface(`eth${this.ip.interfaces.length}`, mac, link, undefined, this.arp);
    for (const { address, length } of wanted) {
      if (typeof address === 'number') this.ip.addAddress(own, { address, length });
      else this.ip6.enable(own, { address, length });
    }
    return own;
  }

  /** Speaks IPv6 on an interface: with this address ('fd00::1/64'), or with those that routers make (RFC 4862). */
  enableIpv6(own: NetworkInterface, address?: string): void {
    const prefix6 = address === undefined ? undefined : parsePrefix6(address);
    if (address !== undefined && prefix6 === undefined) {
      throw new TypeError(`'${address}' is not an IPv6 address with a prefix length`);
    }
    this.ip6.enable(own, prefix6);
  }

  /** A route 'to' a prefix or 'default', by a gateway on one of our networks; IPv6 where the gateway's address is of it. */
  route(to: string, via: string): void {
    const next = parseIp(via);
    if (next !== undefined && isIpv6(next)) return this.route6(to, next);
    const gateway = ip(via);
    const out = this.ip.routes.lookup(gateway)?.interface;
    if (out === undefined) throw new TypeError(`${this.name}: the gateway ${via} is on none of its networks`);
    this.ip.routes.add({ prefix: prefix(to === 'default' ? '0.0.0.0/0' : to), via: gateway, interface: out });
  }

  hasDefaultRoute(version: 'v4' | 'v6'): boolean {
    return this.hasRoute({ address: version === 'v4' ? 0 : '::', length: 0 });
  }

  /** To this very network, and no smaller or larger one. */
  hasRoute({ address, length }: { address: IpAddress; length: number }): boolean {
    return typeof address === 'number' ? this.ip.routes.has(address, length) : this.ip6.routes.has(address, length);
  }

  private route6(to: string, via: Ipv6Address): void {
    const out = this.ip6.interfaces.find(each => each.addresses.some(own => inPrefix6(via, own)));
    if (out === undefined) throw new TypeError(`${this.name}: the gateway ${via} is on none of its networks`);
    const wanted = parsePrefix6(to === 'default' ? '::/0' : to);
    if (wanted === undefined) throw new TypeError(`'${to}' is not an IPv6 address with a prefix length`);
    this.ip6.routes.add({ prefix: wanted, via, interface: out });
  }

  /** Makes a NAT of a router: what leaves by `outside` carries that interface's address. */
  translate(outside: NetworkInterface, settings?: Partial<NatSettings>): Nat {
    const nat = new Nat(this.context, outside.name, () => outside.address, settings);
    this.ip.nat = nat;
    return nat;
  }

  /** A host that is off neither sends nor receives. */
  set powered(on: boolean) {
    for (const own of this.ip.interfaces) own.up = on;
  }

  ping(destination: string, options?: PingOptions): Promise<PingResult[]> {
    const address = parseIp(destination);
    if (address !== undefined && isIpv6(address)) return ping(this.context, this.ip6.icmp, address, options);
    return ping(this.context, this.ip.icmp, ip(destination), options);
  }

  private randomMac(): MacAddress {
    return 0x0200_0000_0000 + this.macs.u32();
  }
}
