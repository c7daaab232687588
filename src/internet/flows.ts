/** The flows of a layer: a host speaks to a destination from one of its addresses and by one protocol, nearly always. */
import type { IpAddress } from '../wire/ip-address.ts';

/** Answers to a flood of invented senders must not fill the memory. */
const MOST = 4096;

interface Ends<A> {
  readonly source: A;
  readonly protocol: number;
}

export class Flows<A extends IpAddress, F extends Ends<A>> {
  private readonly make: (source: A, destination: A, protocol: number) => F;
  private readonly known = new Map<A, F>();

  constructor(make: (source: A, destination: A, protocol: number) => F) {
    this.make = make;
  }

  /** Those who have one keep it, whatever is forgotten here. */
  between(source: A, destination: A, protocol: number): F {
    const known = this.known.get(destination);
    if (known !== undefined && known.source === source && known.protocol === protocol) return known;
    if (this.known.size >= MOST) this.known.clear();
    const made = this.make(source, destination, protocol);
    this.known.set(destination, made);
    return made;
  }
}
