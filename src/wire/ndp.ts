/** Neighbour discovery's messages (RFC 4861 §4): bodies of ICMPv6 messages, and the options in them. */
import type { MacAddress } from './address.ts';
import type { Ipv6Prefix } from './address6.ts';
import { addressBytes, type Ipv6Address, ipv6At } from './ip-address.ts';

export const NDP_OPTION = { source: 1, target: 2, prefix: 3, redirected: 4, mtu: 5 } as const;

/** Of a neighbour advertisement, in the word behind the checksum (RFC 4861 §4.4). */
export const ADVERTISED = { router: 0x8000_0000, solicited: 0x4000_0000, override: 0x2000_0000 } as const;

/** Of a prefix option (RFC 4861 §4.6.2): on this link; for addresses of one's own making (RFC 4862). */
const [ON_LINK, AUTONOMOUS] = [0x80, 0x40];

export interface NdpOption {
  type: number;
  /** Behind type and length. */
  data: Uint8Array;
}

/** Those from `from` on; undefined when one has no length, or does not fit: then the whole message is discarded. */
export function ndpOptions(body: Uint8Array, from: number): NdpOption[] | undefined {
  const options: NdpOption[] = [];
  for (let at = from; at < body.length; ) {
    const length = at + 2 > body.length ? 0 : body[at + 1] * 8;
    if (length === 0 || at + length > body.length) return undefined;
    options.push({ type: body[at], data: body.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

export function macIn(options: readonly NdpOption[], type: number): MacAddress | undefined {
  const option = options.find(each => each.type === type);
  return option?.data.subarray(0, 6).reduce((mac, byte) => mac * 256 + byte, 0);
}

export const macOption = (type: number, mac: MacAddress): Uint8Array =>
  Uint8Array.of(type, 1, ...Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (40 - 8 * i)) & 255));

export interface AdvertisedPrefix {
  prefix: Ipv6Prefix;
  onLink: boolean;
  autonomous: boolean;
  /** Seconds; 0xffffffff stands for ever. */
  valid: number;
  preferred: number;
}

export function prefixOption({ prefix, onLink, autonomous, valid, preferred }: AdvertisedPrefix): Uint8Array {
  const option = new Uint8Array(32);
  const view = new DataView(option.buffer);
  option.set([NDP_OPTION.prefix, 4, prefix.length, (onLink ? ON_LINK : 0) | (autonomous ? AUTONOMOUS : 0)]);
  view.setUint32(4, valid);
  view.setUint32(8, preferred);
  option.set(addressBytes(prefix.address).subarray(0, prefix.length >> 3), 16);
  return option;
}

/** Undefined for an option of another kind, or of no use. */
export function prefixIn({ type, data }: NdpOption): AdvertisedPrefix | undefined {
  if (type !== NDP_OPTION.prefix || data.length < 30 || data[0] > 128) return undefined;
  const view = new DataView(data.buffer, data.byteOffset);
  return {
    prefix: { address: ipv6At(data, 14), length: data[0] },
    onLink: (data[1] & ON_LINK) !== 0,
    autonomous: (data[1] & AUTONOMOUS) !== 0,
    valid: view.getUint32(2),
    preferred: view.getUint32(6),
  };
}

export interface RouterAdvertisement {
  hopLimit: number;
  /** Seconds; 0: no default router. */
  lifetime: number;
  /** Milliseconds; 0: says nothing. */
  reachable: number;
  retransmit: number;
}

/** The word behind the checksum and the two behind it (RFC 4861 §4.2). */
export function routerAdvertisementIn(rest: number, body: Uint8Array): RouterAdvertisement {
  const view = new DataView(body.buffer, body.byteOffset);
  return {
    hopLimit: rest >>> 24,
    lifetime: rest & 0xffff,
    reachable: view.getUint32(0),
    retransmit: view.getUint32(4),
  };
}

/** RFC 4861 §4.5: a better first hop to a destination, or the destination itself where both are the same. */
export function redirectBody(
  target: Ipv6Address,
  destination: Ipv6Address,
  options: readonly Uint8Array[],
): Uint8Array {
  return joined([addressBytes(target), addressBytes(destination), ...options]);
}

/** RFC 4861 §4.6.3: as much of the datagram that was redirected as leaves the message within the minimum MTU. */
export function redirectedOption(datagram: Uint8Array): Uint8Array {
  const fitting = Math.min(datagram.length, 1280 - 40 - 40 - 8 - 8) & ~7;
  const option = new Uint8Array(8 + fitting);
  option.set([NDP_OPTION.redirected, option.length / 8]);
  option.set(datagram.subarray(0, fitting), 8);
  return option;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
