/** What the parts of neighbour discovery need of the interface that they serve, and of the layer above it. */
import type { Instant } from '../base/instant.ts';
import type { MacAddress } from '../wire/address.ts';
import type { Ipv6Prefix } from '../wire/address6.ts';
import type { Icmpv6Message } from '../wire/icmpv6.ts';
import type { Ipv6Address } from '../wire/ip-address.ts';
import type { Packet } from '../wire/packet.ts';

/** An address of ours. `length`: of the network that is on this link (128: none but itself). */
export interface OwnAddress extends Ipv6Prefix {
  /** RFC 4862 §5.5.4: then others are used for what begins, and then it is none any more. */
  preferredUntil: Instant;
  validUntil: Instant;
}

export interface NdpPort {
  readonly mac: MacAddress;
  readonly mtu: number;
  readonly isRouter: boolean;
  readonly addresses: readonly OwnAddress[];
  /** The one of fe80::/10; undefined as long as it is not known to be nobody else's. */
  readonly linkLocal: Ipv6Address | undefined;
  has(address: Ipv6Address): boolean;
  assign(address: OwnAddress): void;
  withdraw(address: Ipv6Address): void;
  join(group: Ipv6Address): void;
  leave(group: Ipv6Address): void;
  /** With a hop limit of 255. Without `source`, the link-local address; without `to`, where the destination leads. */
  message(message: Icmpv6Message, destination: Ipv6Address, source?: Ipv6Address, to?: MacAddress): void;
  transmit(packet: Packet, to: MacAddress): void;
  /** Nobody answered: this packet could not be sent. */
  unresolved(packet: Packet): void;
  addRoute(prefix: Ipv6Prefix, via?: Ipv6Address): void;
  removeRoute(prefix: Ipv6Prefix, via?: Ipv6Address): void;
  /** A router of which RFC 4861 §7.3.3 says that it is none any more, does not answer, or is in use. */
  routerChanged(address: Ipv6Address, what: 'gone' | 'silent' | 'used'): void;
  note(action: 'who-has' | 'learned' | 'failed' | 'conflict', address: Ipv6Address, mac?: MacAddress): void;
  drop(reason: string): void;
}
