/**
 * The header in front of each frame of a TAP device with offloads, as virtio-net has it (virtio 1.2 §5.1.6; here in the
 * machine's order of bytes, which is the low one first wherever Node runs on Linux): is the checksum made, and is it
 * one segment or several?
 */
import { finishChecksum, sumWords } from '../../base/checksum.ts';
import type { Unit } from '../../link/types.ts';
import { ETHERTYPE, ethernet } from '../../wire/ethernet.ts';
import { ipv4HeaderLength } from '../../wire/ipv4.ts';
import { ipv6 } from '../../wire/ipv6.ts';
import { ONE_SEGMENT } from '../../wire/packet.ts';
import { tcp } from '../../wire/tcp.ts';

/** struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset. */
export const VNET_HEADER = 10;
const NEEDS_CHECKSUM = 1;
const DATA_VALID = 2;
const GSO_TCP4 = 1;
const GSO_TCP6 = 4;
const GSO_ECN = 0x80;

const get16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);
function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Writes the header for the frame behind it in `bytes`, which is of this unit. `ipAt`: where its IP header starts. */
export function writeVnet(bytes: Uint8Array, ipAt: number, unit: Unit): void {
  bytes.fill(0, 0, VNET_HEADER);
  if (unit === 0) return;
  const isV6 = bytes[ipAt] >> 4 === 6;
  const tcpAt = ipAt + (isV6 ? ipv6.size : ipv4HeaderLength(bytes, ipAt));
  if (tcpAt + tcp.size > bytes.length) return; // no TCP: the kernel will say so
  const dataAt = tcpAt + tcp.f.dataOffset.get(bytes, tcpAt) * 4;
  bytes[0] = NEEDS_CHECKSUM;
  set16(bytes, 6, tcpAt - VNET_HEADER);
  set16(bytes, 8, tcp.f.checksum.offset);
  if (bytes.length - dataAt <= unit) return;
  bytes[1] = isV6 ? GSO_TCP6 : GSO_TCP4;
  set16(bytes, 2, dataAt - VNET_HEADER);
  set16(bytes, 4, unit);
}

/**
 * What the header at `at` says of the frame behind it. A checksum that the kernel has not made is made
 * here where it is not TCP's: only TCP is told of units.
 */
export function readVnet(bytes: Uint8Array, at: number, frame: Uint8Array): Unit {
  const flags = bytes[at];
  const type = bytes[at + 1] & ~GSO_ECN;
  if (type === GSO_TCP4 || type === GSO_TCP6) return get16(bytes, at + 4);
  if ((flags & NEEDS_CHECKSUM) === 0) return flags & DATA_VALID && isTcp(frame) ? ONE_SEGMENT : 0;
  const start = get16(bytes, at + 6);
  const offset = get16(bytes, at + 8);
  if (offset === tcp.f.checksum.offset) return ONE_SEGMENT;
  if (start + offset + 2 > frame.length) return 0; // whatever it is, it is not for us to mend
  const checksum = finishChecksum(sumWords(frame, start, frame.length)) || 0xffff;
  frame[start + offset] = checksum >>> 8;
  frame[start + offset + 1] = checksum;
  return 0;
}

/** Of a frame with an Ethernet header; others have their checksum verified once more. */
function isTcp(frame: Uint8Array): boolean {
  if (frame.length < ethernet.size + 20) return false;
  const type = ethernet.f.type.get(frame, 0);
  return type === ETHERTYPE.ipv4
    ? frame[ethernet.size + 9] === 6
    : type === ETHERTYPE.ipv6 && frame[ethernet.size + 6] === 6;
}
