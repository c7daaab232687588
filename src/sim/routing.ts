/** The routes that follow from how an internet is joined, of either version of IP: by the least delay. */
import type { Duration } from '../base/instant.ts';
import type { Host } from '../host/host.ts';
import { formatIp, type IpAddress } from '../wire/ip-address.ts';

export type Version = 'v4' | 'v6';

/** The network of one version on a segment. */
export interface Net {
  readonly address: IpAddress;
  readonly length: number;
}

/** A host's place on a segment. */
export interface Attachment {
  readonly host: Host;
  readonly addresses: Readonly<Partial<Record<Version, IpAddress>>>;
}

/** Hosts that reach each other without a router. */
export interface Segment {
  readonly nets: Partial<Record<Version, Net>>;
  readonly delay: Duration;
  readonly members: Attachment[];
  /** Not told to routers elsewhere: a home's private network. */
  readonly isPrivate: boolean;
}

/** Gives every host its default route and every router a route to every network. What is there already is left. */
export function routeAll(hosts: Iterable<Host>, segments: readonly Segment[]): void {
  const places = placesOf(segments);
  for (const host of hosts) {
    for (const version of ['v4', 'v6'] as const) {
      if (host.ip.forwarding) routeRouter(host, version, places);
      else routeLeaf(host, version, places);
    }
  }
}

/** Where each host is. */
function placesOf(segments: readonly Segment[]): Map<Host, Segment[]> {
  const places = new Map<Host, Segment[]>();
  for (const segment of segments) {
    for (const { host } of segment.members) {
      const known = places.get(host);
      if (known === undefined) places.set(host, [segment]);
      else if (known.at(-1) !== segment) known.push(segment);
    }
  }
  return places;
}

function routeLeaf(host: Host, version: Version, places: ReadonlyMap<Host, readonly Segment[]>): void {
  const isThere = (segment: Segment): boolean =>
    segment.members.some(member => member.host === host && member.addresses[version] !== undefined);
  const own = places.get(host)?.find(isThere);
  const gateway = own?.members.find(member => member.host.ip.forwarding)?.addresses[version];
  if (gateway !== undefined && !host.hasDefaultRoute(version)) host.route('default', formatIp(gateway));
}

interface Reached {
  cost: number;
  via: IpAddress | undefined;
}

/** Dijkstra from one router over the networks that it can see. */
function routeRouter(router: Host, version: Version, places: ReadonlyMap<Host, readonly Segment[]>): void {
  const best = new Map<Host, Reached>([[router, { cost: 0, via: undefined }]]);
  const open = new Set<Host>([router]);
  while (open.size > 0) {
    const costOf = (host: Host): number => best.get(host)?.cost ?? Number.POSITIVE_INFINITY;
    const at = [...open].reduce((a, b) => (costOf(a) <= costOf(b) ? a : b));
    open.delete(at);
    const here = best.get(at) as Reached;
    for (const { isPrivate, nets, members, delay } of places.get(at) ?? []) {
      const net = nets[version];
      if (isPrivate || net === undefined) continue;
      if (here.via !== undefined && !router.hasRoute(net)) {
        router.route(`${formatIp(net.address)}/${net.length}`, formatIp(here.via));
      }
      for (const { host, addresses } of members) {
        const cost = here.cost + delay + 1;
        const address = addresses[version];
        if (!host.ip.forwarding || address === undefined || cost >= costOf(host)) continue;
        best.set(host, { cost, via: here.via ?? (at === router ? address : undefined) });
        open.add(host);
      }
    }
  }
}
