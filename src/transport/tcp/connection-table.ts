/** Things by the four numbers that tell connections apart (RFC 9293 §3.1: the pair of sockets). */
import type { IpAddress } from '../../wire/ip-address.ts';
import type { FourTuple } from './isn.ts';

/** What is in a table says which comes behind it: a list for each pair of ports costs memory for every connection. */
export interface Tabled<T> extends FourTuple {
  /** The next with the same ports. */
  alike: T | undefined;
}

export class ConnectionTable<T extends Tabled<T>> {
  size = 0;
  /** By both ports the first; the few that share them are told apart by their addresses. */
  private readonly byPorts = new Map<number, T>();

  find(localAddress: IpAddress, localPort: number, remoteAddress: IpAddress, remotePort: number): T | undefined {
    let at = this.byPorts.get(keyOf(localPort, remotePort));
    while (at !== undefined && (at.remoteAddress !== remoteAddress || at.localAddress !== localAddress)) at = at.alike;
    return at;
  }

  add(item: T): void {
    const key = keyOf(item.localPort, item.remotePort);
    const first = this.byPorts.get(key);
    if (first === undefined) this.byPorts.set(key, item);
    else {
      // Behind the first: it stays where it is.
      item.alike = first.alike;
      first.alike = item;
    }
    this.size++;
  }

  remove(item: T): void {
    const key = keyOf(item.localPort, item.remotePort);
    const first = this.byPorts.get(key);
    if (first === item) {
      if (item.alike === undefined) this.byPorts.delete(key);
      else this.byPorts.set(key, item.alike);
    } else {
      let before = first;
      while (before !== undefined && before.alike !== item) before = before.alike;
      if (before === undefined) return;
      before.alike = item.alike;
    }
    item.alike = undefined;
    this.size--;
  }

  all(): T[] {
    const all: T[] = [];
    for (const first of this.byPorts.values()) {
      for (let at: T | undefined = first; at !== undefined; at = at.alike) all.push(at);
    }
    return all;
  }
}

/** Within 32 bits: a map is quickest with such keys. */
const keyOf = (localPort: number, remotePort: number): number => (localPort << 16) | remotePort;
