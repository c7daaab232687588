/** After a time without sending, the congestion window says less of the path (RFC 5681 §4.1). */
import type { Duration } from '../../base/instant.ts';
import { initialWindow } from './initial-window.ts';
import type { Recovery } from './recovery.ts';

/** RFC 5681 takes the restart window at once; by RFC 2861 the window halves with every RTO of idleness, down to it. */
export function restartAfterIdle(r: Recovery, idle: Duration): void {
  const { window, rtt, host, tcb } = r;
  const least = Math.min(initialWindow(host.settings, tcb), window.cwnd);
  window.ssthresh = r.ssthreshNow;
  if (host.settings.idleRestart === 'rfc5681') {
    window.cwnd = least;
    return;
  }
  let left = idle - rtt.rto;
  while (left > 0 && window.cwnd > least) {
    window.cwnd >>= 1;
    left -= rtt.rto;
  }
  window.cwnd = Math.max(window.cwnd, least);
}
