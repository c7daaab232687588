/**
 * Frames on their way out that wait to be written together, by one system call where the system does that: until there
 * are many, or what led to them is over, which is no later than the present turn of the event loop. Also one by one they
 * are quicker so: the kernel's code and ours do not drive each other out of the cache at every frame.
 */
import { copyInto } from '../../base/bytes.ts';
import type { TapDevice } from './device.ts';
import { roomFor } from './frame-ring.ts';

/** Frames that wait at most, where no ring says how many go at once. */
const MOST = 64;

export class Outgoing {
  /** Whoever holds it will call `flush` himself. */
  held = false;
  private readonly device: TapDevice;
  private readonly most: number;
  private readonly largest: number;
  private readonly stride: number;
  private readonly memory: Uint8Array;
  private readonly address: number;
  private readonly lengths: Int32Array;
  private count = 0;
  private readonly flushLater = (): void => this.flush();

  /** `largest`: bytes of a frame. */
  constructor(device: TapDevice, largest: number) {
    this.device = device;
    this.most = device.ring?.most ?? MOST;
    this.largest = largest;
    this.stride = roomFor(largest);
    this.memory = new Uint8Array(this.stride * this.most);
    this.address = device.addressOf(this.memory);
    this.lengths = new Int32Array(this.most);
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
    if (this.count === this.most) this.flush();
  }

  /** What the kernel has no room for is lost, as on any full queue. */
  flush(): void {
    const { device, address, stride, lengths, count } = this;
    this.count = 0;
    if (count > 1 && device.ring !== undefined) return device.ring.write(address, stride, lengths, count);
    for (let n = 0; n < count; n++) device.writeAt(address + n * stride, lengths[n]);
  }
}
