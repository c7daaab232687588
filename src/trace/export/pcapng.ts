/** pcapng (IETF draft-ietf-opsawg-pcapng): one interface a link, nanoseconds, comments on packets that have a story. */
import { concat, utf8 } from '../../base/bytes.ts';
import { ETHERTYPE, ethernet } from '../../wire/ethernet.ts';
import { ipv4, ipv4HeaderLength, PROTOCOL } from '../../wire/ipv4.ts';
import { tcp } from '../../wire/tcp.ts';
import type { FrameEvent, TcpDecisionEvent, TcpSegmentEvent, TraceEvent } from '../events.ts';

export interface PcapngOptions {
  /** Milliseconds since 1970 at virtual time zero. */
  epoch: number;
  /** Only this link. */
  link?: string;
}

const LINKTYPE_ETHERNET = 1;

const FATES: Partial<Record<FrameEvent['fate'], string>> = {
  lost: 'lost: this frame does not arrive',
  'queue-full': 'dropped: the queue is full, this frame does not arrive',
  corrupted: 'corrupted: it arrives with a bit flipped',
  duplicated: 'duplicated: it arrives twice',
  reordered: 'reordered: it arrives late',
  unplugged: 'the cable is unplugged: this frame does not arrive',
  'too-long': 'longer than the link takes: this frame does not arrive',
};

/**
 * The frames of a run as a file's bytes, each as it entered its link. The same events give the same bytes.
 *
 * One link after the other, each in order of time: a reader that follows TCP takes every further sight of a segment for
 * a retransmission, and so at least meets the first link whole and clean. `reordercap` gives the order of time.
 */
export function toPcapng(events: readonly TraceEvent[], options: PcapngOptions): Uint8Array {
  const frames = events
    .filter(e => e.kind === 'frame')
    .filter(e => options.link === undefined || e.link === options.link);
  const interfaces = new Map<string, number>();
  const blocks: Uint8Array[] = [sectionHeader()];
  for (const { link } of frames) {
    if (interfaces.has(link)) continue;
    interfaces.set(link, interfaces.size);
    blocks.push(interfaceDescription(link));
  }
  const stories = retransmissionStories(events);
  const linkOf = (frame: FrameEvent): number => interfaces.get(frame.link) as number;
  for (const frame of [...frames].sort((a, b) => linkOf(a) - linkOf(b))) {
    const comments = [FATES[frame.fate], stories(frame)].filter(text => text !== undefined);
    blocks.push(enhancedPacket(frame, linkOf(frame), options.epoch, comments));
  }
  return concat(blocks);
}

/** Why a segment was sent again: found by host, ports and sequence number on the sender's own link. */
function retransmissionStories(events: readonly TraceEvent[]): (frame: FrameEvent) => string | undefined {
  const stories = new Map<string, string>();
  let last: TcpDecisionEvent | undefined;
  for (const event of events) {
    if (event.kind === 'decision' && ['rto', 'fast-retransmit', 'zero-window-probe'].includes(event.decision))
      last = event;
    if (event.kind === 'segment' && event.direction === 'out' && event.retransmission) {
      const because =
        last?.host === event.host && last.local === event.local && last.remote === event.remote ? last : undefined;
      stories.set(
        keyOfSegment(event),
        because === undefined ? 'retransmission' : `retransmission (${because.decision}): ${because.why}`,
      );
    }
  }
  return frame => {
    const key = keyOfFrame(frame);
    return key === undefined ? undefined : stories.get(key);
  };
}

const portOf = (end: string): string => end.slice(end.lastIndexOf(':') + 1);

const keyOfSegment = (event: TcpSegmentEvent): string =>
  `${event.host} ${portOf(event.local)} ${portOf(event.remote)} ${event.seq} ${event.length} ${event.time}`;

function keyOfFrame(frame: FrameEvent): string | undefined {
  const { bytes } = frame;
  if (ethernet.f.type.get(bytes, 0) !== ETHERTYPE.ipv4 || ipv4.f.protocol.get(bytes, ethernet.size) !== PROTOCOL.tcp)
    return undefined;
  const at = ethernet.size + ipv4HeaderLength(bytes, ethernet.size);
  if (at + tcp.size > bytes.length) return undefined;
  const length = ethernet.size + ipv4.f.totalLength.get(bytes, ethernet.size) - at - (bytes[at + 12] >> 4) * 4;
  const [from, to] = [tcp.f.sourcePort.get(bytes, at), tcp.f.destinationPort.get(bytes, at)];
  return `${frame.host} ${from} ${to} ${tcp.f.seq.get(bytes, at) >>> 0} ${length} ${frame.time}`;
}

// --- blocks

function sectionHeader(): Uint8Array {
  // Byte-order magic, version 1.0, section length not given.
  const body = concat([
    u32(0x1a2b3c4d),
    u16(1),
    u16(0),
    u32(0xffffffff),
    u32(0xffffffff),
    option(4, utf8('netarium')),
    END,
  ]);
  return block(0x0a0d0d0a, body);
}

function interfaceDescription(name: string): Uint8Array {
  const options = [option(2, utf8(name)), option(9, Uint8Array.of(9)), END]; // if_name, if_tsresol: 10^-9
  return block(1, concat([u16(LINKTYPE_ETHERNET), u16(0), u32(0), ...options]));
}

function enhancedPacket(frame: FrameEvent, index: number, epoch: number, comments: readonly string[]): Uint8Array {
  const nanoseconds = BigInt(epoch) * 1_000_000n + BigInt(frame.time);
  const { bytes } = frame;
  const options = comments.length === 0 ? [] : [...comments.map(text => option(1, utf8(text))), END];
  const head = [
    u32(index),
    u32(Number(nanoseconds >> 32n)),
    u32(Number(nanoseconds & 0xffffffffn)),
    u32(bytes.length),
    u32(bytes.length),
  ];
  return block(6, concat([...head, padded(bytes), ...options]));
}

function block(type: number, body: Uint8Array): Uint8Array {
  const length = u32(body.length + 12);
  return concat([u32(type), length, body, length]);
}

function option(code: number, value: Uint8Array): Uint8Array {
  return concat([u16(code), u16(value.length), padded(value)]);
}

const END = new Uint8Array(4);

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const out = new Uint8Array((bytes.length + 3) & ~3);
  out.set(bytes);
  return out;
}

const u16 = (n: number): Uint8Array => Uint8Array.of(n & 255, n >> 8);
const u32 = (n: number): Uint8Array => Uint8Array.of(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);
