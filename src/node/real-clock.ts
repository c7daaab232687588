/** The real clock: nanoseconds since it was made. One Node timer serves all of ours. */
import { Heap, type HeapEntry } from '../base/heap.ts';
import { type Instant, NEVER } from '../base/instant.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';

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

export class RealClock implements Scheduler {
  private readonly began = process.hrtime.bigint();
  private readonly heap = new Heap<Entry>();
  private armedFor: Instant = NEVER;
  private timeout: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;

  now(): Instant {
    return Number(process.hrtime.bigint() - this.began);
  }

  at(when: Instant, run: () => void): Timer {
    const entry = new Entry(this.heap, when, run);
    if (when !== NEVER) {
      this.heap.push(entry);
      this.arm(when);
    }
    return entry;
  }

  touched(): void {}

  /** Timers no longer keep the process alive, and never fire. */
  stop(): void {
    clearTimeout(this.timeout);
    clearImmediate(this.immediate);
    this.armedFor = Number.NEGATIVE_INFINITY;
  }

  private arm(when: Instant): void {
    if (when >= this.armedFor) return;
    this.armedFor = when;
    clearTimeout(this.timeout);
    clearImmediate(this.immediate);
    const wait = (when - this.now()) / 1e6;
    // setTimeout knows milliseconds only; what is due sooner takes the next turn.
    if (wait < 0.5) this.immediate = setImmediate(() => this.fire());
    else this.timeout = setTimeout(() => this.fire(), Math.min(Math.ceil(wait), 2 ** 31 - 1));
  }

  private fire(): void {
    this.armedFor = NEVER;
    const now = this.now();
    for (let next = this.heap.peek(); next !== undefined && next.key <= now; next = this.heap.peek()) {
      this.heap.pop();
      const { run } = next;
      next.run = undefined;
      run?.();
    }
    const next = this.heap.peek();
    if (next !== undefined) this.arm(next.key);
  }
}
