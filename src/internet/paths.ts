/** What is known of the way to each destination, so that it is found out once and not for every datagram. */
import { type Ipv4Address, isMulticast } from '../wire/address.ts';
import type { Route, RoutingTable } from './routes.ts';

export interface Path {
  /** To ourselves. */
  isLocal: boolean;
  route: Route | undefined;
  /** To one station: neither a group's address nor that of all stations of a network. */
  isUnicast: boolean;
}

/** A scan of many addresses must not fill the memory. */
const MOST = 16_384;

export class Paths {
  private readonly routes: RoutingTable;
  private readonly isLocal: (address: Ipv4Address) => boolean;
  private readonly known = new Map<Ipv4Address, Path>();
  private version = -1;
  /** The one that was asked for last, as most are asked for several times in a row. */
  private last: Path | undefined;
  private lastDestination: Ipv4Address = -1;

  constructor(routes: RoutingTable, isLocal: (address: Ipv4Address) => boolean) {
    this.routes = routes;
    this.isLocal = isLocal;
  }

  /** Good until the next route is added or removed; an address of ours comes with a route. */
  to(destination: Ipv4Address): Path {
    if (this.version !== this.routes.version || this.known.size > MOST) {
      this.known.clear();
      this.last = undefined;
      this.version = this.routes.version;
    }
    if (this.last !== undefined && destination === this.lastDestination) return this.last;
    let path = this.known.get(destination);
    if (path === undefined) {
      path = this.find(destination);
      this.known.set(destination, path);
    }
    this.last = path;
    this.lastDestination = destination;
    return path;
  }

  private find(destination: Ipv4Address): Path {
    const route = this.routes.lookup(destination);
    const toMany = (address: Ipv4Address): boolean =>
      isMulticast(address) || address === 0xffff_ffff || (route?.interface.isBroadcast(address) ?? false);
    const isUnicast = !toMany(destination) && !toMany(route?.via ?? destination);
    return { isLocal: this.isLocal(destination), route, isUnicast };
  }
}
