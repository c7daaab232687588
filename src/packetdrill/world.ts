/** The host under test, and the wire on which a script sits at the other end. */
import type { Instant } from '../base/instant.ts';
import { seededRandom } from '../base/random.ts';
import { Host } from '../host/host.ts';
import type { Frame, Link, Unit } from '../link/types.ts';
import { VirtualClock } from '../sim/clock.ts';
import type { ProfileName } from '../transport/tcp/profiles.ts';
import type { TcpSettings } from '../transport/tcp/types.ts';
import { type IpAddress, isIpv6, parseIp } from '../wire/ip-address.ts';
import { type Sighting, sight } from './packets.ts';
import { TickingScheduler } from './ticks.ts';

export type IpVersion = 'ipv4' | 'ipv6' | 'ipv4-mapped-ipv6';

export interface WorldOptions {
  ipVersion: IpVersion;
  profile: ProfileName;
  mtu: number;
  localIp: string;
  remoteIp: string;
  seed: number;
  /** Ticks a second of the kernel that is under test; undefined: its timers are exact. */
  hz?: number;
}

/** Layer 3, as packetdrill's tun device is. */
class Tun implements Link {
  readonly name = 'tun0';
  readonly medium = 'ip';
  mtu: number;
  receive: (frame: Frame, unit?: Unit) => void = () => {};
  readonly sent: Sighting[] = [];
  /** A queue of no length (tc qdisc ... limit 0). */
  refuses = false;
  private readonly now: () => Instant;

  constructor(mtu: number, now: () => Instant) {
    this.mtu = mtu;
    this.now = now;
  }

  send(frame: Frame): void {
    const sighting = this.refuses ? undefined : sight(frame, this.now());
    if (sighting !== undefined) this.sent.push(sighting);
  }
}

export class World {
  readonly clock = new VirtualClock();
  readonly host: Host;
  readonly link: Tun;
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly profile: ProfileName;
  /** AF_INET or AF_INET6: what sockets are of. */
  readonly domain: 'AF_INET' | 'AF_INET6';
  /** Knobs that were set, by their short names. */
  readonly knobs = new Map<string, string>();
  /** When the script begins. */
  readonly startedAt: Instant;

  constructor(options: WorldOptions) {
    this.domain = options.ipVersion === 'ipv4' ? 'AF_INET' : 'AF_INET6';
    const { profile, mtu, seed } = options;
    this.profile = profile;
    const scheduler = options.hz === undefined ? this.clock : new TickingScheduler(this.clock, options.hz);
    this.host = new Host({ scheduler, random: seededRandom(seed) }, 'under test', { profile });
    this.link = new Tun(mtu, () => this.clock.now());
    this.local = addressOf('--local_ip', options.localIp);
    this.remote = addressOf('--remote_ip', options.remoteIp);
    // Timestamps and initial sequence numbers of a host that has just been switched on would be suspiciously small.
    this.clock.runSync(1e9);
    this.startedAt = this.now;
    if (isIpv6(this.local)) {
      const own = this.host.attach(this.link);
      this.host.enableIpv6(own, `${this.local}/64`);
      this.host.ip6.routes.add({ prefix: { address: '::', length: 0 }, interface: this.host.ip6.interfaces[0] });
    } else {
      const own = this.host.attach(this.link, `${options.localIp}/16`);
      this.host.ip.routes.add({ prefix: { address: 0, length: 0 }, interface: own });
    }
  }

  get now(): Instant {
    return this.clock.now();
  }

  /** Changes what connections to come begin with. */
  change(settings: Partial<TcpSettings>): void {
    this.host.tcp.settings = { ...this.host.tcp.settings, ...settings };
  }

  setRouteMtu(mtu: number): void {
    this.link.mtu = Math.min(this.link.mtu, mtu);
  }

  /** Connections that are there follow a change of the congestion control from where they are. */
  replaceCongestion(make: TcpSettings['congestionControl']): void {
    for (const { connection } of this.host.tcp.connections()) {
      const { settings, sender } = connection;
      if (settings.congestionControl === make) sender.recovery.congestion = make(settings);
    }
  }

  listens(port: number): boolean {
    return this.host.tcp.isListening(port);
  }
}

function addressOf(flag: string, text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new TypeError(`${flag}: '${text}' is no IP address`);
  return address;
}
