/**
 * The built-in internet: a home behind a NAT router, a provider with its resolver, a backbone, root, TLD and
 * authoritative name servers, and web servers in different places.
 *
 *   laptop ─┐                                      ┌─ a.root      ┌─ ns1.nic  img
 *   phone  ─┴─ home-router ─ isp-edge ─ bb-west ─ bb-east ────────┘  b.root ns2.nic ns2.example
 *                              │            └── bb-north ─ dc-router ─ www  ns1.example
 *                           resolver
 */

import { Browser } from '../../application/browser/browser.ts';
import { AuthoritativeServer, Zone } from '../../application/dns/authoritative.ts';
import { DnsCache } from '../../application/dns/cache.ts';
import { Forwarder } from '../../application/dns/forwarder.ts';
import { HostsFile } from '../../application/dns/hosts-file.ts';
import { RecursiveResolver } from '../../application/dns/recursive.ts';
import { serveResolver } from '../../application/dns/resolver-server.ts';
import { type DnsHandler, DnsServer } from '../../application/dns/server.ts';
import type { ContentCodings } from '../../application/http1/codings.ts';
import { HttpServer, type RequestHandler } from '../../application/http1/server.ts';
import { type FileStore, staticFiles } from '../../application/http1/static.ts';
import { type Duration, minutes, ms, seconds } from '../../base/instant.ts';
import type { Host } from '../../host/host.ts';
import type { Cable, CableOptions } from '../../link/cable.ts';
import type { Switch } from '../../link/switch.ts';
import { ip } from '../../wire/address.ts';
import { absoluteName } from '../../wire/dns-name.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { wallClock } from '../epoch.ts';
import { Internet, type InternetOptions } from '../internet.ts';
import { exampleImages, exampleSite } from './site.ts';
import { ARPA_ZONE, EXAMPLE_ZONE, ROOT_ZONE, TEST_ZONE } from './zones.ts';

export interface BuiltinOptions extends InternetOptions {
  /** On the laptop's Wi-Fi, each way: 0 .. 1. Its own link sees all that it sends and all that is sent to it, lost or not. */
  loss?: number;
  /** Added there, each way. */
  delay?: Duration;
  /** More of a cable's faults there. */
  wifi?: Partial<CableOptions>;
  codings?: ContentCodings;
  /** Sites that join under `test.`: host name to files. */
  sites?: ReadonlyMap<string, FileStore>;
  hostsFile?: string;
}

const ACCESS: Partial<CableOptions> = { delay: ms(6), bandwidth: 50e6, queue: 128 * 1024 };
const LAN: Partial<CableOptions> = { delay: ms(0.05), bandwidth: 1e9 };
const WIFI: Partial<CableOptions> = { delay: ms(0.6), bandwidth: 300e6 };
const BACKBONE: Partial<CableOptions> = { bandwidth: 10e9, queue: 4 << 20 };

export class BuiltinInternet extends Internet {
  /** The laptop's own link. */
  readonly wifi: Cable;
  readonly laptop: Host;
  readonly laptopResolver: Forwarder;
  readonly routerResolver: Forwarder;
  readonly resolver: RecursiveResolver;
  private readonly options: BuiltinOptions;
  private readonly hosting: Switch;
  private readonly testZone: Zone;
  private hostedSites = 0;

  constructor(options: BuiltinOptions = {}) {
    super(options);
    this.options = options;
    const [home, provider] = [this.buildHome(), this.buildProvider()];
    const { loss = 0, delay = 0, wifi } = options;
    this.wifi = this.cables.get('laptop:home-switch') as Cable;
    this.wifi.set({ loss, ...wifi, delay: this.wifi.forward.options.delay + delay });
    this.join(home.router, '198.51.100.2/30', provider.edge, '198.51.100.1/30', ACCESS);
    const [outside, inside] = [home.router.ip.interfaces[1], provider.edge.ip.interfaces[1]];
    // A subscriber's line has two ends that know each other, as with PPP: nobody asks for addresses on it.
    outside.arp.set(ip('198.51.100.1'), inside.mac, true);
    inside.arp.set(ip('198.51.100.2'), outside.mac, true);
    home.router.translate(outside);
    home.router.route('default', '198.51.100.1');
    this.hosting = this.buildBackbone(provider.edge);
    this.route();

    this.laptop = home.laptop;
    this.resolver = this.startResolver(provider.resolver);
    this.routerResolver = this.startForwarder(home.router);
    this.laptopResolver = this.startStub(home.laptop, options.hostsFile);
    this.testZone = Zone.parse(TEST_ZONE, 'test.', 'test.zone');
    this.startNameServers();
    this.startWebServers();
    for (const [name, files] of options.sites ?? []) this.addSite(name, files);
  }

  /** A browser on the laptop. */
  browser(): Browser {
    return new Browser(this.laptop.context, this.laptop.network, this.laptopResolver, {
      codings: this.options.codings,
    });
  }

  /** Puts a site on a host of its own, and its name into the zone test. Throws TypeError for a name that can't be there. */
  addSite(name: string, files: FileStore): Host {
    const absolute = absoluteName(name);
    if (
      absolute === undefined ||
      !/\.test\.$/i.test(absolute) ||
      /(^|\.)(example|nic|root|dead)\.test\.$/i.test(absolute)
    ) {
      throw new TypeError(
        `'${name}' can't be a site here: it must end in .test, and not in example.test, nic.test, root.test or dead.test`,
      );
    }
    if (this.hostedSites >= 50) throw new TypeError('at most 50 sites can join');
    const address = `203.0.113.${201 + this.hostedSites++}`;
    const host = this.host(name);
    this.extend(this.hosting, host, `${address}/26`, LAN);
    this.route();
    this.testZone.add({ name: absolute, class: 1, ttl: 300, data: { type: 'A', address: ip(address) } });
    this.serve(host, staticFiles({ files, date: this.date, codings: this.options.codings }));
    return host;
  }

  /** The name caches behind the browser's own, from the nearest on: to look into, empty or switch off. */
  caches(): Map<string, DnsCache> {
    return new Map([
      ['host', this.laptopResolver.cache],
      ['router', this.routerResolver.cache],
      ['resolver', this.resolver.cache],
    ]);
  }

  private readonly date = (): number => wallClock(this.clock.now());

  private buildHome(): { router: Host; laptop: Host } {
    // Frames get lost on Wi-Fi: its stations ask more often, and remember for as long as BSD does.
    const arp = { tries: 10, timeout: minutes(20) };
    const router = this.router('home-router', { arp });
    const laptop = this.host('laptop', { arp });
    const phone = this.host('phone', { arp });
    this.lan(
      'home-switch',
      [
        [router, '192.168.1.1/24'],
        [laptop, '192.168.1.20/24'],
        [phone, '192.168.1.21/24'],
      ],
      WIFI,
      true,
    );
    return { router, laptop };
  }

  private buildProvider(): { edge: Host; resolver: Host } {
    const edge = this.router('isp-edge');
    const resolver = this.host('resolver');
    this.lan(
      'isp-switch',
      [
        [edge, '198.51.100.49/28'],
        [resolver, '198.51.100.53/28'],
      ],
      LAN,
    );
    return { edge, resolver };
  }

  /** Answers the network on which further sites may be hosted. */
  private buildBackbone(edge: Host): Switch {
    const [west, east, north] = ['bb-west', 'bb-east', 'bb-north'].map(name => this.router(name));
    const dc = this.router('dc-router');
    this.join(edge, '198.18.0.1/30', west, '198.18.0.2/30', { ...BACKBONE, delay: ms(3) });
    this.join(west, '198.18.0.5/30', east, '198.18.0.6/30', { ...BACKBONE, delay: ms(11) });
    this.join(west, '198.18.0.9/30', north, '198.18.0.10/30', { ...BACKBONE, delay: ms(7) });
    this.join(east, '198.18.0.13/30', north, '198.18.0.14/30', { ...BACKBONE, delay: ms(9) });
    this.join(north, '198.18.0.17/30', dc, '198.18.0.18/30', { ...BACKBONE, delay: ms(1) });
    this.lan(
      'root-switch',
      [
        [west, '192.0.2.1/28'],
        [this.host('a.root'), '192.0.2.10/28'],
      ],
      LAN,
    );
    this.lan(
      'nic-switch',
      [
        [east, '192.0.2.17/28'],
        [this.host('ns1.nic'), '192.0.2.20/28'],
      ],
      LAN,
    );
    const shared: [string, string][] = [
      ['b.root', '192.0.2.34/28'],
      ['ns2.nic', '192.0.2.35/28'],
      ['ns2.example', '192.0.2.36/28'],
    ];
    this.lan('ix-switch', [[east, '192.0.2.33/28'], ...shared.map(([n, a]) => [this.host(n), a] as const)], LAN);
    const center: [string, string][] = [
      ['ns1.example', '203.0.113.53/25'],
      ['www', '203.0.113.80/25'],
      ['mail', '203.0.113.25/25'],
      ['silent', '203.0.113.98/25'],
    ];
    const off: [string, string][] = [
      ['down', '203.0.113.99/25'],
      ['ns1.dead', '203.0.113.66/25'],
    ];
    this.lan(
      'dc-switch',
      [[dc, '203.0.113.1/25'], ...[...center, ...off].map(([n, a]) => [this.host(n), a] as const)],
      LAN,
    );
    this.lan(
      'img-switch',
      [
        [east, '203.0.113.129/26'],
        [this.host('img'), '203.0.113.180/26'],
      ],
      LAN,
    );
    for (const [name] of off) this.get(name).powered = false;
    // A firewall that drops without a word: nothing takes the segments, and nothing refuses them.
    this.get('silent').ip.register(PROTOCOL.tcp, { receive() {}, error: () => false });
    return this.lan('hosting-switch', [[west, '203.0.113.193/26']], LAN);
  }

  get(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined)
      throw new TypeError(`there is no host '${name}'; there are ${[...this.hosts.keys()].join(', ')}`);
    return host;
  }

  private startResolver(host: Host): RecursiveResolver {
    const roots = [
      { address: '192.0.2.10', name: 'a.root.test.' },
      { address: '192.0.2.34', name: 'b.root.test.' },
    ];
    const resolver = new RecursiveResolver(host.context, host.network, {
      roots,
      cache: new DnsCache('resolver cache', this.clock),
    });
    new DnsServer(host.context, host.network, serveResolver(resolver));
    return resolver;
  }

  private startForwarder(host: Host): Forwarder {
    const forwarder = new Forwarder(host.context, host.network, {
      who: 'forwarder',
      servers: [{ address: '198.51.100.53', name: 'resolver' }],
      cache: new DnsCache('router cache', this.clock),
      timeouts: [2, 2, 3, 3].map(seconds),
    });
    new DnsServer(host.context, host.network, serveResolver(forwarder));
    return forwarder;
  }

  private startStub(host: Host, hostsFile = ''): Forwarder {
    return new Forwarder(host.context, host.network, {
      who: 'stub',
      servers: [{ address: '192.168.1.1', name: 'home-router' }],
      cache: new DnsCache('host cache', this.clock),
      timeouts: [2, 2, 3, 3, 4, 4, 5, 5].map(seconds),
      hosts: new HostsFile(`127.0.0.1 localhost\n192.168.1.1 home-router\n${hostsFile}`),
    });
  }

  private startNameServers(): void {
    const root = Zone.parse(ROOT_ZONE, '.', 'root.zone');
    const arpa = Zone.parse(ARPA_ZONE, 'arpa.', 'arpa.zone');
    const example = Zone.parse(EXAMPLE_ZONE, 'example.test.', 'example.test.zone');
    const serving: Record<string, Zone[]> = {
      'a.root': [root],
      'b.root': [root],
      'ns1.nic': [this.testZone, arpa],
      'ns2.nic': [this.testZone],
      'ns1.example': [example],
      'ns2.example': [example],
    };
    for (const [name, zones] of Object.entries(serving)) {
      const server = new AuthoritativeServer();
      for (const zone of zones) server.add(zone);
      this.answerNames(this.get(name), server.handle);
    }
  }

  private answerNames(host: Host, handler: DnsHandler): void {
    new DnsServer(host.context, host.network, handler);
  }

  private startWebServers(): void {
    const site = { scheduler: this.clock, date: this.date, codings: this.options.codings };
    this.serve(this.get('www'), exampleSite(site));
    this.serve(this.get('img'), exampleImages(site));
  }

  private serve(host: Host, handler: RequestHandler): void {
    new HttpServer(handler, { scheduler: this.clock, date: this.date }).listen(host.network, 80);
  }
}
