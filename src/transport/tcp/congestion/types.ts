/** What the sender asks of a congestion control: a plug-in of a page or two that never calls back. */
import type { Duration, Instant } from '../../../base/instant.ts';

/** "Arbitrarily high" (RFC 5681 §3.1). */
export const NO_SSTHRESH = 0x7fff_ffff;

/**
 * The window, in segments (RFC 9438 §4.1 has it so; RFC 5681's SMSS is one); whole ones, but for BSD, which counts bytes.
 * Loss recovery moves `cwnd` as well.
 */
export interface Window {
  cwnd: number;
  ssthresh: number;
  /** Segments acknowledged in congestion avoidance that have not yet paid for one more. */
  credit: number;
  /** The window before the last reduction: what an undo goes back to. */
  prior: number;
}

export interface Growth {
  now: Instant;
  /** Segments that this acknowledgement delivered. */
  segments: number;
  srtt: Duration | undefined;
  /** What was lost by a timeout is still being sent again. */
  afterTimeout: boolean;
}

/** How long an acknowledgement took. Durations in nanoseconds. */
export interface RoundTrip {
  now: Instant;
  /** Undefined: nothing that was sent only once was acknowledged. */
  rtt: Duration | undefined;
  inSlowStart: boolean;
  /** SND.UNA and SND.NXT, by which rounds are told apart. */
  una: number;
  nxt: number;
}

/** All that an acknowledgement said of the path. */
export interface PathSample extends RoundTrip {
  segments: number;
  /** Bytes per second that this acknowledgement says to have reached the other end; 0 where it says nothing. */
  rate: number;
  /** The application had no more to send when what it is about was sent. */
  rateAppLimited: boolean;
  /** Segments delivered so far, and when what this acknowledgement is about was sent. */
  delivered: number;
  priorDelivered: number;
  /** Segments found lost. */
  lost: number;
  /** Is something being repaired: by fast recovery, or after a timeout? */
  recovering: 'no' | 'fast' | 'timeout';
  /** Segments in flight, before and after. */
  priorInFlight: number;
  inFlight: number;
  mss: number;
  minRtt: Duration;
}

/** What told of congestion: something lost, an ECN echo, or the retransmission timer. */
export type Congestion = 'loss' | 'echo' | 'timeout';

export interface CongestionControl {
  readonly name: string;
  /** ssthresh after a congestion event. `flight`: segments sent and not acknowledged. */
  reduce(window: Window, flight: number, cause: Congestion): number;
  /** New data was acknowledged outside of recovery while the window was the limit. */
  grow(window: Window, growth: Growth): void;
  /** The reduction was a mistake: cwnd as it should be. */
  undo(window: Window): number;
  /** The retransmission timer expired. */
  timedOut?(): void;
  /** cwnd behind a fast recovery with so much in flight that it may be more than a segment or two; else ssthresh (BSD). */
  recovered?(): number;
  /** The handshake is over; `rtt` is what it took, where that is known. */
  established?(now: Instant, window: Window, mss: number, rtt: Duration | undefined): void;
  /** Every acknowledgement, whatever the state: one of the two, by how much of it matters. */
  roundTrip?(window: Window, trip: RoundTrip): void;
  sample?(window: Window, sample: PathSample): void;
  /** The first data after a time with nothing in flight; `idle` how long nothing was sent. */
  restart?(now: Instant, idle: Duration): void;
  /** It sets cwnd by itself in `sample`; neither recovery nor growth touches it then. */
  readonly ownWindow?: boolean;
  /** Bytes per second; Infinity: as fast as the window allows. */
  pacingRate?(window: Window): number;
}

/** RFC 5681 §3.1, with RFC 3465's limit: one segment more for each that is acknowledged; answers what is left over. */
export function slowStart(window: Window, segments: number): number {
  const cwnd = Math.min(window.cwnd + segments, window.ssthresh);
  const left = segments - (cwnd - window.cwnd);
  window.cwnd = cwnd;
  return left;
}

/** One segment more for every `per` that are acknowledged. */
export function additiveIncrease(window: Window, per: number, segments: number): void {
  if (window.credit >= per) {
    window.credit = 0;
    window.cwnd++;
  }
  window.credit += segments;
  if (window.credit >= per) {
    const more = Math.floor(window.credit / per);
    window.credit -= more * per;
    window.cwnd += more;
  }
}
