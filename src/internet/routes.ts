/** The routing table: the longest prefix wins (RFC 1812 §5.2.4.3), then the lowest metric, then the first added. */
import { formatIpv4, formatPrefix, type Ipv4Address, inPrefix, type Prefix } from '../wire/address.ts';
import type { NetworkInterface } from './interface.ts';

export interface Route {
  prefix: Prefix;
  /** Undefined: the destination is on the link itself. */
  via?: Ipv4Address;
  interface: NetworkInterface;
  metric: number;
}

export class RoutingTable {
  private list: Route[] = [];

  get routes(): readonly Route[] {
    return this.list;
  }

  add(route: Omit<Route, 'metric'> & { metric?: number }): void {
    this.list.push({ metric: 0, ...route });
    // Array.prototype.sort is stable.
    this.list.sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
  }

  remove(prefix: Prefix): void {
    this.list = this.list.filter(r => formatPrefix(r.prefix) !== formatPrefix(prefix));
  }

  lookup(destination: Ipv4Address): Route | undefined {
    for (const route of this.list) if (inPrefix(destination, route.prefix)) return route;
    return undefined;
  }

  /** One line a route, as `ip route` has them. */
  toString(): string {
    return this.list
      .map(route => {
        const to = route.prefix.length === 0 ? 'default' : formatPrefix(route.prefix);
        return `${to}${route.via === undefined ? '' : ` via ${formatIpv4(route.via)}`} dev ${route.interface.name}`;
      })
      .join('\n');
  }
}
