/** Choosing a free port at random: RFC 6056 §3.3.1, simple port randomisation. */
import type { Random } from './random.ts';

export interface PortRange {
  first: number;
  count: number;
}

/** RFC 6335 §6: the dynamic ports. */
export const DYNAMIC_PORTS: PortRange = { first: 49152, count: 16384 };

/** Undefined when none is free. */
export function pickPort(random: Random, range: PortRange, isFree: (port: number) => boolean): number | undefined {
  const start = random.below(range.count);
  for (let n = 0; n < range.count; n++) {
    const port = range.first + ((start + n) % range.count);
    if (isFree(port)) return port;
  }
  return undefined;
}
