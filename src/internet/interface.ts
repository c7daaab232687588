/** A network interface: a link's end with a MAC address, IP addresses, its ARP table and its multicast groups. */
import { type Link, receivePackets, sendPacket } from '../link/types.ts';
import type { Context } from '../trace/events.ts';
import {
  broadcastOf,
  IPV4_BROADCAST,
  type Ipv4Address,
  inPrefix,
  isMulticast,
  MAC_BROADCAST,
  type MacAddress,
  multicastMac,
  type Prefix,
} from '../wire/address.ts';
import { type ArpMessage, decodeArp, encodeArp } from '../wire/arp.ts';
import { destinationOf, ETHERTYPE, ethernet, prependEthernet } from '../wire/ethernet.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';
import { Malformed } from '../wire/reader.ts';
import { AddressSet } from './address-set.ts';
import { type ArpPort, type ArpSettings, ArpTable, type Station } from './arp.ts';
import type { RarpPort } from './rarp.ts';

/** RFC 1112 §6.1: every host is in the all-hosts group. */
const ALL_HOSTS: Ipv4Address = 0xe000_0001;

/** What the internet layer does with what an interface receives. */
export interface InterfaceOwner {
  /** `packet` starts with its IP header, or should. */
  ipv4Arrives(from: NetworkInterface, packet: Packet, linkToMany: boolean): void;
  batch(begins: boolean): void;
  unresolved(from: NetworkInterface, packet: Packet, target: Ipv4Address): void;
}

export class NetworkInterface implements ArpPort, RarpPort {
  readonly name: string;
  readonly mac: MacAddress;
  readonly link: Link;
  readonly addresses: Prefix[] = [];
  private readonly broadcasts = new AddressSet(IPV4_BROADCAST);
  readonly arp: ArpTable;
  up = true;
  onRarp: ((message: ArpMessage) => void) | undefined = undefined;
  /** The IPv6 layer's, where there is one: the packet starts with its IP header, or should. */
  onIpv6: ((packet: Packet) => void) | undefined = undefined;
  private readonly context: Context;
  private readonly owner: InterfaceOwner;
  private readonly groups = new Set<Ipv4Address>([ALL_HOSTS]);

  constructor(
    context: Context,
    owner: InterfaceOwner,
    name: string,
    mac: MacAddress,
    link: Link,
    arp?: Partial<ArpSettings>,
  ) {
    this.context = context;
    this.owner = owner;
    this.name = name;
    this.mac = mac;
    this.link = link;
    this.arp = new ArpTable(context, this, arp);
    link.batch = begins => owner.batch(begins);
    receivePackets(link, packet => this.arrives(packet));
  }

  get mtu(): number {
    return this.link.mtu;
  }

  get address(): Ipv4Address | undefined {
    return this.addresses[0]?.address;
  }

  addAddress(own: Prefix): void {
    this.addresses.push(own);
    const broadcast = broadcastOf(own);
    if (broadcast !== undefined) this.broadcasts.add(broadcast);
  }

  hasAddress(address: Ipv4Address): boolean {
    return this.addresses.some(own => own.address === address);
  }

  senderFor(target: Ipv4Address): Ipv4Address {
    return (this.addresses.find(own => inPrefix(target, own)) ?? this.addresses[0])?.address ?? 0;
  }

  /** The limited broadcast, or the directed one of a network of this interface. */
  isBroadcast(address: Ipv4Address): boolean {
    return this.broadcasts.has(address);
  }

  join(group: Ipv4Address): void {
    this.groups.add(group);
  }

  leave(group: Ipv4Address): void {
    if (group !== ALL_HOSTS) this.groups.delete(group);
  }

  inGroup(group: Ipv4Address): boolean {
    return this.groups.has(group);
  }

  /** `packet` starts with its IP header; `nextHop` is on this link, and `isUnicast` where it is known to be one station. */
  sendIpv4(packet: Packet, nextHop: Ipv4Address, isUnicast = false): void {
    if (!this.up) return this.context.drop('link', 'interface-down');
    if (this.link.medium === 'ip') this.hand(packet);
    else if (isUnicast) this.arp.send(packet, nextHop);
    else if (this.isBroadcast(nextHop)) this.transmit(packet, MAC_BROADCAST);
    else if (isMulticast(nextHop)) this.transmit(packet, multicastMac(nextHop));
    else this.arp.send(packet, nextHop);
  }

  /** The same to one station; answers who it was, for the next time (`last`). */
  sendTo(packet: Packet, nextHop: Ipv4Address, last: Station | undefined): Station | undefined {
    if (this.up && this.link.medium === 'ethernet') return this.arp.send(packet, nextHop, last);
    this.sendIpv4(packet, nextHop, true);
    return undefined;
  }

  transmit(packet: Packet, to: MacAddress, type: number = ETHERTYPE.ipv4): void {
    prependEthernet(packet, to, this.mac, type);
    this.hand(packet);
  }

  /** To the link, as it is. */
  hand(packet: Packet): void {
    sendPacket(this.link, packet);
  }

  sendArp(message: ArpMessage, to: MacAddress): void {
    this.sendMessage(message, to, ETHERTYPE.arp);
  }

  sendRarp(message: ArpMessage, to: MacAddress): void {
    this.sendMessage(message, to, ETHERTYPE.rarp);
  }

  unresolved(packets: Packet[], target: Ipv4Address): void {
    for (const packet of packets) this.owner.unresolved(this, packet, target);
  }

  private sendMessage(message: ArpMessage, to: MacAddress, type: number): void {
    if (!this.up) return;
    const packet = Packet.of(encodeArp(message), HEADROOM);
    prependEthernet(packet, to, this.mac, type);
    this.hand(packet);
  }

  private arrives(packet: Packet): void {
    if (!this.up) return;
    const { bytes, start } = packet;
    if (this.link.medium === 'ip') {
      if (bytes[start] >> 4 === 6 && this.onIpv6 !== undefined) this.onIpv6(packet);
      else this.owner.ipv4Arrives(this, packet, false);
      return;
    }
    if (packet.length < ethernet.size) return this.context.drop('link', 'frame-truncated');
    const destination = destinationOf(packet);
    // A switch that floods shows us frames for others; no interface of ours is promiscuous.
    if (destination !== this.mac && Math.floor(destination / 2 ** 40) % 2 === 0) return;
    const type = ethernet.f.type.get(bytes, start);
    packet.start = start + ethernet.size;
    if (type === ETHERTYPE.ipv4) this.owner.ipv4Arrives(this, packet, destination !== this.mac);
    else if (type === ETHERTYPE.ipv6 && this.onIpv6 !== undefined) this.onIpv6(packet);
    else if (type === ETHERTYPE.arp || type === ETHERTYPE.rarp) this.arpArrives(packet, type);
    else this.context.drop('link', 'unknown-ethertype');
  }

  private arpArrives(packet: Packet, type: number): void {
    const message = decodeArp(packet.bytes, packet.start, packet.end);
    if (message instanceof Malformed) return this.context.drop('arp', 'arp-malformed');
    if (type === ETHERTYPE.rarp) this.onRarp?.(message);
    else this.arp.arrives(message);
  }
}
