/** Makes any link a bad one: what a cable does to frames, done to those of a link that exists already, a TAP's for one. */
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { type CableOptions, Direction, DirectionEnd, PERFECT } from './cable.ts';
import { receivePackets, sendPacket, type Wrap } from './types.ts';

/** Both ways get the same faults, each by its own dice. */
export function withFaults(options: Partial<CableOptions>, world: { scheduler: Scheduler; random: Random }): Wrap {
  return inner => {
    const full: CableOptions = { ...PERFECT, mtu: inner.mtu, ...options };
    const out = new Direction(inner.name, 'us', 'them', full, world, inner.medium);
    const back = new Direction(inner.name, 'them', 'us', full, world, inner.medium);
    const wrapped = new DirectionEnd(inner.name, inner.medium, inner.mtu, out);
    out.to({ deliver: packet => sendPacket(inner, packet) });
    back.to(wrapped);
    receivePackets(inner, packet => back.sendPacket(packet));
    return wrapped;
  };
}
