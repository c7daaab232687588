/** Ethernet II (IEEE 802.3 clause 3.2.6: a length/type field of 1536 or more is a type). */
import { formatMac, type MacAddress } from './address.ts';
import { layout, u16, u48 } from './layout.ts';
import type { Packet } from './packet.ts';

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035, ipv6: 0x86dd } as const;

const ETHERTYPE_NAMES: Record<number, string> = { 2048: 'IPv4', 2054: 'ARP', 32821: 'RARP', 34525: 'IPv6' };

export const etherTypeName = (type: number): string =>
  `0x${type.toString(16).padStart(4, '0')}${ETHERTYPE_NAMES[type] ? ` (${ETHERTYPE_NAMES[type]})` : ''}`;

export const ethernet = layout('Ethernet II', 14, {
  destination: u48(formatMac),
  source: u48(formatMac),
  type: u16(etherTypeName),
});

export interface EthernetHeader {
  destination: MacAddress;
  source: MacAddress;
  type: number;
}

export function prependEthernet(packet: Packet, destination: MacAddress, source: MacAddress, type: number): void {
  const at = packet.prepend(ethernet.size);
  const { rows } = packet;
  rows.setUint16(at, destination / 0x1_0000_0000);
  rows.setUint32(at + 2, destination);
  rows.setUint16(at + 6, source / 0x1_0000_0000);
  rows.setUint32(at + 8, source);
  rows.setUint16(at + 12, type);
}

/** To whom a frame goes. */
export const destinationOf = ({ rows, start }: Packet): MacAddress =>
  rows.getUint16(start) * 0x1_0000_0000 + rows.getUint32(start + 2);

/** Undefined when the frame is too short to have a header. */
export function decodeEthernet(bytes: Uint8Array, start = 0, end = bytes.length): EthernetHeader | undefined {
  if (end - start < ethernet.size) return undefined;
  return {
    destination: ethernet.f.destination.get(bytes, start),
    source: ethernet.f.source.get(bytes, start),
    type: ethernet.f.type.get(bytes, start),
  };
}
