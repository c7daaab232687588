/** ICMP messages of scripts: 'icmp unreachable frag_needed mtu 1200' as bytes, about a segment of the flow. */

import { encodeIcmp } from '../wire/icmp.ts';
import { encodeIcmpv6 } from '../wire/icmpv6.ts';
import { type IpAddress, isIpv6 } from '../wire/ip-address.ts';
import type { Packet } from '../wire/packet.ts';
import { HEADROOM, Packet as NewPacket } from '../wire/packet.ts';
import { tcp } from '../wire/tcp.ts';
import { udp } from '../wire/udp.ts';
import { wrap } from './packets.ts';
import type { ScriptIcmp } from './script.ts';
import { Unsupported } from './values.ts';

const V4_TYPES: Record<string, number> = {
  echo_reply: 0,
  unreachable: 3,
  source_quench: 4,
  redirect: 5,
  echo_request: 8,
  time_exceeded: 11,
  parameter_problem: 12,
};
const V4_CODES: Record<string, number> = {
  net_unreachable: 0,
  host_unreachable: 1,
  protocol_unreachable: 2,
  port_unreachable: 3,
  frag_needed: 4,
  source_route_failed: 5,
  net_unknown: 6,
  host_unknown: 7,
  source_host_isolated: 8,
  net_prohibited: 9,
  host_prohibited: 10,
  net_unreachable_for_tos: 11,
  host_unreachable_for_tos: 12,
  packet_filtered: 13,
  precedence_violation: 14,
  precedence_cutoff: 15,
  exc_ttl: 0,
  exc_fragtime: 1,
};
const V6_TYPES: Record<string, number> = {
  unreachable: 1,
  packet_too_big: 2,
  time_exceeded: 3,
  parameter_problem: 4,
  echo_request: 128,
  echo_reply: 129,
};
const V6_CODES: Record<string, number> = {
  no_route: 0,
  net_unreachable: 0,
  admin_prohibited: 1,
  host_prohibited: 1,
  packet_filtered: 1,
  not_neighbour: 2,
  addr_unreachable: 3,
  address_unreachable: 3,
  host_unreachable: 3,
  port_unreachable: 4,
  exceeded_hoplimit: 0,
  exceed_transit: 0,
  exc_ttl: 0,
  exceed_reassembly: 1,
  exc_fragtime: 1,
  header_field: 0,
  unknown_next_header: 1,
};

export interface AboutSegment {
  local: IpAddress;
  remote: IpAddress;
  localPort: number;
  remotePort: number;
  seq: number;
  protocol: number;
}

/** The whole datagram, from the other end to the host under test. */
export function buildIcmp(icmp: ScriptIcmp, about: AboutSegment): Uint8Array {
  const { local, remote } = about;
  const v6 = isIpv6(local);
  const type = (v6 ? V6_TYPES : V4_TYPES)[icmp.type];
  // A script written for IPv4 says 'frag_needed'; IPv6 has a type of its own for it.
  const tooBig = icmp.code === 'frag_needed' || icmp.type === 'packet_too_big';
  const code = icmp.code === undefined || (v6 && tooBig) ? 0 : (v6 ? V6_CODES : V4_CODES)[icmp.code];
  if ((type === undefined && !(v6 && tooBig)) || code === undefined) {
    throw new Unsupported(`icmp ${icmp.type} ${icmp.code ?? ''} is not known here`);
  }
  const quote = quoted(about);
  const rest = icmp.mtu ?? 0;
  if (isIpv6(local) && isIpv6(remote)) {
    const packet = encodeIcmpv6({ type: tooBig ? 2 : type, code, rest, body: quote }, remote, local);
    return wrap(packet, { source: remote, destination: local }, 58, {});
  }
  const packet: Packet = encodeIcmp({ type, code, rest, body: quote });
  return wrap(packet, { source: remote, destination: local }, 1, {});
}

/** The IP header of what the host had sent, and the first bytes behind it. */
function quoted(about: AboutSegment): Uint8Array {
  const isUdp = about.protocol === 17;
  const packet = NewPacket.withHeadroom(HEADROOM + 20, 0);
  const at = packet.prepend(isUdp ? udp.size : tcp.size);
  const f = tcp.f;
  f.sourcePort.set(packet.bytes, at, about.localPort);
  f.destinationPort.set(packet.bytes, at, about.remotePort);
  if (isUdp) udp.f.length.set(packet.bytes, at, udp.size);
  else {
    f.seq.set(packet.bytes, at, about.seq);
    packet.bytes[at + 12] = 0x50;
  }
  return wrap(packet, { source: about.local, destination: about.remote }, about.protocol, { ttl: 64 });
}
