/**
 * Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815's idea that what matters is which bytes are still missing), with
 * the limits that a hostile sender makes necessary: total memory, fragments a datagram, and no overlaps. RFC 5722 drops
 * a whole IPv6 datagram with overlapping fragments; nothing honest makes them in IPv4 either, exact repeats apart.
 */
import { type Duration, type Instant, seconds } from '../base/instant.ts';
import type { Timer } from '../base/scheduler.ts';
import type { Context } from '../trace/events.ts';
import { decodeIpv4, type Ipv4Header, ipv4, prependIpv4 } from '../wire/ipv4.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';

export interface FragmentSettings {
  /** RFC 1122 §3.3.2: "a fixed value, not set from the remaining TTL"; recommended between 60 and 120 seconds. */
  timeout: Duration;
  /** Bytes held in all incomplete datagrams. */
  maxBytes: number;
  maxFragments: number;
}

export const FRAGMENT_DEFAULTS: FragmentSettings = { timeout: seconds(60), maxBytes: 4 << 20, maxFragments: 1024 };

interface Piece {
  start: number;
  end: number;
  bytes: Uint8Array;
}

interface Assembly {
  pieces: Piece[];
  /** Known once the last fragment is here. */
  length: number | undefined;
  held: number;
  /** The first fragment as it came (header and data): what an ICMP error quotes. */
  first: Uint8Array | undefined;
  timer: Timer;
  started: Instant;
}

export class Reassembler {
  readonly settings: FragmentSettings;
  private readonly context: Context;
  private readonly expired: (first: Uint8Array | undefined) => void;
  private readonly assemblies = new Map<string, Assembly>();
  private held = 0;

  /** `expired` is told of a datagram that stayed incomplete, with its first fragment if that had come. */
  constructor(
    context: Context,
    expired: (first: Uint8Array | undefined) => void,
    settings: Partial<FragmentSettings> = {},
  ) {
    this.context = context;
    this.expired = expired;
    this.settings = { ...FRAGMENT_DEFAULTS, ...settings };
  }

  get size(): number {
    return this.assemblies.size;
  }

  /** A fragment, already checked, as [start, end): the whole datagram as a new packet once nothing is missing. */
  add(bytes: Uint8Array, start: number, end: number): Packet | undefined {
    const header = decodeIpv4(bytes, start);
    // RFC 791: the four fields that identify the fragments of one datagram.
    const key = `${header.source} ${header.destination} ${header.protocol} ${header.identification}`;
    const dataStart = start + ipv4.size + header.options.length;
    const piece: Piece = {
      start: header.fragmentOffset,
      end: header.fragmentOffset + (end - dataStart),
      bytes: bytes.subarray(dataStart, end),
    };
    const fault = this.faultOf(piece, header);
    if (fault !== undefined) {
      this.context.drop('ipv4', fault);
      return undefined;
    }
    const assembly = this.assemblies.get(key) ?? this.begin(key);
    return this.insert(key, assembly, piece, header, bytes.subarray(start, end));
  }

  private faultOf(piece: Piece, header: Ipv4Header): string | undefined {
    if (piece.end > 65535 - ipv4.size) return 'fragment-too-long';
    // RFC 791 §3.2: all but the last fragment carry a multiple of eight bytes, and none is empty.
    if (header.moreFragments && (piece.end - piece.start) % 8 !== 0) return 'fragment-length';
    return piece.end === piece.start ? 'fragment-length' : undefined;
  }

  private begin(key: string): Assembly {
    const now = this.context.scheduler.now();
    const timer = this.context.scheduler.at(now + this.settings.timeout, () => this.expire(key));
    const assembly = { pieces: [], length: undefined, held: 0, first: undefined, timer, started: now };
    this.assemblies.set(key, assembly);
    return assembly;
  }

  private insert(
    key: string,
    assembly: Assembly,
    piece: Piece,
    header: Ipv4Header,
    whole: Uint8Array,
  ): Packet | undefined {
    const { pieces } = assembly;
    let at = pieces.length;
    while (at > 0 && pieces[at - 1].start >= piece.start) at--;
    const next = pieces[at];
    if (next !== undefined && next.start === piece.start && next.end === piece.end) return undefined;
    const overlaps = (next !== undefined && piece.end > next.start) || (at > 0 && pieces[at - 1].end > piece.start);
    const last = header.moreFragments ? undefined : piece.end;
    const contradicts =
      (last !== undefined && assembly.length !== undefined && last !== assembly.length) ||
      (assembly.length !== undefined && piece.end > assembly.length) ||
      (last !== undefined && pieces.length > 0 && pieces[pieces.length - 1].end > last);
    if (overlaps || contradicts) return this.abandon(key, assembly, 'fragment-overlap');
    if (pieces.length >= this.settings.maxFragments) return this.abandon(key, assembly, 'fragment-too-many');
    pieces.splice(at, 0, piece);
    assembly.held += piece.bytes.length;
    this.held += piece.bytes.length;
    assembly.length ??= last;
    if (piece.start === 0) assembly.first = whole;
    if (assembly.length === assembly.held) return this.finish(key, assembly);
    this.trim();
    return undefined;
  }

  private finish(key: string, assembly: Assembly): Packet {
    this.forget(key, assembly);
    const packet = Packet.withHeadroom(HEADROOM, assembly.held);
    for (const piece of assembly.pieces) packet.bytes.set(piece.bytes, packet.start + piece.start);
    const header = decodeIpv4(assembly.first as Uint8Array);
    prependIpv4(packet, { ...header, moreFragments: false, fragmentOffset: 0 });
    return packet;
  }

  /** Over the limit, the oldest incomplete datagrams go. */
  private trim(): void {
    while (this.held > this.settings.maxBytes) {
      const [key, oldest] = this.assemblies.entries().next().value as [string, Assembly];
      this.abandon(key, oldest, 'fragment-memory');
    }
  }

  private abandon(key: string, assembly: Assembly, reason: string): undefined {
    this.forget(key, assembly);
    this.context.drop('ipv4', reason);
  }

  private expire(key: string): void {
    const assembly = this.assemblies.get(key);
    if (assembly === undefined) return;
    this.abandon(key, assembly, 'reassembly-timeout');
    this.expired(assembly.first);
  }

  private forget(key: string, assembly: Assembly): void {
    assembly.timer.cancel();
    this.assemblies.delete(key);
    this.held -= assembly.held;
  }
}

/**
 * Cuts a datagram (IP header included) into fragments of at most `mtu` bytes. RFC 791 §3.2: options with the copied
 * flag go into every fragment, the others into the first alone.
 */
export function fragment(datagram: Packet, mtu: number): Packet[] {
  const header = decodeIpv4(datagram.bytes, datagram.start);
  const dataStart = datagram.start + ipv4.size + header.options.length;
  const copied = copiedOptions(header.options);
  const fragments: Packet[] = [];
  let at = dataStart;
  while (at < datagram.end) {
    const options = at === dataStart ? header.options : copied;
    const room = (mtu - ipv4.size - options.length) & ~7;
    const size = Math.min(room, datagram.end - at);
    const last = at + size === datagram.end;
    const packet = Packet.of(datagram.bytes.subarray(at, at + size));
    prependIpv4(packet, {
      ...header,
      options,
      moreFragments: header.moreFragments || !last,
      fragmentOffset: header.fragmentOffset + (at - dataStart),
    });
    fragments.push(packet);
    at += size;
  }
  return fragments;
}

function copiedOptions(options: Uint8Array): Uint8Array {
  const kept: number[] = [];
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    const length = options[at] === 1 ? 1 : Math.max(2, options[at + 1]);
    if (options[at] & 0x80) kept.push(...options.subarray(at, at + length));
    at += length;
  }
  while (kept.length % 4 !== 0) kept.push(0);
  return Uint8Array.from(kept);
}
