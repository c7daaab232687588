/** How much is sent before anything is known of the path (RFC 6928), and again after a time without sending. */
import type { Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';

/** What the RFC's 14,600 bytes are made of. */
const USUAL_MSS = 1460;

/**
 * In segments. RFC 6928 §2: "min (10*MSS, max (2*MSS, 14600))", so that large segments are fewer; Linux sends as many
 * whatever their size.
 */
export function initialWindow({ initialWindow: most, initialWindowRule }: TcpSettings, { mss }: Tcb): number {
  if (initialWindowRule === 'segments' || mss <= USUAL_MSS) return most;
  return Math.min(most, Math.max(2, Math.floor((most * USUAL_MSS) / mss)));
}
