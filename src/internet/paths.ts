/** What is known of the way to each destination, so that it is found out once and not for every datagram. */
import type { IpAddress } from '../wire/ip-address.ts';

/** A scan of many addresses must not fill the memory. */
const MOST = 16_384;

/** What of a link a path keeps at hand (link/types.ts). */
export interface Offloading {
  readonly offloads?: boolean;
}

export const TO_OURSELVES: Offloading = { offloads: true };
export const NOWHERE: Offloading = { offloads: false };

/** `P` is what a layer wants to know of a path. */
export class Paths<A extends IpAddress, P> {
  private readonly routes: { readonly version: number };
  private readonly find: (destination: A) => P;
  private readonly known = new Map<A, P>();
  private version = -1;
  /** The one that was asked for last, as most are asked for several times in a row. */
  private last: P | undefined = undefined;
  private lastDestination: A | undefined = undefined;

  constructor(routes: { readonly version: number }, find: (destination: A) => P) {
    this.routes = routes;
    this.find = find;
  }

  /** Good until the next route is added or removed; an address of ours comes with a route. */
  to(destination: A): P {
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
}
