/**
 * Addresses of either version. An IPv4 address is a number, an IPv6 address its text in RFC 5952's form, of which there
 * is one for each address: both are map keys and compare with ===.
 */
import { halves, sumWords } from '../base/checksum.ts';
import { Memory } from '../base/slab.ts';
import { formatIpv4, formatIpv6, type Ipv4Address, parseIpv4, parseIpv6 } from './address.ts';

export type Ipv6Address = string;
export type IpAddress = Ipv4Address | Ipv6Address;

export const isIpv6 = (address: IpAddress): address is Ipv6Address => typeof address === 'string';

export const formatIp = (address: IpAddress): string => (typeof address === 'number' ? formatIpv4(address) : address);

/** '10.0.0.1:80', '[fd00::1]:80' (RFC 3986 §3.2.2). */
export const formatEnd = (address: IpAddress, port: number): string =>
  typeof address === 'number' ? `${formatIpv4(address)}:${port}` : `[${address}]:${port}`;

export function parseIp(text: string): IpAddress | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return v4;
  const bytes = parseIpv6(text);
  return bytes === undefined ? undefined : formatIpv6(bytes);
}

/** Four bytes, or sixteen. */
export function addressBytes(address: IpAddress): Uint8Array {
  if (typeof address === 'string') return parseIpv6(address) as Uint8Array;
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
}

/** The IPv6 address that stands at `at`. */
export const ipv6At = (bytes: Uint8Array, at: number): Ipv6Address => formatIpv6(bytes.subarray(at, at + 16));

/** The address as 32-bit words. */
export function addressWords(address: IpAddress): number[] {
  if (typeof address === 'number') return [address];
  const bytes = addressBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

/** '::ffff:10.0.0.1' as sockets of IPv6 see IPv4 (RFC 4291 §2.5.5.2). */
export function mappedIpv4(address: IpAddress): Ipv4Address | undefined {
  if (typeof address === 'number') return address;
  const bytes = addressBytes(address);
  const mapped = bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(12) : undefined;
}

/** The sum of its 16-bit words: its share of a pseudo-header's checksum (RFC 9293 §3.1, RFC 8200 §8.1). */
export function addressSum(address: IpAddress): number {
  if (typeof address === 'number') return (address >>> 16) + (address & 0xffff);
  return addressWords(address).reduce((sum, word) => sum + (word >>> 16) + (word & 0xffff), 0);
}

/** The same of both addresses of the datagram that begins at `at`, of either version. */
export function addressesSumIn({ rows, bytes }: Memory, at: number): number {
  if (rows.getUint8(at) >> 4 === 6) return sumWords(bytes, at + 8, at + 40);
  return halves(rows.getInt32(at + 12)) + halves(rows.getInt32(at + 16));
}

export const addressesSumAt = (bytes: Uint8Array, at: number): number => addressesSumIn(new Memory(bytes), at);

export const IPV6_ANY: Ipv6Address = '::';
export const IPV6_LOOPBACK: Ipv6Address = '::1';

/** ff00::/8 (RFC 4291 §2.7), fe80::/10 (§2.5.6). */
export const isMulticast6 = (address: Ipv6Address): boolean => address.startsWith('ff') && address.indexOf(':') === 4;
export const isLinkLocal = (address: Ipv6Address): boolean => /^fe[89ab][0-9a-f]:/.test(address);
