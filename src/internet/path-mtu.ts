/** Path MTUs learned from "fragmentation needed" (RFC 1191), forgotten after a while so that a better path is found. */
import { type Duration, type Instant, minutes } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { IpAddress } from '../wire/ip-address.ts';

/** RFC 1191 §7, table 7-1: what to try when a router does not name the MTU of its next hop. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/** RFC 1191 §3: "A host MUST never reduce its estimate of the Path MTU below 68 octets". */
const MINIMUM = 68;

export class PathMtu<A extends IpAddress> {
  /** RFC 1191 §6.3: "10 minutes" before trying more. */
  lifetime: Duration = minutes(10);
  /** Estimates below it are not believed: a forged one would cost a connection nearly all its throughput. */
  floor: number;
  maxEntries = 1024;
  private readonly scheduler: Scheduler;
  private readonly known = new Map<A, { mtu: number; expires: Instant }>();

  constructor(scheduler: Scheduler, floor = 552) {
    this.scheduler = scheduler;
    this.floor = floor;
  }

  /** The smaller of what the first link takes and what has been learned. */
  get(destination: A, linkMtu: number): number {
    const entry = this.known.size === 0 ? undefined : this.known.get(destination);
    if (entry === undefined) return linkMtu;
    if (entry.expires > this.scheduler.now()) return Math.min(entry.mtu, linkMtu);
    this.known.delete(destination);
    return linkMtu;
  }

  learn(destination: A, mtu: number): void {
    const believed = Math.max(mtu, this.floor, MINIMUM);
    this.known.delete(destination);
    if (this.known.size >= this.maxEntries) this.known.delete(this.known.keys().next().value as A);
    this.known.set(destination, { mtu: believed, expires: this.scheduler.now() + this.lifetime });
  }
}

/** The next-hop MTU of a message, or the plateau below the datagram's length for a router older than RFC 1191. */
export function nextHopMtu(stated: number, datagramLength: number): number {
  if (stated >= MINIMUM) return stated;
  return PLATEAUS.find(plateau => plateau < datagramLength) ?? MINIMUM;
}
