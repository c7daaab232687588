/**
 * The routing table: the longest prefix wins (RFC 1812 §5.2.4.3), then the lowest metric, then the first added. `A` is
 * the kind of address, `I` what the layer of that version knows of an interface.
 */
import { formatIp, type IpAddress } from '../wire/ip-address.ts';

export interface Route<A extends IpAddress, I> {
  prefix: { readonly address: A; readonly length: number };
  /** Undefined: the destination is on the link itself. */
  via?: A;
  interface: I;
  metric: number;
}

/** The routes of one prefix length, by their network. */
interface Level<A extends IpAddress, I> {
  length: number;
  routes: Map<A, Route<A, I>>;
}

export class RoutingTable<A extends IpAddress, I extends { readonly name: string }> {
  /** Another one whenever something has changed. */
  version = 0;
  private readonly networkOf: (address: A, length: number) => A;
  private list: Route<A, I>[] = [];
  /** Sorted and indexed since the last change: that waits for the first question, as routes are added in crowds. */
  private inOrder = true;
  /** The longest prefixes first: a look-up costs one step for each length that there is, not for each route. */
  private levels: Level<A, I>[] = [];

  constructor(networkOf: (address: A, length: number) => A) {
    this.networkOf = networkOf;
  }

  get routes(): readonly Route<A, I>[] {
    this.settle();
    return this.list;
  }

  add(route: Omit<Route<A, I>, 'metric'> & { metric?: number }): void {
    this.list.push({ metric: 0, ...route });
    this.changed();
  }

  /** Without `via`, whatever the gateway. */
  remove({ address, length }: Route<A, I>['prefix'], via?: A): void {
    const isMeant = (route: Route<A, I>): boolean =>
      route.prefix.length === length && route.prefix.address === address && (via === undefined || route.via === via);
    this.list = this.list.filter(route => !isMeant(route));
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
      const network = this.networkOf(address, length);
      if (!level.routes.has(network)) level.routes.set(network, route);
    }
  }

  /** There is one to this very network. */
  has(address: A, length: number): boolean {
    this.settle();
    return this.levels.find(level => level.length === length)?.routes.has(this.networkOf(address, length)) ?? false;
  }

  lookup(destination: A): Route<A, I> | undefined {
    this.settle();
    for (const { length, routes } of this.levels) {
      const route = routes.get(this.networkOf(destination, length));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** One line a route, as `ip route` has them. */
  toString(): string {
    return this.routes
      .map(route => {
        const { address, length } = route.prefix;
        const to = length === 0 ? 'default' : `${formatIp(address)}/${length}`;
        return `${to}${route.via === undefined ? '' : ` via ${formatIp(route.via)}`} dev ${route.interface.name}`;
      })
      .join('\n');
  }
}
