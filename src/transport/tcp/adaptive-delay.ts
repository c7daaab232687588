/** Linux's delayed acknowledgement (tcp_measure_rcv_mss, tcp_event_data_recv, __tcp_ack_snd_check). */
import { type Duration, type Instant, ms } from '../../base/instant.ts';
import { FIN, PSH, type Segment } from '../../wire/tcp.ts';
import { type AckPolicy, largestOf, type Received } from './ack-policy.ts';

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
  private srtt: Duration | undefined = undefined;
  private pushed = 0;
  private lastOdd = 0;
  /** What we let the other end send in one segment. */
  advertised: number;
  private window = 0;

  constructor(fullSize: number, advertised: number) {
    this.fullSize = fullSize;
    this.advertised = advertised;
  }

  established(mss: number, fullSize: number): void {
    this.fullSize = fullSize;
    this.advertised = mss;
  }

  /** Data is being answered by data: an acknowledgement may wait for the answer. */
  private get interactive(): boolean {
    return this.answers >= 1;
  }

  received(now: Instant, segment: Segment, { lastOffered, rtt }: Received, inOrder: boolean): void {
    this.srtt = rtt.srtt;
    this.window = lastOffered;
    this.measure(segment);
    if (!inOrder) return;
    if (this.ato === 0) {
      this.raiseQuick(MAX_QUICK);
      this.ato = LEAST;
    } else {
      const gap = now - this.lastAt;
      if (gap <= LEAST / 2) this.ato = this.ato / 2 + LEAST / 2;
      else if (gap < this.ato) this.ato = Math.min(this.ato / 2 + gap, rtt.rto, MOST);
      else if (gap > rtt.rto) this.raiseQuick(MAX_QUICK); // the sender has started anew
    }
    this.lastAt = now;
  }

  /** The other end's MSS as its segments show it. */
  private measure(segment: Segment): void {
    const length = largestOf(segment);
    const odd = this.lastOdd;
    this.lastOdd = 0;
    if (length >= this.fullSize) {
      this.fullSize = Math.min(length, this.advertised);
      if (segment.has(PSH)) this.pushed = Math.max(this.pushed, 1);
      return;
    }
    if (length >= 536 || (length >= 88 && !segment.has(PSH | FIN))) {
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
    if (received.unacknowledged > this.fullSize && received.wouldOpen()) return now;
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
