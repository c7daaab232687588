/** Choosing a free port at random (RFC 6056 §3.3). */
import type { Random } from './random.ts';

export interface PortRange {
  first: number;
  count: number;
}

/** RFC 6335 §6: the dynamic ports. */
export const DYNAMIC_PORTS: PortRange = { first: 49152, count: 16384 };

/** Tries at random before the ports are gone through: that many are in vain only where nearly all are taken. */
const TRIES = 8;

/**
 * Undefined when none is free. Each try is at random (RFC 6056 §3.3.2): the next behind one that is taken would be chosen
 * the more often, the more are taken before it (§3.3.1).
 */
export function pickPort(
  random: Random,
  { first, count }: PortRange,
  isFree: (port: number) => boolean,
): number | undefined {
  let start = 0;
  for (let n = 0; n < TRIES; n++) {
    start = random.below(count);
    if (isFree(first + start)) return first + start;
  }
  for (let n = 1; n < count; n++) {
    const port = first + ((start + n) % count);
    if (isFree(port)) return port;
  }
  return undefined;
}
