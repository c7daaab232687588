/**
 * Frames on their way out that wait to be written by one system call: until there are as many as a call takes, or what
 * led to them is over, which is no later than the present turn of the event loop.
 */
import { copyInto } from '../../base/bytes.ts';
import type { TapDevice } from './device.ts';
import type { FrameRing } from './frame-ring.ts';

export class Outgoing {
  /** Whoever holds it will call `flush` himself. */
  held = false;
  private readonly device: TapDevice;
  private readonly ring: FrameRing;
  private readonly largest: number;
  private readonly stride: number;
  private readonly memory: Uint8Array;
  private readonly address: number;
  private readonly lengths: Int32Array;
  private count = 0;
  private readonly flushLater = (): void => this.flush();

  /** `largest`: bytes of a frame. */
  constructor(device: TapDevice, ring: FrameRing, largest: number) {
    this.device = device;
    this.ring = ring;
    this.largest = largest;
    this.stride = (largest + 7) & ~7;
    this.memory = new Uint8Array(this.stride * ring.most);
    this.address = device.addressOf(this.memory);
    this.lengths = new Int32Array(ring.most);
  }

  add(frame: Uint8Array): void {
    if (frame.length > this.largest) {
      // For the kernel to refuse, in its turn.
      this.flush();
      this.device.write(frame);
      return;
    }
    if (this.count === 0 && !this.held) queueMicrotask(this.flushLater);
    copyInto(this.memory, frame, this.count * this.stride);
    this.lengths[this.count++] = frame.length;
    if (this.count === this.ring.most) this.flush();
  }

  /** What the kernel has no room for is lost, as on any full queue. */
  flush(): void {
    const { count } = this;
    this.count = 0;
    if (count === 1) this.device.writeAt(this.address, this.lengths[0]);
    else if (count > 1) this.ring.write(this.address, this.stride, this.lengths, count);
  }
}
