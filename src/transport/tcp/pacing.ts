/** Segments that leave one after the other at a rate, not in bursts: how fast, and when the next may leave. */
import type { Instant } from '../../base/instant.ts';
import type { Sender } from './sender.ts';

/** Bytes per second at which the window would be sent in a round trip, and somewhat faster (RFC 8985's bursts, BBR). */
export function pacingRate(s: Sender): number {
  const { window, congestion } = s.recovery;
  const { settings } = s.host;
  const own = congestion.pacingRate?.(window);
  if (own !== undefined) return Math.min(own, settings.maxPacingRate);
  const ratio = window.cwnd < window.ssthresh / 2 ? settings.pacingSlowStart : settings.pacingAvoidance;
  const srtt = s.rtt.srtt ?? 0;
  if (srtt === 0) return settings.maxPacingRate;
  const rate = (s.tcb.mss * Math.max(window.cwnd, s.queue.out) * ratio * 1e9) / srtt;
  return Math.min(rate, settings.maxPacingRate);
}

/** Segments of at most `mss` bytes each have been sent. */
export function paceFor(s: Sender, now: Instant, bytes: number, mss: number): void {
  for (let done = 0; done < bytes; done += mss) paceSegment(s, now, Math.min(mss, bytes - done));
}

function paceSegment(s: Sender, now: Instant, bytes: number): void {
  const rate = pacingRate(s);
  // The initial window is never paced (RFC 6928).
  const isInitial = s.dataSegmentsSent < s.host.settings.initialWindow;
  if (isInitial || !Number.isFinite(rate)) return;
  const length = (bytes * 1e9) / rate;
  // What was late is made up for, as far as half of it.
  const credit = Math.min(length / 2, Math.max(0, now - s.nextSendAt));
  s.nextSendAt = Math.max(s.nextSendAt, now) + Math.round(length - credit);
}
