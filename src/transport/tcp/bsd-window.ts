/** BSD's window: the room in a buffer of whole segments, which grows by half while data comes quickly (tcp_autorcvbuf). */
import type { Duration, Instant } from '../../base/instant.ts';
import { SpaceWindow } from './space-window.ts';
import type { BufferState } from './window-policy.ts';

/** A buffer holds whole segments, so that the last of a full window fits. */
export const wholeSegments = (bytes: number, mss: number): number =>
  bytes > mss ? Math.ceil(bytes / mss) * mss : bytes;

export class BsdWindow extends SpaceWindow {
  /** When an acknowledgement with a timestamp began the round, and the bytes received in it. */
  private since: Instant | undefined = undefined;
  private count = 0;

  override established(mss: number): void {
    this.capacity = wholeSegments(this.capacity, mss);
  }

  /** SWS avoidance: no window is better than one that is less than a quarter of the buffer and a segment. */
  override offer({ readable, fullSize, shift }: BufferState): number {
    const free = Math.min(Math.max(0, this.capacity - readable), 65535 << shift);
    return free < this.capacity / 4 && free < fullSize ? 0 : free;
  }

  acknowledged(now: Instant): void {
    this.since ??= now;
  }

  received(now: Instant, bytes: number, rtt: Duration | undefined): void {
    const { receiveBufferMax, receiveBufferTuning } = this.settings;
    if (this.since === undefined || !rtt || receiveBufferTuning !== 'auto' || now - this.since <= rtt / 2) {
      this.count += bytes;
      return;
    }
    if (this.count > (this.capacity / 8) * 3 && this.capacity < receiveBufferMax) {
      this.capacity = Math.min(Math.floor(this.capacity * 1.5), receiveBufferMax);
    }
    this.since = undefined;
    this.count = 0;
  }

  /** What the user reads is no measure. */
  override read(): void {}
}
