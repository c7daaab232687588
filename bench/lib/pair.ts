/** Two hosts of ours on one cable, in virtual time, with addresses of both versions: what most benchmarks run on. */
import type { Host, HostOptions } from '../../src/host/host.ts';
import type { CableOptions } from '../../src/link/cable.ts';
import { Internet } from '../../src/sim/internet.ts';

export interface Pair {
  net: Internet;
  a: Host;
  b: Host;
}

export const B_ADDRESS = '10.0.0.2';
export const B_ADDRESS6 = 'fd00::2';

export function pair(cable: Partial<CableOptions> = {}, options?: HostOptions): Pair {
  const net = new Internet({ seed: 1 });
  const a = net.host('a', options);
  const b = net.host('b', options);
  net.join(a, ['10.0.0.1/24', 'fd00::1/64'], b, [`${B_ADDRESS}/24`, `${B_ADDRESS6}/64`], { delay: 0, ...cable });
  return { net, a, b };
}

/** A handler for sockets of which only some calls matter. An error ends the benchmark. */
export const IGNORE = {
  data(): void {},
  end(): void {},
  error(error: Error): void {
    throw error;
  },
  closed(): void {},
};
