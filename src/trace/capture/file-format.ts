/**
 * Capture files, read as they stream by: pcap (libpcap's, in either order of bytes, with micro- or nanoseconds) and
 * pcapng (IETF draft-ietf-opsawg-pcapng). Nothing is kept of a packet that has been told.
 */

/** What is wrong with a file, in one line. */
export class CaptureError extends Error {
  override name = 'CaptureError';
}

/**
 * Told of every packet: bytes[start, end), valid only now; when it was captured, nanoseconds since 1970; its link type
 * (tcpdump.org/linktypes.html); and how long it was on the wire, where less of it was kept.
 */
export type PacketSink = (
  bytes: Uint8Array,
  start: number,
  end: number,
  time: number,
  linkType: number,
  length: number,
) => void;

const PCAPNG = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const [INTERFACE, SIMPLE_PACKET, ENHANCED_PACKET, OLD_PACKET] = [1, 3, 6, 2];
const OPTION_TSRESOL = 9;
/** Longer than any packet or block of sense: a damaged length must not make us wait for gigabytes. */
const MOST = 16 << 20;

interface Interface {
  linkType: number;
  snapLength: number;
  /** Nanoseconds of one unit of its time stamps. */
  unit: number;
}

export class CaptureParser {
  packets = 0;
  format: 'pcap' | 'pcapng' | undefined = undefined;
  private readonly sink: PacketSink;
  private little = true;
  private pcap: Interface = { linkType: 1, snapLength: 65535, unit: 1000 };
  private interfaces: Interface[] = [];
  /** Bytes of the file before those that are looked at now. */
  private offset = 0;

  constructor(sink: PacketSink) {
    this.sink = sink;
  }

  /**
   * Takes as many whole packets and blocks as [start, end) holds and answers where it stopped: what is left is to be
   * given again, with more behind it. Throws CaptureError.
   */
  consume(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.format === undefined) {
      if (end - at < 24) return at;
      at = this.begin(bytes, at);
    }
    for (;;) {
      const next = this.format === 'pcap' ? this.record(bytes, at, end) : this.block(bytes, at, end);
      if (next === at) break;
      at = next;
    }
    this.offset += at - start;
    return at;
  }

  /** The file ends, with `left` bytes that are no whole packet: undefined when that is as it should be. */
  end(left: number): string | undefined {
    if (this.format === undefined) throw new CaptureError('not a capture: it is shorter than a pcap or pcapng header');
    return left === 0 ? undefined : `the file ends in the middle of a packet, at byte ${this.offset}`;
  }

  private begin(bytes: Uint8Array, at: number): number {
    const magic = u32(bytes, at, false);
    if (magic === PCAPNG) {
      this.format = 'pcapng';
      return at;
    }
    const known = [
      [0xa1b2c3d4, false, 1000],
      [0xd4c3b2a1, true, 1000],
      [0xa1b23c4d, false, 1],
      [0x4d3cb2a1, true, 1],
    ] as const;
    const kind = known.find(([value]) => value === magic);
    if (kind === undefined) {
      throw new CaptureError(
        `not a capture: it begins with 0x${magic.toString(16).padStart(8, '0')}, neither pcap nor pcapng`,
      );
    }
    this.format = 'pcap';
    this.little = kind[1];
    // The upper bits say whether frames end in a check sequence, and how long it is.
    const linkType = this.u32(bytes, at + 20) & 0xffff;
    this.pcap = { linkType, snapLength: this.u32(bytes, at + 16), unit: kind[2] };
    return at + 24;
  }

  /** libpcap: seconds, fraction, length kept, length on the wire. */
  private record(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 16) return at;
    const kept = this.u32(bytes, at + 8);
    if (kept > MOST) throw this.damaged(`a packet of ${kept} bytes`);
    if (end - at < 16 + kept) return at;
    const time = this.u32(bytes, at) * 1e9 + this.u32(bytes, at + 4) * this.pcap.unit;
    this.packets++;
    this.sink(bytes, at + 16, at + 16 + kept, time, this.pcap.linkType, this.u32(bytes, at + 12));
    return at + 16 + kept;
  }

  private block(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 12) return at;
    const isSection = u32(bytes, at, false) === PCAPNG;
    if (isSection) this.section(bytes, at);
    const type = isSection ? PCAPNG : this.u32(bytes, at);
    const length = this.u32(bytes, at + 4);
    if (length < 12 || length % 4 !== 0 || length > MOST) throw this.damaged(`a block of ${length} bytes`);
    if (end - at < length) return at;
    const bodyEnd = at + length - 4;
    if (type === ENHANCED_PACKET || type === OLD_PACKET) this.packet(bytes, at + 8, bodyEnd, type === OLD_PACKET);
    else if (type === INTERFACE) this.addInterface(bytes, at + 8, bodyEnd);
    else if (type === SIMPLE_PACKET) this.simplePacket(bytes, at + 8, bodyEnd);
    return at + length;
  }

  /** A section: its order of bytes, and interfaces anew. */
  private section(bytes: Uint8Array, at: number): void {
    if (u32(bytes, at + 8, true) === BYTE_ORDER) this.little = true;
    else if (u32(bytes, at + 8, false) === BYTE_ORDER) this.little = false;
    else throw this.damaged('a section without its byte-order magic');
    this.interfaces = [];
  }

  private addInterface(bytes: Uint8Array, at: number, end: number): void {
    if (end - at < 8) throw this.damaged('an interface description that is too short');
    const made: Interface = { linkType: this.u16(bytes, at), snapLength: this.u32(bytes, at + 4), unit: 1000 };
    for (let option = at + 8; option + 4 <= end; ) {
      const code = this.u16(bytes, option);
      const length = this.u16(bytes, option + 2);
      if (code === 0) break;
      if (code === OPTION_TSRESOL && length === 1) {
        // The highest bit chooses between powers of 2 and of 10.
        const value = bytes[option + 4];
        made.unit = value & 0x80 ? 1e9 / 2 ** (value & 0x7f) : 1e9 / 10 ** value;
      }
      option += 4 + ((length + 3) & ~3);
    }
    this.interfaces.push(made);
  }

  private packet(bytes: Uint8Array, at: number, end: number, old: boolean): void {
    if (end - at < 20) throw this.damaged('a packet block that is too short');
    const number = old ? this.u16(bytes, at) : this.u32(bytes, at);
    const from = this.interfaces[number];
    if (from === undefined) throw this.damaged(`a packet of interface ${number}, which was not described`);
    const kept = this.u32(bytes, at + 12);
    if (kept > end - at - 20) throw this.damaged(`a packet of ${kept} bytes in a block with room for ${end - at - 20}`);
    const stamp = this.u32(bytes, at + 4) * 2 ** 32 + this.u32(bytes, at + 8);
    this.packets++;
    this.sink(bytes, at + 20, at + 20 + kept, stamp * from.unit, from.linkType, this.u32(bytes, at + 16));
  }

  private simplePacket(bytes: Uint8Array, at: number, end: number): void {
    const [from] = this.interfaces;
    if (from === undefined || end - at < 4) throw this.damaged('a simple packet block without an interface');
    const length = this.u32(bytes, at);
    const kept = Math.min(length, from.snapLength || length, end - at - 4);
    this.packets++;
    this.sink(bytes, at + 4, at + 4 + kept, 0, from.linkType, length);
  }

  private damaged(what: string): CaptureError {
    return new CaptureError(`the file is damaged behind byte ${this.offset}, packet ${this.packets}: ${what}`);
  }

  private u32(bytes: Uint8Array, at: number): number {
    return u32(bytes, at, this.little);
  }

  private u16(bytes: Uint8Array, at: number): number {
    return this.little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1];
  }
}

function u32(b: Uint8Array, at: number, little: boolean): number {
  return little
    ? (b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24)) >>> 0
    : ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;
}
