/** What a router tells the hosts of a link (RFC 4861 §6.2): that it is one, and the prefixes with which they make addresses. */
import { ms } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { ALL_NODES } from '../wire/address6.ts';
import { ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { type Ipv6Address, isLinkLocal } from '../wire/ip-address.ts';
import { joined, macIn, macOption, NDP_OPTION, ndpOptions, prefixOption } from '../wire/ndp.ts';
import type { NdpPort } from './ndp-port.ts';
import type { Neighbours } from './neighbours.ts';

/** RFC 4861 §6.2.1: the defaults, in seconds. */
const ROUTER_LIFETIME = 1800;
const VALID_LIFETIME = 2_592_000;
const PREFERRED_LIFETIME = 604_800;
const HOP_LIMIT = 64;
/** RFC 4861 §10: MAX_RA_DELAY_TIME, milliseconds. */
const MAX_DELAY = 500;

export class RouterAdvertiser {
  private readonly scheduler: Scheduler;
  private readonly port: NdpPort;
  private readonly neighbours: Neighbours;
  private readonly random: Random;
  private waits = false;

  constructor(scheduler: Scheduler, port: NdpPort, neighbours: Neighbours, random: Random) {
    this.scheduler = scheduler;
    this.port = port;
    this.neighbours = neighbours;
    this.random = random;
  }

  /** RFC 4861 §6.1.1, §6.2.6. */
  solicited({ body }: Icmpv6Message, source: Ipv6Address): void {
    const options = ndpOptions(body, 0);
    const mac = options === undefined ? undefined : macIn(options, NDP_OPTION.source);
    if (options === undefined || (source === '::' && mac !== undefined)) return this.port.drop('ndp-malformed');
    if (!this.port.isRouter) return;
    if (mac !== undefined && source !== '::') this.neighbours.learn(source, mac, false);
    this.announce();
  }

  /** To all nodes: to who asks, and when what it says has changed. One stands for all that are due at once. */
  announce(): void {
    if (this.waits) return;
    this.waits = true;
    this.scheduler.at(this.scheduler.now() + ms(this.random.below(MAX_DELAY)), () => {
      this.waits = false;
      if (this.port.linkLocal !== undefined) this.port.message(this.advertisement(), ALL_NODES);
    });
  }

  /** RFC 4861 §4.2, §6.2.3. */
  private advertisement(): Icmpv6Message {
    const prefixes = this.port.addresses
      .filter(own => own.length === 64 && !isLinkLocal(own.address))
      .map(prefix =>
        prefixOption({
          prefix,
          onLink: true,
          autonomous: true,
          valid: VALID_LIFETIME,
          preferred: PREFERRED_LIFETIME,
        }),
      );
    const body = joined([new Uint8Array(8), macOption(NDP_OPTION.source, this.port.mac), ...prefixes]);
    return { type: ICMPV6.routerAdvertisement, code: 0, rest: ((HOP_LIMIT << 24) | ROUTER_LIFETIME) >>> 0, body };
  }
}
