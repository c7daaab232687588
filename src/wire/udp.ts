/** UDP (RFC 768). */
import { finishChecksum, pseudoHeaderSum, sumWords } from '../base/checksum.ts';
import type { Ipv4Address } from './address.ts';
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

export function prependUdp(packet: Packet, ports: UdpPorts, source: Ipv4Address, destination: Ipv4Address): void {
  const at = packet.prepend(udp.size);
  const { bytes, end } = packet;
  udp.f.sourcePort.set(bytes, at, ports.sourcePort);
  udp.f.destinationPort.set(bytes, at, ports.destinationPort);
  udp.f.length.set(bytes, at, end - at);
  udp.f.checksum.set(bytes, at, 0);
  const sum = pseudoHeaderSum(source, destination, PROTOCOL.udp, end - at);
  // RFC 768: a computed checksum of zero is transmitted as all ones; zero means "none".
  udp.f.checksum.set(bytes, at, finishChecksum(sumWords(bytes, at, end, sum)) || 0xffff);
}

/** What is wrong with a datagram, or undefined. Payload is [start + 8, start + length). */
export function checkUdp(
  bytes: Uint8Array,
  start: number,
  end: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): string | undefined {
  if (end - start < udp.size) return 'udp-truncated';
  const length = udp.f.length.get(bytes, start);
  if (length < udp.size || length > end - start) return 'udp-length';
  if (udp.f.checksum.get(bytes, start) === 0) return undefined;
  const sum = pseudoHeaderSum(source, destination, PROTOCOL.udp, length);
  return finishChecksum(sumWords(bytes, start, start + length, sum)) === 0 ? undefined : 'udp-checksum';
}
