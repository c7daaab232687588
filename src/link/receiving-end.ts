/** The receiving side of a link of ours: packets for who knows of them, frames for who has set `receive` last. */
import type { Packet } from '../wire/packet.ts';
import type { Link, PacketSink } from './types.ts';

export class ReceivingEnd implements PacketSink {
  receivePacket: ((packet: Packet) => void) | undefined = undefined;
  batch: ((begins: boolean) => void) | undefined = undefined;
  private receiveFrame: Link['receive'] = () => {};

  get receive(): Link['receive'] {
    return this.receiveFrame;
  }

  set receive(receive: Link['receive']) {
    this.receiveFrame = receive;
    this.receivePacket = undefined;
  }

  deliver(packet: Packet): void {
    if (this.receivePacket !== undefined) this.receivePacket(packet);
    else this.receiveFrame(packet.view(), packet.unit, !packet.shared);
  }
}
