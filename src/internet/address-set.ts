/** A set of addresses that is asked for every datagram: nearly always for the same member, or for what is none. */
import type { Ipv4Address } from '../wire/address.ts';

export class AddressSet {
  private readonly members = new Set<Ipv4Address>();
  /** The last bytes that members have: what has another is none, without a look into the set. */
  private readonly endings = new Uint8Array(256);
  /** The member that was found last. */
  private found: Ipv4Address | undefined = undefined;

  constructor(...members: readonly Ipv4Address[]) {
    for (const member of members) this.add(member);
  }

  add(address: Ipv4Address): void {
    this.members.add(address);
    this.endings[address & 255] = 1;
  }

  has(address: Ipv4Address): boolean {
    if (address === this.found) return true;
    if (this.endings[address & 255] === 0 || !this.members.has(address)) return false;
    this.found = address;
    return true;
  }
}
