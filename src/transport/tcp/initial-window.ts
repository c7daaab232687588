/** How much is sent before anything is known of the path (RFC 6928), and again after a time without sending. */
import type { Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';

/** What the RFC's 14,600 bytes are made of. */
const USUAL_MSS = 1460;

/** RFC 3390 §1: "min (4*MSS, max (2*MSS, 4380 bytes))". */
const OLDER_BYTES = 4380;

/**
 * In segments. RFC 6928 §2: "min (10*MSS, max (2*MSS, 14600))", so that large segments are fewer; Linux sends as many
 * whatever their size.
 */
export function initialWindow({ initialWindow: most, initialWindowRule }: TcpSettings, { mss }: Tcb): number {
  if (initialWindowRule === 'rfc3390') return Math.min(4, Math.max(2, Math.floor(OLDER_BYTES / mss)));
  // RFC 5681 §3.1: 2, 3 or 4 segments, by their size.
  if (initialWindowRule === 'rfc5681') return mss > 2190 ? 2 : mss > 1095 ? 3 : 4;
  if (initialWindowRule === 'segments' || mss <= USUAL_MSS) return most;
  return Math.min(most, Math.max(2, Math.floor((most * USUAL_MSS) / mss)));
}
