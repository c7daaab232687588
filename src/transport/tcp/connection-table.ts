/** Things by the four numbers that tell connections apart (RFC 9293 §3.1: the pair of sockets). */
import type { IpAddress } from '../../wire/ip-address.ts';
import type { FourTuple } from './isn.ts';

export class ConnectionTable<T extends FourTuple> {
  size = 0;
  /** By both ports; the few that share them are told apart by their addresses. */
  private readonly byPorts = new Map<number, T[]>();

  find(localAddress: IpAddress, localPort: number, remoteAddress: IpAddress, remotePort: number): T | undefined {
    const there = this.byPorts.get(keyOf(localPort, remotePort));
    if (there === undefined) return undefined;
    for (const e of there) if (e.remoteAddress === remoteAddress && e.localAddress === localAddress) return e;
    return undefined;
  }

  add(item: T): void {
    const key = keyOf(item.localPort, item.remotePort);
    const there = this.byPorts.get(key);
    if (there === undefined) this.byPorts.set(key, [item]);
    else there.push(item);
    this.size++;
  }

  remove(item: T): void {
    const key = keyOf(item.localPort, item.remotePort);
    const there = this.byPorts.get(key);
    const at = there?.indexOf(item) ?? -1;
    if (there === undefined || at < 0) return;
    if (there.length === 1) this.byPorts.delete(key);
    else there.splice(at, 1);
    this.size--;
  }

  all(): T[] {
    return [...this.byPorts.values()].flat();
  }
}

/** Within 32 bits: a map is quickest with such keys. */
const keyOf = (localPort: number, remotePort: number): number => (localPort << 16) | remotePort;
