/** How long the user waits for his data to be acknowledged (RFC 9293 §3.9.1.1, RFC 5482). */
import type { Instant } from '../../base/instant.ts';
import { seqDiff } from '../../base/seq32.ts';
import { DUE } from './deadlines.ts';
import type { Sender } from './sender.ts';

/** A timer fires no later than the user's patience ends, where timers look at it themselves. */
export function withinUserTimeout(s: Sender, now: Instant, due: Instant): Instant {
  const { userTimeout, clampsToUserTimeout } = s.host.settings;
  const stamp = s.recovery.retransmitStamp;
  const resending = stamp === undefined ? undefined : now - seqDiff(s.tcb.timestamp(now), stamp) * 1e6;
  const began = s.prober?.since ?? resending;
  if (userTimeout === undefined || !clampsToUserTimeout || began === undefined) return due;
  return Math.max(Math.min(due, began + userTimeout), now + 1e6);
}

/** `restart`: something was acknowledged. */
export function armUserTimeout(s: Sender, now: Instant, restart = false): void {
  const { userTimeout } = s.host.settings;
  if (userTimeout !== undefined) arm(s, now + userTimeout, restart);
}

function arm(s: Sender, due: Instant, restart: boolean): void {
  const { deadlines } = s.host;
  if (s.queue.isEmpty && s.queue.head === undefined) deadlines.clear(DUE.userTimeout);
  else if (restart || !deadlines.isSet(DUE.userTimeout)) deadlines.set(DUE.userTimeout, due);
}
