/** A learning switch (IEEE 802.1D §7.8-7.9): it learns which port a source lives behind, and floods what it does not know. */
import { type Duration, type Instant, seconds } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { isGroupMac, type MacAddress } from '../wire/address.ts';
import { destinationOf, ethernet } from '../wire/ethernet.ts';
import type { Packet } from '../wire/packet.ts';
import { type Link, receivePackets, sendPacket } from './types.ts';

interface Learned {
  port: Link;
  expires: Instant;
}

export class Switch {
  readonly name: string;
  /** IEEE 802.1D table 7-5: 300 s by default. */
  ageing: Duration = seconds(300);
  /** A flood of invented sources must not grow the table without bound. */
  maxEntries = 4096;
  private readonly scheduler: Scheduler;
  private readonly ports: Link[] = [];
  private readonly table = new Map<MacAddress, Learned>();

  constructor(name: string, scheduler: Scheduler) {
    this.name = name;
    this.scheduler = scheduler;
  }

  attach(port: Link): void {
    this.ports.push(port);
    receivePackets(port, packet => this.arrives(port, packet));
  }

  /** Which port a station was last seen behind. */
  lookup(mac: MacAddress): Link | undefined {
    const learned = this.table.get(mac);
    return learned !== undefined && learned.expires > this.scheduler.now() ? learned.port : undefined;
  }

  private arrives(port: Link, packet: Packet): void {
    const { bytes, start } = packet;
    if (packet.length < ethernet.size) return;
    this.learn(ethernet.f.source.get(bytes, start), port);
    const destination = destinationOf(packet);
    const known = isGroupMac(destination) ? undefined : this.lookup(destination);
    if (known === undefined) this.flood(port, packet);
    // A station on the port that the frame came from has it already.
    else if (known !== port) sendPacket(known, packet);
  }

  private flood(from: Link, packet: Packet): void {
    for (const other of this.ports) if (other !== from) sendPacket(other, packet.again());
  }

  private learn(mac: MacAddress, port: Link): void {
    if (isGroupMac(mac)) return;
    // Set again so that the map's order is that of the last sighting: the first entry is the one to give up.
    this.table.delete(mac);
    if (this.table.size >= this.maxEntries) this.table.delete(this.table.keys().next().value as MacAddress);
    this.table.set(mac, { port, expires: this.scheduler.now() + this.ageing });
  }
}
