/**
 * The TCP conversations of a capture: who with whom, how much each way, and how it went. Columns of numbers rather than
 * objects, found by open addressing: a million packets pass in a tenth of a second.
 *
 * A conversation's first end is the one that was seen first. A SYN between two ends whose conversation has been closed
 * opens another one, as a port that is used again does.
 */
import { hash4 } from '../../base/hash.ts';
import { formatEnd } from '../../wire/ip-address.ts';
import { ACK, FIN, RST, SYN } from '../../wire/tcp.ts';
import { AddressTable } from './address-table.ts';
import type { TcpPlace } from './locate.ts';

export interface Conversation {
  /** '10.0.0.1:49152' */
  first: string;
  second: string;
  /** What the first end sent, and what the second: frames, bytes of frames on the wire, bytes of data. */
  packets: [number, number];
  bytes: [number, number];
  data: [number, number];
  /** Nanoseconds since 1970, and nanoseconds. */
  start: number;
  duration: number;
  /** Of both directions: which flags were ever set. */
  flags: number;
}

const EMPTY = -1;
const LEAST = 1024;

export class ConversationTable {
  count = 0;
  /** Of the packet added last: did the second end send it? */
  backward = false;
  private readonly addresses = new AddressTable();
  private slots = new Int32Array(4 * LEAST).fill(EMPTY);
  private firstAddress = new Uint32Array(LEAST);
  private secondAddress = new Uint32Array(LEAST);
  /** The first end's port in the upper half. */
  private ports = new Uint32Array(LEAST);
  private flags = new Uint8Array(LEAST);
  private started = new Float64Array(LEAST);
  private ended = new Float64Array(LEAST);
  /** Two a conversation: of the first end, of the second. */
  private packets = new Uint32Array(2 * LEAST);
  private bytes = new Float64Array(2 * LEAST);
  private data = new Float64Array(2 * LEAST);

  /** Adds a segment and answers the number of its conversation. */
  add(bytes: Uint8Array, place: TcpPlace, time: number, length: number): number {
    const { tcp } = place;
    const source = this.addresses.number(bytes, place.source, place.isV6);
    const destination = this.addresses.number(bytes, place.destination, place.isV6);
    const sourcePort = (bytes[tcp] << 8) | bytes[tcp + 1];
    const destinationPort = (bytes[tcp + 2] << 8) | bytes[tcp + 3];
    const flags = bytes[tcp + 13];
    const at = this.find(source, destination, sourcePort, destinationPort, flags);
    const side = 2 * at + (this.backward ? 1 : 0);
    if (this.packets[2 * at] + this.packets[2 * at + 1] === 0) this.started[at] = time;
    this.ended[at] = time;
    this.flags[at] |= flags;
    this.packets[side]++;
    this.bytes[side] += length;
    this.data[side] += place.end - place.data;
    return at;
  }

  get(at: number): Conversation {
    const ends = this.ports[at];
    const pair = (column: Uint32Array | Float64Array): [number, number] => [column[2 * at], column[2 * at + 1]];
    return {
      first: this.end(this.firstAddress[at], ends >>> 16),
      second: this.end(this.secondAddress[at], ends & 0xffff),
      packets: pair(this.packets),
      bytes: pair(this.bytes),
      data: pair(this.data),
      start: this.started[at],
      duration: this.ended[at] - this.started[at],
      flags: this.flags[at],
    };
  }

  private end(address: number, port: number): string {
    return formatEnd(this.addresses.address(address), port);
  }

  private find(
    source: number,
    destination: number,
    sourcePort: number,
    destinationPort: number,
    flags: number,
  ): number {
    const forward = ((sourcePort << 16) | destinationPort) >>> 0;
    const reverse = swapped(forward);
    const mask = this.slots.length - 1;
    // The same from either side.
    let slot =
      hash4(source ^ destination, source + destination, sourcePort ^ destinationPort, forward + reverse) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const at = this.slots[slot];
      if (at === EMPTY) break;
      const ports = this.ports[at];
      const first = this.firstAddress[at];
      const second = this.secondAddress[at];
      this.backward = !(ports === forward && first === source && second === destination);
      if (this.backward && !(ports === reverse && first === destination && second === source)) continue;
      const isNew = (flags & (SYN | ACK)) === SYN && (this.flags[at] & (FIN | RST)) !== 0;
      if (!isNew) return at;
      this.backward = false;
      return this.create(slot, source, destination, forward);
    }
    this.backward = false;
    return this.create(slot, source, destination, forward);
  }

  private create(slot: number, source: number, destination: number, ports: number): number {
    const at = this.count++;
    const isFull = at === this.ports.length;
    if (isFull) this.grow();
    this.firstAddress[at] = source;
    this.secondAddress[at] = destination;
    this.ports[at] = ports;
    // In a table that has grown everything has another slot.
    if (isFull) this.place(at);
    else this.slots[slot] = at;
    return at;
  }

  private isSame(known: number, at: number): boolean {
    const ends = this.ports[at];
    const [a, b] = [this.firstAddress[at], this.secondAddress[at]];
    const [c, d] = [this.firstAddress[known], this.secondAddress[known]];
    return (
      (this.ports[known] === ends && a === c && b === d) || (this.ports[known] === swapped(ends) && a === d && b === c)
    );
  }

  private place(at: number): void {
    const mask = this.slots.length - 1;
    let slot = hashOf(this.firstAddress[at], this.secondAddress[at], this.ports[at]) & mask;
    while (this.slots[slot] !== EMPTY && !this.isSame(this.slots[slot], at)) slot = (slot + 1) & mask;
    this.slots[slot] = at;
  }

  private grow(): void {
    const size = 2 * this.ports.length;
    this.firstAddress = copied(new Uint32Array(size), this.firstAddress);
    this.secondAddress = copied(new Uint32Array(size), this.secondAddress);
    this.ports = copied(new Uint32Array(size), this.ports);
    this.flags = copied(new Uint8Array(size), this.flags);
    this.started = copied(new Float64Array(size), this.started);
    this.ended = copied(new Float64Array(size), this.ended);
    this.packets = copied(new Uint32Array(2 * size), this.packets);
    this.bytes = copied(new Float64Array(2 * size), this.bytes);
    this.data = copied(new Float64Array(2 * size), this.data);
    this.slots = new Int32Array(4 * size).fill(EMPTY);
    // In their order: where a port was used again, the last one stands.
    for (let at = 0; at < this.count - 1; at++) this.place(at);
  }
}

function copied<T extends Uint8Array | Uint32Array | Float64Array>(into: T, from: T): T {
  into.set(from);
  return into;
}

/** Both ports, the other end's first. */
const swapped = (ports: number): number => ((ports << 16) | (ports >>> 16)) >>> 0;

/** The same from either side. */
const hashOf = (a: number, b: number, ports: number): number =>
  hash4(a ^ b, a + b, (ports >>> 16) ^ (ports & 0xffff), ports + swapped(ports));
