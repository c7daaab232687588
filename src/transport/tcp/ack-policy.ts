/** When what was received is acknowledged (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, or a little later. */
import type { Duration, Instant } from '../../base/instant.ts';
import { FIN, PSH, type Segment } from '../../wire/tcp.ts';
import type { RttEstimator } from './rtt.ts';

export interface AckPolicy {
  /** We let the other end send segments of `mss`; `fullSize` is what it is thought to send. */
  established(mss: number, fullSize: number): void;
  /** Data has come, in its turn or before it. */
  received(now: Instant, arrival: Arrival, inOrder: boolean): void;
  /** When an acknowledgement is due; `now`: at once. */
  due(now: Instant, received: Received): Instant;
  /** An acknowledgement goes out. */
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

/** What an acknowledgement would be of. */
export interface Received {
  /** Bytes since the last one. */
  readonly unacknowledged: number;
  /** The window's right edge would move. */
  wouldOpen(now: Instant): boolean;
}

export interface Arrival {
  /** Bytes of data, of the largest where several came in one. */
  length: number;
  pieces: number;
  push: boolean;
  /** PSH or FIN: it may be shorter than a full segment. */
  ends: boolean;
  /** Bytes that may still come within the window, in full-sized segments of which quick acknowledgement is measured. */
  window: number;
  rto: Duration;
  srtt: Duration | undefined;
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

  received(_now: Instant, { length }: Arrival): void {
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

/** Scratch: read before the next segment. */
const ARRIVAL: Arrival = { length: 0, pieces: 0, push: false, ends: false, window: 0, rto: 0, srtt: undefined };

/** `window` is the one that the other end was offered last. */
export function arrivalOf(segment: Segment, window: number, { srtt, rto }: RttEstimator): Arrival {
  ARRIVAL.length = largestOf(segment);
  ARRIVAL.pieces = segment.pieces;
  ARRIVAL.push = segment.has(PSH);
  ARRIVAL.ends = segment.has(PSH | FIN);
  ARRIVAL.window = window;
  ARRIVAL.rto = rto;
  ARRIVAL.srtt = srtt;
  return ARRIVAL;
}
