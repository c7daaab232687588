/** When what was received is acknowledged (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, or a little later. */
import type { Duration, Instant } from '../../base/instant.ts';
import type { Segment } from '../../wire/tcp.ts';
import type { RttEstimator } from './rtt.ts';

export interface AckPolicy {
  /** We let the other end send segments of `mss`; `fullSize` is what it is thought to send. */
  established(mss: number, fullSize: number): void;
  /** Data has come, in its turn or before it. */
  received(now: Instant, segment: Segment, by: Received, inOrder: boolean): void;
  /** When an acknowledgement is due; `now`: at once. */
  due(now: Instant, received: Received): Instant;
  /** An acknowledgement goes out. `segments`: 1, or 0 where nothing had come that was to be acknowledged. */
  acknowledged(segments: number): void;
  /** The deadline has passed. */
  timedOut(): void;
  /** We have sent data: an answer, perhaps. */
  dataSent(now: Instant): void;
  /** The user has read `bytes`; true when the other end deserves to hear of it at once. */
  read(unacknowledged: number, emptied: boolean): boolean;
  /** Something was unusual (a gap, a duplicate, a congestion mark): for a while nothing is delayed. */
  beQuick(segments: number): void;
  /** The largest segment seen: what "full-sized" means for the other end. */
  readonly fullSize: number;
  setQuick(on: boolean): void;
  /** The window has grown: the other end should hear of it soon. */
  windowGrew(): void;
  /** The buffer fills: nothing is to be gained from haste. */
  stopBeingQuick(): void;
}

/** What a policy may ask of what receives. */
export interface Received {
  /** Bytes since the last acknowledgement. */
  readonly unacknowledged: number;
  /** An acknowledgement would move the window's right edge. */
  wouldOpen(): boolean;
  /** RCV.WND as the other end was told last. */
  readonly lastOffered: number;
  readonly rtt: RttEstimator;
}

/** Every second full-sized segment, and within a fixed time (RFC 1122). */
export class FixedDelay implements AckPolicy {
  protected readonly delay: Duration;
  protected largest: number;

  /** `largest`: what segments hold, until more is known. */
  constructor(delay: Duration, largest: number) {
    this.delay = delay;
    this.largest = largest;
  }

  established(_mss: number, _fullSize: number): void {}

  get fullSize(): number {
    return this.largest;
  }

  received(_now: Instant, segment: Segment, _by: Received): void {
    const length = largestOf(segment);
    if (length > this.largest) this.largest = length;
  }

  due(now: Instant, { unacknowledged }: Received): Instant {
    return unacknowledged >= 2 * this.largest ? now : now + this.delay;
  }

  acknowledged(): void {}

  timedOut(): void {}
  dataSent(): void {}
  read(): boolean {
    return false;
  }
  beQuick(): void {}
  setQuick(): void {}
  windowGrew(): void {}
  stopBeingQuick(): void {}
}

/** The data of a segment, or of the largest of several that came in one. */
export const largestOf = (segment: Segment): number => (segment.unit > 0 ? segment.unit : segment.length);
