/** Leaving slow start before it overshoots: HyStart++ (RFC 9406), and the HyStart that came before it. */
import { type Duration, type Instant, ms } from '../../../base/instant.ts';
import { type Seq, seqGt } from '../../../base/seq32.ts';
import type { RoundTrip, Window } from './types.ts';

export interface HyStart {
  /** May end slow start by setting ssthresh. */
  roundTrip(window: Window, trip: RoundTrip): void;
  /** How many of the acknowledged segments may raise the window. */
  limit(segments: number): number;
  reset(): void;
}

export const newHyStart = (kind: 'rfc9406' | 'train'): HyStart =>
  kind === 'rfc9406' ? new HyStartPlusPlus() : new AckTrain();

/** RFC 9406 §4.3. */
const MIN_RTT_THRESH: Duration = ms(4);
const MAX_RTT_THRESH: Duration = ms(16);
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

const threshold = (rtt: Duration): Duration =>
  Math.min(Math.max(rtt / MIN_RTT_DIVISOR, MIN_RTT_THRESH), MAX_RTT_THRESH);

/** RFC 9406 §4.2: a rise of the round-trip time leads to Conservative Slow Start, which may find that it was nothing. */
class HyStartPlusPlus implements HyStart {
  private windowEnd: Seq | undefined = undefined;
  // The least round-trip times of the last round and the present one, and the one that the doubt began with.
  private lastRoundMin: Duration | undefined = undefined;
  private currentRoundMin: Duration | undefined = undefined;
  private cssBaseline: Duration = 0;
  private samples = 0;
  private cssRounds = 0;
  private conservative = false;
  private remainder = 0;

  roundTrip(window: Window, { rtt, una, nxt }: RoundTrip): void {
    if (rtt === undefined) return;
    if (this.windowEnd === undefined || seqGt(una, this.windowEnd)) this.newRound(window, nxt);
    const least = this.currentRoundMin === undefined ? rtt : Math.min(this.currentRoundMin, rtt);
    this.currentRoundMin = least;
    this.samples++;
    if (this.samples < N_RTT_SAMPLE) return;
    if (this.conservative) {
      if (least < this.cssBaseline) this.conservative = false;
    } else if (this.lastRoundMin !== undefined && least >= this.lastRoundMin + threshold(this.lastRoundMin)) {
      this.cssBaseline = least;
      this.conservative = true;
      this.cssRounds = 0;
    }
  }

  limit(segments: number): number {
    if (!this.conservative) return segments;
    this.remainder += segments;
    const whole = Math.floor(this.remainder / CSS_GROWTH_DIVISOR);
    this.remainder -= whole * CSS_GROWTH_DIVISOR;
    return whole;
  }

  reset(): void {
    this.windowEnd = undefined;
    this.lastRoundMin = undefined;
    this.currentRoundMin = undefined;
    this.conservative = false;
  }

  private newRound(window: Window, nxt: Seq): void {
    if (this.conservative && ++this.cssRounds >= CSS_ROUNDS) {
      window.ssthresh = window.cwnd;
      this.conservative = false;
    }
    this.lastRoundMin = this.currentRoundMin;
    this.currentRoundMin = undefined;
    this.samples = 0;
    this.windowEnd = nxt;
  }
}

/** Below so many segments nothing is learned. */
const LOW_WINDOW = 16;
/** Acknowledgements closer than this belong to one train. */
const TRAIN_GAP: Duration = ms(2);
/** What delayed and coalesced acknowledgements may add to the length of a train. */
const TRAIN_SLACK: Duration = ms(1);

class AckTrain implements HyStart {
  private found = false;
  private roundEnd: Seq | undefined = undefined;
  private roundStart: Instant = 0;
  private lastAck: Instant = 0;
  private least = Number.POSITIVE_INFINITY;
  private samples = 0;
  private minRtt = Number.POSITIVE_INFINITY;

  roundTrip(window: Window, { now, rtt, una, nxt }: RoundTrip): void {
    if (rtt === undefined) return;
    this.minRtt = Math.min(this.minRtt, rtt);
    if (this.roundEnd === undefined || seqGt(una, this.roundEnd)) {
      this.roundEnd = nxt;
      this.roundStart = now;
      this.lastAck = now;
      this.least = Number.POSITIVE_INFINITY;
      this.samples = 0;
    }
    if (this.found || window.cwnd < LOW_WINDOW) return;
    if (now - this.lastAck <= TRAIN_GAP) {
      this.lastAck = now;
      if (now - this.roundStart > (this.minRtt + TRAIN_SLACK) / 2) this.leave(window);
    }
    this.least = Math.min(this.least, rtt);
    if (this.samples < N_RTT_SAMPLE) this.samples++;
    else if (this.least > this.minRtt + threshold(this.minRtt)) this.leave(window);
  }

  limit(segments: number): number {
    return segments;
  }

  reset(): void {
    this.found = false;
    this.roundEnd = undefined;
  }

  private leave(window: Window): void {
    this.found = true;
    window.ssthresh = window.cwnd;
  }
}
