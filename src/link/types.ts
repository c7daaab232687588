/** What the internet layer sees of the link below it. */
import { Packet } from '../wire/packet.ts';

/**
 * A frame as it stands on the wire, without preamble and FCS. Immutable once sent, as captures and others may keep it;
 * only one that is `given` belongs to whoever receives it, alone: a router writes the next headers over the last ones.
 */
export type Frame = Uint8Array;

/**
 * What goes with a frame whose transport is not finished: 0, it is as it stands on a wire; else it holds a TCP segment
 * whose checksum is not made (its field has the pseudo-header's sum), and data of more than so many bytes stands for
 * several segments. As virtio-net has it (virtio 1.2 §5.1.6: VIRTIO_NET_HDR_F_NEEDS_CSUM and gso_size).
 */
export type Unit = number;

/** Where packets that arrive go; whoever gets one that is not shared has it alone. */
export interface PacketSink {
  deliver(packet: Packet): void;
  /** Told, where there are several at once, before the first (true) and behind the last (false). */
  batch?(begins: boolean): void;
}

/**
 * One end of something that carries frames: a cable's end, a TAP device, a wrapper around one of them. Whoever has a
 * link gives it frames and is given some. Between links of ours and layers of ours the same goes by packets: nothing is
 * made for a frame on its way but what its sender made.
 */
export interface Link {
  readonly name: string;
  /** 'ethernet' frames begin with a MAC header, 'ip' ones (TUN) with the IP header. */
  readonly medium: 'ethernet' | 'ip';
  /** Largest IP datagram, bytes. */
  readonly mtu: number;
  /** It takes frames with a unit as they are, up to 64 KB at once. Others cut them first. Absent: it does not. */
  readonly offloads?: boolean;
  /** Its queue takes nothing now: who asks before he sends need not lose what he sends. Absent: it never says so. */
  readonly refuses?: boolean;
  /** `given`: nobody here keeps it. */
  send(frame: Frame, unit?: Unit, given?: boolean): void;
  /** The same for a packet, which is given away. */
  sendPacket?(packet: Packet): void;
  /** Set by whoever sits at this end. */
  receive: (frame: Frame, unit?: Unit, given?: boolean) => void;
  /** The same for a packet, set behind `receive` where there is this field; who sets `receive` again takes it out. */
  receivePacket?: ((packet: Packet) => void) | undefined;
  /** Told, by a link that has several frames at once, before the first (true) and behind the last (false). */
  batch?: (begins: boolean) => void;
}

/** Gives the packet away. */
export function sendPacket(link: Link, packet: Packet): void {
  if (link.sendPacket !== undefined) link.sendPacket(packet);
  else link.send(packet.view(), packet.unit, !packet.shared);
}

/** All that the link receives is given to `take`. */
export function receivePackets(link: Link, take: (packet: Packet) => void): void {
  link.receive = (frame, unit, given) => take(Packet.over(frame, unit, !given));
  link.receivePacket = take;
}

/** Trace, faults and captures have the shape of what they wrap. */
export type Wrap = (inner: Link) => Link;
