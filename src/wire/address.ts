/**
 * Addresses as numbers: an IPv4 address is an unsigned 32-bit integer, a MAC address a 48-bit one. They are map keys
 * and comparands on the hot path; text appears only where a person reads or writes.
 */
export type Ipv4Address = number;
export type MacAddress = number;

export const MAC_BROADCAST: MacAddress = 0xffff_ffff_ffff;
export const MAC_ZERO: MacAddress = 0;
export const IPV4_ANY: Ipv4Address = 0;
/** RFC 919: the limited broadcast. */
export const IPV4_BROADCAST: Ipv4Address = 0xffff_ffff;
export const IPV4_LOCALHOST: Ipv4Address = 0x7f00_0001;

export function formatMac(mac: MacAddress): string {
  const digits = mac.toString(16).padStart(12, '0');
  return digits.replace(/(..)(?=.)/g, '$1:');
}

export function parseMac(text: string): MacAddress | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) : undefined;
}

/** The I/G bit, the lowest of the first byte: a group address, broadcast included (IEEE 802 §8.2). */
export const isGroupMac = (mac: MacAddress): boolean => Math.floor(mac / 0x100_0000_0000) % 2 === 1;

export function formatIpv4(address: Ipv4Address): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** Four decimal numbers without leading zeros, as RFC 3986 §3.2.2 (IPv4address) has them; nothing laxer. */
export function parseIpv4(text: string): Ipv4Address | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const part = Number(match[i]);
    if (part > 255 || (match[i].length > 1 && match[i][0] === '0')) return undefined;
    address = address * 256 + part;
  }
  return address;
}

/** For addresses in our own sources: throws on a typing error. */
export function ip(text: string): Ipv4Address {
  const address = parseIpv4(text);
  if (address === undefined) throw new TypeError(`'${text}' is no IPv4 address`);
  return address;
}

export interface Prefix {
  readonly address: Ipv4Address;
  readonly length: number;
}

export const maskOf = (length: number): number => (length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0);
export const networkOf = (address: Ipv4Address, length: number): Ipv4Address => (address & maskOf(length)) >>> 0;
export const inPrefix = (address: Ipv4Address, prefix: Prefix): boolean =>
  networkOf(address, prefix.length) === networkOf(prefix.address, prefix.length);
/** RFC 922: the directed broadcast of a network; a /31 (RFC 3021) and a /32 have none. */
export const broadcastOf = (prefix: Prefix): Ipv4Address | undefined =>
  prefix.length > 30 ? undefined : (prefix.address | (~maskOf(prefix.length) >>> 0)) >>> 0;

/** '10.0.0.1/24', the host bits kept. */
export function parsePrefix(text: string): Prefix | undefined {
  const [first, second, ...rest] = text.split('/');
  const address = parseIpv4(first);
  if (address === undefined || second === undefined || rest.length > 0) return undefined;
  return /^\d{1,2}$/.test(second) && Number(second) <= 32 ? { address, length: Number(second) } : undefined;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new TypeError(`'${text}' is no IPv4 prefix`);
  return parsed;
}

export const formatPrefix = (p: Prefix): string => `${formatIpv4(p.address)}/${p.length}`;

/** 224.0.0.0/4 (RFC 1112 §4). */
export const isMulticast = (address: Ipv4Address): boolean => address >>> 28 === 14;
export const isLoopback = (address: Ipv4Address): boolean => address >>> 24 === 127;
/** RFC 1112 §6.4: the low 23 bits of the group, behind 01-00-5E. */
export const multicastMac = (group: Ipv4Address): MacAddress => 0x0100_5e00_0000 + (group & 0x7f_ffff);

/** RFC 5952 text of 16 bytes. */
export function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] << 8) | bytes[i * 2 + 1]).toString(16));
  const text = groups.join(':');
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(match => match[0]);
  // §4.2.3: the longest run is shortened, the first of equals.
  const longest = runs.reduce((best, run) => (countZeros(run) > countZeros(best) ? run : best), '');
  if (longest === '') return text;
  const at = text.indexOf(longest);
  return `${text.slice(0, at)}::${text.slice(at + longest.length + 1)}`;
}

const countZeros = (run: string): number => run.split(':').filter(group => group === '0').length;

export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const head = groups(halves[0]);
  const tail = halves.length === 2 ? groups(halves[1]) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!all.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(all.flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]));
}
