/** Windows of those who count bytes: RFC 9293's, and BSD's. */
import type { Duration, Instant } from '../../base/instant.ts';
import type { TcpSettings } from './types.ts';
import type { BufferState, WindowPolicy } from './window-policy.ts';

/** BSD: a buffer holds whole segments, so that the last of a full window fits. */
export const wholeSegments = (bytes: number, mss: number): number =>
  bytes > mss ? Math.ceil(bytes / mss) * mss : bytes;

/** Free bytes are the window. RFC 9293 §3.8.6.2.2: its right edge moves by min(half the buffer, one segment) or more. */
export class SpaceWindow implements WindowPolicy {
  capacity: number;
  private readonly settings: TcpSettings;
  private readonly bsd: boolean;
  private roundStart: Instant = 0;
  private roundBytes = 0;

  constructor(settings: TcpSettings, bsd: boolean) {
    this.settings = settings;
    this.bsd = bsd;
    this.capacity = settings.receiveBuffer;
  }

  initial(): number {
    return this.capacity;
  }

  established(mss: number): void {
    if (this.bsd) this.capacity = wholeSegments(this.capacity, mss);
  }

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

  offer({ unread, offered, fullSize, scale }: BufferState): number {
    const free = Math.min(Math.max(0, this.capacity - unread), 65535 << scale);
    if (this.bsd) return free < this.capacity / 4 && free < fullSize ? 0 : free;
    const growth = free - offered;
    const threshold = Math.min(Math.floor(this.capacity / 2), fullSize);
    const moves = growth >= threshold || (offered === 0 && growth > 0 && unread === 0);
    // Rounded down to what the field can say, so that the promise and the field agree.
    return moves ? (free >> scale) << scale : offered;
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
