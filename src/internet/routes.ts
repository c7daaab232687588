/** The routing table: the longest prefix wins (RFC 1812 §5.2.4.3), then the lowest metric, then the first added. */
import { formatIpv4, formatPrefix, type Ipv4Address, networkOf, type Prefix } from '../wire/address.ts';
import type { NetworkInterface } from './interface.ts';

export interface Route {
  prefix: Prefix;
  /** Undefined: the destination is on the link itself. */
  via?: Ipv4Address;
  interface: NetworkInterface;
  metric: number;
}

/** The routes of one prefix length, by their network. */
interface Level {
  length: number;
  routes: Map<Ipv4Address, Route>;
}

export class RoutingTable {
  /** Another one whenever something has changed. */
  version = 0;
  private list: Route[] = [];
  /** Sorted and indexed since the last change: that waits for the first question, as routes are added in crowds. */
  private inOrder = true;
  /** The longest prefixes first: a look-up costs one step for each length that there is, not for each route. */
  private levels: Level[] = [];

  get routes(): readonly Route[] {
    this.settle();
    return this.list;
  }

  add(route: Omit<Route, 'metric'> & { metric?: number }): void {
    this.list.push({ metric: 0, ...route });
    this.changed();
  }

  remove(prefix: Prefix): void {
    const { address, length } = prefix;
    this.list = this.list.filter(r => r.prefix.length !== length || r.prefix.address !== address);
    this.changed();
  }

  private changed(): void {
    this.version++;
    this.inOrder = false;
  }

  private settle(): void {
    if (this.inOrder) return;
    this.inOrder = true;
    // Array.prototype.sort is stable.
    this.list.sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
    this.levels = [];
    for (const route of this.list) {
      const { address, length } = route.prefix;
      let level = this.levels[this.levels.length - 1];
      if (level?.length !== length) {
        level = { length, routes: new Map() };
        this.levels.push(level);
      }
      const network = networkOf(address, length);
      if (!level.routes.has(network)) level.routes.set(network, route);
    }
  }

  lookup(destination: Ipv4Address): Route | undefined {
    this.settle();
    for (const { length, routes } of this.levels) {
      const route = routes.get(networkOf(destination, length));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** One line a route, as `ip route` has them. */
  toString(): string {
    return this.routes
      .map(route => {
        const to = route.prefix.length === 0 ? 'default' : formatPrefix(route.prefix);
        return `${to}${route.via === undefined ? '' : ` via ${formatIpv4(route.via)}`} dev ${route.interface.name}`;
      })
      .join('\n');
  }
}
