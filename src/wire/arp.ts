/** ARP (RFC 826) and RARP (RFC 903) for IPv4 over Ethernet. */
import { formatIpv4, formatMac, type Ipv4Address, type MacAddress } from './address.ts';
import { ETHERTYPE, etherTypeName } from './ethernet.ts';
import { layout, u8, u16, u32, u48 } from './layout.ts';
import { Malformed } from './reader.ts';

export const ARP_OPERATION = { request: 1, reply: 2, rarpRequest: 3, rarpReply: 4 } as const;

const OPERATION_NAMES: Record<number, string> = { 1: 'request', 2: 'reply', 3: 'RARP request', 4: 'RARP reply' };

export const arp = layout('ARP', 28, {
  hardwareType: u16(type => (type === 1 ? '1 (Ethernet)' : String(type))),
  protocolType: u16(etherTypeName),
  hardwareLength: u8(),
  protocolLength: u8(),
  operation: u16(op => `${op} (${OPERATION_NAMES[op] ?? 'unknown'})`),
  senderMac: u48(formatMac),
  senderIp: u32(formatIpv4),
  targetMac: u48(formatMac),
  targetIp: u32(formatIpv4),
});

export interface ArpMessage {
  operation: number;
  senderMac: MacAddress;
  senderIp: Ipv4Address;
  targetMac: MacAddress;
  targetIp: Ipv4Address;
}

export function encodeArp(message: ArpMessage): Uint8Array {
  const bytes = new Uint8Array(arp.size);
  const f = arp.f;
  f.hardwareType.set(bytes, 0, 1);
  f.protocolType.set(bytes, 0, ETHERTYPE.ipv4);
  f.hardwareLength.set(bytes, 0, 6);
  f.protocolLength.set(bytes, 0, 4);
  f.operation.set(bytes, 0, message.operation);
  f.senderMac.set(bytes, 0, message.senderMac);
  f.senderIp.set(bytes, 0, message.senderIp);
  f.targetMac.set(bytes, 0, message.targetMac);
  f.targetIp.set(bytes, 0, message.targetIp);
  return bytes;
}

export function decodeArp(bytes: Uint8Array, start = 0, end = bytes.length): ArpMessage | Malformed {
  if (end - start < arp.size) return new Malformed('ARP: truncated', start);
  const f = arp.f;
  // RFC 826, "Packet Reception": "Do I have the hardware type?", "Do I speak the protocol?", with the lengths checked.
  const known =
    f.hardwareType.get(bytes, start) === 1 &&
    f.protocolType.get(bytes, start) === ETHERTYPE.ipv4 &&
    f.hardwareLength.get(bytes, start) === 6 &&
    f.protocolLength.get(bytes, start) === 4;
  if (!known) return new Malformed('ARP: not IPv4 over Ethernet', start);
  return {
    operation: f.operation.get(bytes, start),
    senderMac: f.senderMac.get(bytes, start),
    senderIp: f.senderIp.get(bytes, start),
    targetMac: f.targetMac.get(bytes, start),
    targetIp: f.targetIp.get(bytes, start),
  };
}
