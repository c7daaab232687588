/** Prefixes of IPv6 addresses, and the addresses that are made of others. */
import { formatIpv6, type MacAddress, parseIpv6 } from './address.ts';
import { addressBytes, type Ipv6Address } from './ip-address.ts';

export interface Ipv6Prefix {
  readonly address: Ipv6Address;
  readonly length: number;
}

export function parsePrefix6(text: string): Ipv6Prefix | undefined {
  const [first, second, ...rest] = text.split('/');
  const bytes = parseIpv6(first);
  if (bytes === undefined || second === undefined || rest.length > 0) return undefined;
  return /^\d{1,3}$/.test(second) && Number(second) <= 128
    ? { address: formatIpv6(bytes), length: Number(second) }
    : undefined;
}

export function inPrefix6(address: Ipv6Address, prefix: Ipv6Prefix): boolean {
  const a = addressBytes(address);
  const b = addressBytes(prefix.address);
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || a[whole] >> (8 - rest) === b[whole] >> (8 - rest);
}

/** The first `length` bits of an address, and zeros. */
export function networkOf6(address: Ipv6Address, length: number): Ipv6Address {
  const bytes = addressBytes(address).slice();
  const whole = length >> 3;
  if (whole < 16) {
    bytes[whole] &= 0xff00 >> (length & 7);
    bytes.fill(0, whole + 1);
  }
  return formatIpv6(bytes);
}

/** RFC 4291 appendix A: the interface identifier of a MAC address, behind the first eight bytes of `prefix`. */
export function withInterfaceId(prefix: Ipv6Address, mac: MacAddress): Ipv6Address {
  const bytes = addressBytes(prefix).slice();
  const m = Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (40 - 8 * i)) & 255);
  bytes.set([m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]], 8);
  return formatIpv6(bytes);
}

/** RFC 4291 §2.7.1: ff02::1:ff00:0/104 with the last 24 bits of the address. */
export function solicitedNode(address: Ipv6Address): Ipv6Address {
  const bytes = addressBytes('ff02::1:ff00:0').slice();
  bytes.set(addressBytes(address).subarray(13), 13);
  return formatIpv6(bytes);
}

/** RFC 2464 §7: 33-33 and the last 32 bits of the group. */
export function multicastMac6(group: Ipv6Address): MacAddress {
  const b = addressBytes(group);
  return 0x3333_0000_0000 + b[12] * 0x100_0000 + b[13] * 0x1_0000 + b[14] * 0x100 + b[15];
}

export const ALL_NODES: Ipv6Address = 'ff02::1';
export const ALL_ROUTERS: Ipv6Address = 'ff02::2';
