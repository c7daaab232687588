/** When what was received is acknowledged (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, or a little later. */
import { type Duration, type Instant, ms } from '../../base/instant.ts';
import { FIN, PSH, type Segment } from '../../wire/tcp.ts';
import type { RttEstimator } from './rtt.ts';

export interface AckPolicy {
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

/** Every second full-sized segment, and within a fixed time: RFC 1122's rule, and BSD's. */
export class FixedDelay implements AckPolicy {
  private readonly delay: Duration;
  private readonly anySize: boolean;
  private largest: number;
  private segments = 0;

  /** `anySize`: every second segment, however small (BSD). */
  constructor(delay: Duration, largest: number, anySize = false) {
    this.delay = delay;
    this.largest = largest;
    this.anySize = anySize;
  }

  get fullSize(): number {
    return this.largest;
  }

  received(_now: Instant, { length, pieces }: Arrival): void {
    this.segments += pieces;
    if (length > this.largest) this.largest = length;
  }

  due(now: Instant, { unacknowledged }: Received): Instant {
    const second = unacknowledged >= 2 * this.largest || (this.anySize && this.segments >= 2);
    return second ? now : now + this.delay;
  }

  acknowledged(): void {
    this.segments = 0;
  }

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

/** Linux: the delay follows the gaps between arrivals, and at the start of a connection nothing is delayed. */
const LEAST: Duration = ms(40);
const MOST: Duration = ms(200);
const MAX_QUICK = 16;

export class AdaptiveDelay implements AckPolicy {
  fullSize: number;
  private ato = 0;
  private quick = 0;
  private answers = 0;
  private lastAt: Instant = Number.NEGATIVE_INFINITY;
  private srtt: Duration | undefined;
  private pushed = 0;
  private lastOdd = 0;
  /** What we let the other end send in one segment. */
  advertised: number;
  private window = 0;

  constructor(fullSize: number, advertised: number) {
    this.fullSize = fullSize;
    this.advertised = advertised;
  }

  /** Data is being answered by data: an acknowledgement may wait for the answer. */
  private get interactive(): boolean {
    return this.answers >= 1;
  }

  received(now: Instant, arrival: Arrival, inOrder: boolean): void {
    this.srtt = arrival.srtt;
    this.window = arrival.window;
    this.measure(arrival);
    if (!inOrder) return;
    if (this.ato === 0) {
      this.raiseQuick(MAX_QUICK);
      this.ato = LEAST;
    } else {
      const gap = now - this.lastAt;
      if (gap <= LEAST / 2) this.ato = this.ato / 2 + LEAST / 2;
      else if (gap < this.ato) this.ato = Math.min(this.ato / 2 + gap, arrival.rto, MOST);
      else if (gap > arrival.rto) this.raiseQuick(MAX_QUICK); // the sender has started anew
    }
    this.lastAt = now;
  }

  /** The other end's MSS as its segments show it. */
  private measure({ length, push, ends }: Arrival): void {
    const odd = this.lastOdd;
    this.lastOdd = 0;
    if (length >= this.fullSize) {
      this.fullSize = Math.min(length, this.advertised);
      if (push) this.pushed = Math.max(this.pushed, 1);
      return;
    }
    if (length >= 536 || (length >= 88 && !ends)) {
      this.lastOdd = length;
      if (length === odd) {
        this.fullSize = length;
        return;
      }
    }
    this.pushed = Math.min(this.pushed + 1, 2);
  }

  private raiseQuick(most: number): void {
    const inWindow = Math.floor(this.window / (2 * this.fullSize)) || 2;
    this.quick = Math.max(this.quick, Math.min(inWindow, most));
  }

  due(now: Instant, received: Received): Instant {
    // In this order: a window that is scarce ends the haste.
    if (received.unacknowledged > this.fullSize && received.wouldOpen(now)) return now;
    if (this.quick > 0 && !this.interactive) return now;
    let delay = this.ato; // nothing yet before the first data
    if (delay > LEAST) {
      let most = this.interactive || this.pushed > 0 ? MOST : ms(500);
      if (this.srtt !== undefined) most = Math.min(most, Math.max(this.srtt, LEAST));
      delay = Math.min(delay, most);
    }
    return now + Math.min(delay, MOST - ms(1));
  }

  acknowledged(segments: number): void {
    this.pushed = 0;
    if (this.quick === 0) return;
    this.quick = Math.max(0, this.quick - segments);
    if (this.quick === 0) this.ato = LEAST;
  }

  timedOut(): void {
    if (!this.interactive) this.ato = Math.min(this.ato * 2, 1e12);
    else {
      this.answers = 0;
      this.ato = LEAST;
    }
  }

  dataSent(now: Instant): void {
    if (now - this.lastAt < this.ato) this.answers = Math.min(this.answers + 1, 255);
  }

  read(unacknowledged: number, emptied: boolean): boolean {
    if (unacknowledged > this.fullSize) return true;
    return emptied && (this.pushed > 1 || (this.pushed > 0 && !this.interactive));
  }

  beQuick(segments: number): void {
    this.raiseQuick(segments);
    this.answers = 0;
    this.ato = LEAST;
  }

  /** TCP_QUICKACK. */
  setQuick(on: boolean): void {
    this.answers = on ? 0 : 1;
  }

  windowGrew(): void {
    this.quick |= 1;
  }

  stopBeingQuick(): void {
    this.quick = 0;
  }

  /** The other end will send no more: acknowledgements may ride on what we still send. */
  becomeInteractive(): void {
    this.answers = 1;
  }
}
