/** The timers of a clock, virtual or real: what is due first comes first, equal instants in the order of insertion. */
import { Heap, type HeapEntry } from './heap.ts';
import { type Instant, NEVER } from './instant.ts';
import type { Timer } from './scheduler.ts';

class Entry implements HeapEntry, Timer {
  readonly key: Instant;
  order = 0;
  dead = false;
  run: (() => void) | undefined;
  private readonly heap: Heap<Entry>;

  constructor(heap: Heap<Entry>, key: Instant, run: () => void) {
    this.heap = heap;
    this.key = key;
    this.run = run;
  }

  get when(): Instant {
    return this.key;
  }

  cancel(): void {
    if (this.dead || this.run === undefined) return;
    this.dead = true;
    this.run = undefined;
    this.heap.noteDead();
  }
}

export class TimerHeap {
  private readonly heap = new Heap<Entry>();

  /** Timers that wait. */
  get size(): number {
    return this.heap.size;
  }

  /** When the first is due; NEVER without one. */
  get earliest(): Instant {
    return this.heap.peek()?.key ?? NEVER;
  }

  add(when: Instant, run: () => void): Timer {
    const entry = new Entry(this.heap, when, run);
    // A timer at 'never' needs no place.
    if (when !== NEVER) this.heap.push(entry);
    return entry;
  }

  /** What the first timer is to run, and the timer removed. */
  take(): (() => void) | undefined {
    const entry = this.heap.pop();
    const run = entry?.run;
    if (entry !== undefined) entry.run = undefined;
    return run;
  }
}
