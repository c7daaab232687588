/** What the congestion control is told of an acknowledgement, once loss recovery knows where it stands. */
import type { Instant } from '../../base/instant.ts';
import type { PathSample } from './congestion/types.ts';
import type { Delivered } from './delivery-rate.ts';
import type { Sender } from './sender.ts';

/** Scratch, filled in and read within one call: an acknowledgement is dealt with before the next one comes. */
const SAMPLE: PathSample = {
  now: 0,
  rtt: undefined,
  segments: 0,
  inSlowStart: false,
  una: 0,
  nxt: 0,
  rate: 0,
  rateAppLimited: false,
  delivered: 0,
  priorDelivered: 0,
  lost: 0,
  recovering: 'no',
  priorInFlight: 0,
  inFlight: 0,
  mss: 0,
  minRtt: 0,
};

/** `tells`: something was delivered, and it says how data fares; `segments`, `lost`: how many by this acknowledgement. */
export function showPath(
  s: Sender,
  now: Instant,
  of: Delivered,
  tells: boolean,
  segments: number,
  lost: number,
  priorInFlight: number,
): void {
  const { recovery, tcb, queue, rtt } = s;
  const { congestion, window, rate } = recovery;
  if (congestion.sample === undefined && congestion.roundTrip === undefined) return;
  SAMPLE.now = now;
  SAMPLE.rtt = tells ? rtt.latest : undefined;
  SAMPLE.inSlowStart = recovery.inSlowStart;
  SAMPLE.una = tcb.sndUna;
  SAMPLE.nxt = tcb.sndNxt;
  if (congestion.roundTrip !== undefined) return congestion.roundTrip(window, SAMPLE);
  SAMPLE.segments = segments;
  SAMPLE.rate = rate.latest;
  SAMPLE.rateAppLimited = of.appLimited;
  SAMPLE.delivered = rate.delivered;
  SAMPLE.priorDelivered = of.priorDelivered;
  SAMPLE.lost = lost;
  SAMPLE.recovering = recovery.state === 'loss' ? 'timeout' : recovery.state === 'recovery' ? 'fast' : 'no';
  SAMPLE.priorInFlight = priorInFlight;
  SAMPLE.inFlight = queue.pipe;
  SAMPLE.mss = tcb.mss;
  SAMPLE.minRtt = rtt.min;
  congestion.sample?.(window, SAMPLE);
}

/** Outside of a reduction, where data was acknowledged. RFC 7661: a window that was not used says nothing. */
export function growWindow(s: Sender, now: Instant, segments: number): void {
  if (s.transmitter.isCwndLimited) grow(s, now, segments);
}

function grow({ recovery, rtt }: Sender, now: Instant, segments: number): void {
  const { congestion, window, afterTimeout } = recovery;
  congestion.grow(window, { now, segments, srtt: rtt.srtt, afterTimeout });
}

/** To BSD it is enough that the other end's window is no smaller, and what is counted are bytes, those in order. */
export function growWindowAsBsd(s: Sender, now: Instant, bytes: number): void {
  const { recovery, tcb, queue, host } = s;
  const { cwnd } = recovery.window;
  const held = recovery.justRecovered || cwnd * tcb.mss > tcb.sndWnd;
  recovery.justRecovered = false;
  const idle = host.settings.validatesGrowth && cwnd >= 2 * queue.pipe;
  if (!held && !idle) grow(s, now, bytes / tcb.mss);
}
