/** Echo requests and what comes back for them, of either version of ICMP (RFC 792, RFC 4443 §4). */
import type { IpAddress } from '../wire/ip-address.ts';
import type { IncomingError, SendFailure } from './types.ts';

export interface EchoRequest<A = IpAddress> {
  destination: A;
  identifier: number;
  sequence: number;
  data: Uint8Array;
  ttl?: number;
  dontFragment?: boolean;
}

/** What comes back for an echo identifier. */
export interface EchoListener<A = IpAddress> {
  reply(from: A, sequence: number, data: Uint8Array, ttl: number): void;
  error(error: IncomingError<A>, sequence: number): void;
}

export interface EchoPort<A = IpAddress> {
  echo(request: EchoRequest<A>): SendFailure | undefined;
  /** Undefined: nobody listens any more. */
  listen(identifier: number, listener: EchoListener<A> | undefined): void;
}

/** Who waits for which identifier. */
export class EchoListeners<A> {
  private readonly known = new Map<number, EchoListener<A>>();

  set(identifier: number, listener: EchoListener<A> | undefined): void {
    if (listener === undefined) this.known.delete(identifier);
    else this.known.set(identifier, listener);
  }

  /** `rest`: identifier and sequence number, as they stand behind the checksum. */
  reply(from: A, rest: number, data: Uint8Array, ttl: number): void {
    this.known.get(rest >>> 16)?.reply(from, rest & 0xffff, data, ttl);
  }

  /** An error about a request of ours: whether it is one. */
  error(error: IncomingError<A>, requestType: number): boolean {
    const [type, , , , high, low, seqHigh, seqLow] = error.transport;
    const listener = this.known.get(high * 256 + low);
    if (type !== requestType || listener === undefined) return false;
    listener.error(error, seqHigh * 256 + seqLow);
    return true;
  }
}
