/**
 * Reassembly of fragments (RFC 791 §3.2, RFC 8200 §4.5, RFC 815's idea that what matters is which bytes are still
 * missing), with the limits that a hostile sender makes necessary: total memory, fragments a datagram, and no overlaps.
 * RFC 5722 drops a whole IPv6 datagram with overlapping fragments; nothing honest makes them in IPv4 either, exact
 * repeats apart.
 */
import { type Duration, type Instant, seconds } from '../base/instant.ts';
import type { Timer } from '../base/scheduler.ts';
import type { Context, DropEvent } from '../trace/events.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';

export interface FragmentSettings {
  /** RFC 1122 §3.3.2: "a fixed value, not set from the remaining TTL"; recommended between 60 and 120 seconds. */
  timeout: Duration;
  /** Bytes held in all incomplete datagrams. */
  maxBytes: number;
  maxFragments: number;
}

export const FRAGMENT_DEFAULTS: FragmentSettings = { timeout: seconds(60), maxBytes: 4 << 20, maxFragments: 1024 };

export interface Fragment {
  /** The same for all of one datagram, and for no other. */
  key: string;
  /** Of its data in the datagram's, bytes; and whether others follow behind it. */
  offset: number;
  more: boolean;
  data: Uint8Array;
  /** As it came, header and data. */
  whole: Uint8Array;
}

/** All data, with room for the headers that go in front; and the first fragment, which has them. */
export interface Reassembled {
  packet: Packet;
  first: Uint8Array;
}

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
  private readonly layer: DropEvent['layer'];
  /** Bytes of data that a datagram may have. */
  private readonly most: number;
  private readonly expired: (first: Uint8Array | undefined) => void;
  private readonly assemblies = new Map<string, Assembly>();
  private held = 0;

  /** `expired` is told of a datagram that stayed incomplete, with its first fragment if that had come. */
  constructor(
    context: Context,
    layer: 'ipv4' | 'ipv6',
    most: number,
    expired: (first: Uint8Array | undefined) => void,
    settings: Partial<FragmentSettings> = {},
  ) {
    this.context = context;
    this.layer = layer;
    this.most = most;
    this.expired = expired;
    this.settings = { ...FRAGMENT_DEFAULTS, ...settings };
  }

  get size(): number {
    return this.assemblies.size;
  }

  /** The whole datagram once nothing is missing. */
  add(fragment: Fragment): Reassembled | undefined {
    const { key, offset, data } = fragment;
    const piece: Piece = { start: offset, end: offset + data.length, bytes: data };
    const fault = this.faultOf(piece, fragment.more);
    if (fault !== undefined) {
      this.context.drop(this.layer, fault);
      return undefined;
    }
    return this.insert(this.assemblies.get(key) ?? this.begin(key), piece, fragment);
  }

  private faultOf(piece: Piece, more: boolean): string | undefined {
    if (piece.end > this.most) return 'fragment-too-long';
    // RFC 791 §3.2, RFC 8200 §4.5: all but the last fragment carry a multiple of eight bytes, and none is empty.
    if (more && (piece.end - piece.start) % 8 !== 0) return 'fragment-length';
    return piece.end === piece.start ? 'fragment-length' : undefined;
  }

  private begin(key: string): Assembly {
    const now = this.context.scheduler.now();
    const timer = this.context.scheduler.at(now + this.settings.timeout, () => this.expire(key));
    const assembly = { pieces: [], length: undefined, held: 0, first: undefined, timer, started: now };
    this.assemblies.set(key, assembly);
    return assembly;
  }

  private insert(assembly: Assembly, piece: Piece, { key, more, whole }: Fragment): Reassembled | undefined {
    const { pieces } = assembly;
    let at = pieces.length;
    while (at > 0 && pieces[at - 1].start >= piece.start) at--;
    const next = pieces[at];
    if (next !== undefined && next.start === piece.start && next.end === piece.end) return undefined;
    const overlaps = (next !== undefined && piece.end > next.start) || (at > 0 && pieces[at - 1].end > piece.start);
    const last = more ? undefined : piece.end;
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

  private finish(key: string, assembly: Assembly): Reassembled {
    this.forget(key, assembly);
    const packet = Packet.withHeadroom(HEADROOM, assembly.held);
    for (const piece of assembly.pieces) packet.bytes.set(piece.bytes, packet.start + piece.start);
    return { packet, first: assembly.first as Uint8Array };
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
    this.context.drop(this.layer, reason);
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
