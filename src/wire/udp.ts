/** UDP (RFC 768). */
import { finishChecksum, sumWords } from '../base/checksum.ts';
import type { Memory } from '../base/slab.ts';
import { addressesSumIn } from './ip-address.ts';
import { PROTOCOL } from './ipv4.ts';
import { asHex, layout, u16 } from './layout.ts';
import type { Packet } from './packet.ts';

export const udp = layout('UDP', 8, {
  sourcePort: u16(),
  destinationPort: u16(),
  length: u16(),
  checksum: u16(asHex(4)),
});

export interface UdpPorts {
  sourcePort: number;
  destinationPort: number;
}

/** `addressesSum`: of the words of both addresses, which the checksum covers as well. */
export function prependUdp(packet: Packet, ports: UdpPorts, addressesSum: number): void {
  const at = packet.prepend(udp.size);
  const { rows, length, end } = packet;
  rows.setInt32(at, (ports.sourcePort << 16) | ports.destinationPort);
  rows.setInt32(at + 4, length << 16);
  // RFC 768: a computed checksum of zero is transmitted as all ones; zero means "none".
  rows.setUint16(at + 6, finishChecksum(packet.sum(at, end, addressesSum + PROTOCOL.udp + length)) || 0xffff);
}

/** What is wrong with the datagram whose IP header begins at `header`, or undefined. Payload is [start + 8, start + length). */
export function checkUdp(memory: Memory, header: number, start: number, end: number): string | undefined {
  if (end - start < udp.size) return 'udp-truncated';
  const { bytes } = memory;
  const length = udp.f.length.get(bytes, start);
  if (length < udp.size || length > end - start) return 'udp-length';
  // RFC 8200 §8.1: "IPv6 receivers must discard UDP packets containing a zero checksum".
  if (udp.f.checksum.get(bytes, start) === 0) return bytes[header] >> 4 === 6 ? 'udp-checksum' : undefined;
  const sum = addressesSumIn(memory, header) + PROTOCOL.udp + length;
  return finishChecksum(sumWords(bytes, start, start + length, sum)) === 0 ? undefined : 'udp-checksum';
}
