/**
 * Address resolution (RFC 826, with RFC 1122 §2.3.2 on timeouts, floods and the queue, and RFC 5227 on conflicts).
 *
 * An entry is incomplete (packets wait, requests go out once a second, three times) or complete until it expires.
 * An entry that is used near its end is asked for again by unicast (RFC 1122 §2.3.2.1 (2)), so traffic never stalls.
 */
import { type Duration, type Instant, seconds } from '../base/instant.ts';
import type { Timer } from '../base/scheduler.ts';
import type { Context } from '../trace/events.ts';
import {
  formatIpv4,
  formatMac,
  type Ipv4Address,
  isGroupMac,
  MAC_BROADCAST,
  MAC_ZERO,
  type MacAddress,
} from '../wire/address.ts';
import { ARP_OPERATION, type ArpMessage } from '../wire/arp.ts';
import type { Packet } from '../wire/packet.ts';

export interface ArpSettings {
  /** RFC 1122 §2.3.2.1: "on the order of a minute". */
  timeout: Duration;
  /** RFC 1122 §2.3.2.1: at most one request a second for one address. */
  retryInterval: Duration;
  tries: number;
  /** Packets that wait for one address. RFC 1122 §2.3.2.2: "SHOULD save ... at least one (the latest)". */
  queue: number;
  maxEntries: number;
}

export const ARP_DEFAULTS: ArpSettings = {
  timeout: seconds(60),
  retryInterval: seconds(1),
  tries: 3,
  queue: 64,
  maxEntries: 1024,
};

/** An entry of the table. */
export interface Station {
  mac: MacAddress | undefined;
  expires: Instant;
  waiting: Packet[];
  tries: number;
  timer: Timer | undefined;
  /** When the owner of a used entry was last asked again. */
  refreshedAt: Instant;
}

/** What the table needs of the interface that it belongs to. */
export interface ArpPort {
  readonly mac: MacAddress;
  /** The interface's own address on the network that `target` is on (the sender address of a request). */
  senderFor(target: Ipv4Address): Ipv4Address;
  hasAddress(address: Ipv4Address): boolean;
  sendArp(message: ArpMessage, to: MacAddress): void;
  transmit(packet: Packet, to: MacAddress): void;
  /** Nobody answered: these packets could not be sent. */
  unresolved(packets: Packet[], target: Ipv4Address): void;
}

export class ArpTable {
  readonly settings: ArpSettings;
  private readonly context: Context;
  private readonly port: ArpPort;
  private readonly entries = new Map<Ipv4Address, Station>();
  private lastDefence: Instant = Number.NEGATIVE_INFINITY;

  constructor(context: Context, port: ArpPort, settings: Partial<ArpSettings> = {}) {
    this.context = context;
    this.port = port;
    this.settings = { ...ARP_DEFAULTS, ...settings };
  }

  /** Complete entries, for a person. */
  list(): { address: Ipv4Address; mac: MacAddress }[] {
    const now = this.context.scheduler.now();
    return [...this.entries]
      .filter(([, entry]) => entry.mac !== undefined && entry.expires > now)
      .map(([address, entry]) => ({ address, mac: entry.mac as MacAddress }));
  }

  /**
   * Sends the packet to the station that has `target`, now or when it is known; answers it if it is. `last`: what was
   * answered the last time, so that it need not be looked up.
   */
  send(packet: Packet, target: Ipv4Address, last?: Station): Station | undefined {
    const now = this.context.scheduler.now();
    const entry = last !== undefined && now < last.expires ? last : this.entries.get(target);
    if (entry?.mac === undefined || now >= entry.expires) {
      this.sendToUnknown(packet, target, entry);
      return undefined;
    }
    if (entry.expires - now < this.settings.timeout / 4) this.refresh(entry, target);
    this.port.transmit(packet, entry.mac);
    return entry;
  }

  private sendToUnknown(packet: Packet, target: Ipv4Address, entry: Station | undefined): void {
    if (entry !== undefined && entry.mac === undefined) {
      this.wait(entry, packet);
    } else {
      const fresh = this.create(target);
      this.wait(fresh, packet);
      this.ask(fresh, target);
    }
  }

  /** A static entry, or one learned from elsewhere; it expires like others unless `forever`. */
  set(address: Ipv4Address, mac: MacAddress, forever = false): void {
    const entry = this.entries.get(address) ?? this.create(address);
    this.complete(entry, address, mac);
    if (forever) entry.expires = Number.POSITIVE_INFINITY;
  }

  /** RFC 826 "Packet Reception", and RFC 5227 §2.4 on conflicts. */
  arrives(message: ArpMessage): void {
    const { senderIp, senderMac, targetIp } = message;
    // A group address cannot be a station (RFC 1812 §3.3.2: MUST not believe it).
    if (isGroupMac(senderMac) || senderMac === MAC_ZERO) return this.context.drop('arp', 'arp-sender');
    if (senderMac === this.port.mac) return;
    if (senderIp !== 0 && this.port.hasAddress(senderIp)) return this.conflict(senderIp, senderMac);
    const entry = this.entries.get(senderIp);
    const forMe = this.port.hasAddress(targetIp);
    if (entry !== undefined && entry.expires !== Number.POSITIVE_INFINITY) {
      this.complete(entry, senderIp, senderMac);
    } else if (forMe && senderIp !== 0) {
      this.complete(this.create(senderIp), senderIp, senderMac);
    }
    if (forMe && message.operation === ARP_OPERATION.request) {
      this.port.sendArp(
        {
          operation: ARP_OPERATION.reply,
          senderMac: this.port.mac,
          senderIp: targetIp,
          targetMac: senderMac,
          targetIp: senderIp,
        },
        senderMac,
      );
    }
  }

  /** A gratuitous ARP: RFC 5227 §3's announcement, so that neighbours learn, and a double is noticed. */
  announce(address: Ipv4Address): void {
    this.note('announce', address, this.port.mac);
    const { mac } = this.port;
    this.port.sendArp(
      { operation: ARP_OPERATION.request, senderMac: mac, senderIp: address, targetMac: MAC_ZERO, targetIp: address },
      MAC_BROADCAST,
    );
  }

  private wait(entry: Station, packet: Packet): void {
    if (entry.waiting.length >= this.settings.queue) {
      entry.waiting.shift();
      this.context.drop('arp', 'arp-queue-full');
    }
    entry.waiting.push(packet);
  }

  private create(target: Ipv4Address): Station {
    this.entries.get(target)?.timer?.cancel();
    this.entries.delete(target);
    if (this.entries.size >= this.settings.maxEntries) this.giveUpOldest();
    const entry = { mac: undefined, expires: 0, waiting: [], tries: 0, timer: undefined, refreshedAt: 0 };
    this.entries.set(target, entry);
    return entry;
  }

  private giveUpOldest(): void {
    const [address, entry] = this.entries.entries().next().value as [Ipv4Address, Station];
    entry.timer?.cancel();
    entry.expires = 0; // others may have kept it
    this.entries.delete(address);
    for (const _ of entry.waiting) this.context.drop('arp', 'arp-table-full');
  }

  private ask(entry: Station, target: Ipv4Address): void {
    entry.tries++;
    this.note('who-has', target);
    this.request(target, MAC_BROADCAST);
    entry.timer = this.context.scheduler.at(this.context.scheduler.now() + this.settings.retryInterval, () =>
      this.retry(entry, target),
    );
  }

  private retry(entry: Station, target: Ipv4Address): void {
    if (entry.tries < this.settings.tries) return this.ask(entry, target);
    this.entries.delete(target);
    this.note('failed', target);
    this.port.unresolved(entry.waiting, target);
  }

  /** By unicast, once a second at the most, for as long as nobody has answered. */
  private refresh(entry: Station, target: Ipv4Address): void {
    const now = this.context.scheduler.now();
    if (now - entry.refreshedAt < this.settings.retryInterval) return;
    entry.refreshedAt = now;
    this.request(target, entry.mac as MacAddress);
  }

  private request(target: Ipv4Address, to: MacAddress): void {
    const { mac } = this.port;
    const senderIp = this.port.senderFor(target);
    this.port.sendArp(
      { operation: ARP_OPERATION.request, senderMac: mac, senderIp, targetMac: MAC_ZERO, targetIp: target },
      to,
    );
  }

  private complete(entry: Station, address: Ipv4Address, mac: MacAddress): void {
    if (entry.mac !== mac) this.note('learned', address, mac);
    entry.timer?.cancel();
    entry.mac = mac;
    entry.tries = 0;
    entry.expires = this.context.scheduler.now() + this.settings.timeout;
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const packet of waiting) this.port.transmit(packet, mac);
  }

  /** RFC 5227 §2.4 (b): defend the address with one announcement, at most once in DEFEND_INTERVAL (10 s). */
  private conflict(address: Ipv4Address, mac: MacAddress): void {
    this.note('conflict', address, mac);
    const now = this.context.scheduler.now();
    if (now - this.lastDefence < seconds(10)) return;
    this.lastDefence = now;
    this.announce(address);
  }

  private note(
    action: 'who-has' | 'learned' | 'failed' | 'conflict' | 'announce',
    address: Ipv4Address,
    mac?: MacAddress,
  ): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const event = { kind: 'arp', time: scheduler.now(), host, action, address: formatIpv4(address) } as const;
    trace(mac === undefined ? event : { ...event, mac: formatMac(mac) });
  }
}
