/** A host's context, with the counters of what it did not take. */
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { SlabAllocator } from '../base/slab.ts';
import type { Context, DropEvent, Trace } from './events.ts';

export class HostContext implements Context {
  readonly host: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace | undefined;
  readonly slab: SlabAllocator;
  /** 'ipv4 ip-checksum' -> how many. */
  readonly drops = new Map<string, number>();

  constructor(host: string, scheduler: Scheduler, random: Random, trace?: Trace, slab = new SlabAllocator()) {
    this.host = host;
    this.scheduler = scheduler;
    this.random = random;
    this.trace = trace;
    this.slab = slab;
  }

  drop(layer: DropEvent['layer'], reason: string): void {
    const key = `${layer} ${reason}`;
    this.drops.set(key, (this.drops.get(key) ?? 0) + 1);
    this.trace?.({ kind: 'drop', time: this.scheduler.now(), host: this.host, layer, reason });
  }
}
