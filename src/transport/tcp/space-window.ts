/** RFC 9293's window: free bytes. */
import type { Duration, Instant } from '../../base/instant.ts';
import type { TcpSettings } from './types.ts';
import type { BufferState, WindowPolicy } from './window-policy.ts';

/** Free bytes are the window. RFC 9293 §3.8.6.2.2: its right edge moves by min(half the buffer, one segment) or more. */
export class SpaceWindow implements WindowPolicy {
  capacity: number;
  protected readonly settings: TcpSettings;
  private roundStart: Instant = 0;
  private roundBytes = 0;

  constructor(settings: TcpSettings) {
    this.settings = settings;
    this.capacity = settings.receiveBuffer;
  }

  initial(): number {
    return this.capacity;
  }

  established(_mss: number): void {}

  setCapacity(bytes: number): void {
    this.capacity = bytes;
  }

  setMost(bytes: number): void {
    this.capacity = Math.min(this.capacity, bytes);
  }

  setMss(): void {}

  get isScarce(): boolean {
    return false;
  }

  get limit(): number {
    return this.capacity;
  }

  get threshold(): number {
    return this.capacity;
  }

  get roundSpace(): number {
    return this.roundBytes;
  }

  offer({ readable, offered, fullSize, shift }: BufferState): number {
    const free = Math.min(Math.max(0, this.capacity - readable), 65535 << shift);
    const growth = free - offered;
    const threshold = Math.min(Math.floor(this.capacity / 2), fullSize);
    const moves = growth >= threshold || (offered === 0 && growth > 0 && readable === 0);
    // Rounded down to what the field can say, so that the promise and the field agree.
    return moves ? (free >> shift) << shift : offered;
  }

  measured(): void {}

  /** The buffer doubles while the user reads more than half of it in a round trip. */
  read(now: Instant, bytes: number, rtt: Duration | undefined): void {
    const { receiveBufferMax, receiveBufferTuning } = this.settings;
    if (rtt === undefined || this.capacity >= receiveBufferMax || receiveBufferTuning !== 'auto') return;
    if (now - this.roundStart > rtt) {
      if (this.roundBytes > this.capacity / 2) this.capacity = Math.min(this.capacity * 2, receiveBufferMax);
      this.roundStart = now;
      this.roundBytes = 0;
    }
    this.roundBytes += bytes;
  }
}
