/**
 * The timers of a clock, virtual or real: what is due first comes first, equal instants in the order of insertion.
 *
 * A heap holds what is due soon, so it stays small and in the processor's cache. What is due later waits unsorted in
 * the slots of wheels, each slot of a wheel as long as a whole turn of the one below (Varghese and Lauck, 1987), and
 * is looked at again when its time comes near. A million timers that wait cost little more than a thousand.
 */
import { type Instant, NEVER } from './instant.ts';
import type { Timer } from './scheduler.ts';
import { SmallHeap } from './small-heap.ts';
import { Wheel } from './wheel.ts';

/** Nanoseconds of a slot: 0.26 ms, 1.07 s, 73 minutes. A turn of the last takes 208 days; beyond, slots are shared. */
const WIDTHS = [2 ** 18, 2 ** 30, 2 ** 42] as const;

export class Entry implements Timer {
  readonly when: Instant;
  readonly order: number;
  run: (() => void) | undefined;
  /** In a slot: what else is there. */
  next: Entry | undefined;
  private readonly queue: TimerQueue;

  constructor(queue: TimerQueue, when: Instant, order: number, run: () => void) {
    this.queue = queue;
    this.when = when;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    if (this.run === undefined) return;
    this.run = undefined;
    if (this.when !== NEVER) this.queue.cancelled();
  }
}

export class TimerQueue {
  /** Timers that wait. */
  size = 0;
  private readonly near = new SmallHeap();
  private readonly wheels = WIDTHS.map(width => new Wheel(width));
  /** Everything due before is in the heap; a slot of the first wheel begins here. */
  private horizon: Instant = 0;
  private nextOrder = 0;
  private dead = 0;

  /** When the first is due; NEVER without one. */
  get earliest(): Instant {
    const first = this.first();
    return first === undefined ? NEVER : first.when;
  }

  add(when: Instant, run: () => void): Timer {
    const entry = new Entry(this, when, this.nextOrder++, run);
    // A timer at 'never' needs no place.
    if (when === NEVER) return entry;
    this.size++;
    if (when < this.horizon) this.near.push(entry);
    else this.place(entry);
    return entry;
  }

  /** What the first timer is to run, and the timer removed. */
  take(): (() => void) | undefined {
    const entry = this.first();
    if (entry === undefined) return undefined;
    this.near.pop();
    this.size--;
    const { run } = entry;
    entry.run = undefined;
    return run;
  }

  /** One of the waiting was cancelled: it is dropped when it surfaces, or when there are too many of its kind. */
  cancelled(): void {
    this.size--;
    this.dead++;
    if (this.dead > 64 && this.dead > this.size) this.sweep();
  }

  private first(): Entry | undefined {
    for (;;) {
      const entry = this.near.peek();
      if (entry === undefined) {
        if (this.size === 0) return undefined;
        this.advance();
      } else if (entry.run === undefined) {
        this.near.pop();
        this.dead--;
      } else {
        return entry;
      }
    }
  }

  /** Into the lowest wheel in whose turn it is due. */
  private place(entry: Entry): void {
    const { wheels, horizon } = this;
    const last = wheels.length - 1;
    let level = 0;
    while (level < last && !wheels[level].reaches(horizon, entry.when)) level++;
    wheels[level].add(entry);
  }

  /** The heap is empty and something waits: on to the next slot that holds anything. */
  private advance(): void {
    const level = this.wheels.findIndex(wheel => wheel.count > 0);
    const wheel = this.wheels[level];
    // Behind the end of its turn, a slot of the wheel above may come first.
    const from = level === 0 ? wheel.tick(this.horizon) : wheel.tick(this.horizon) + 1;
    const end = wheel.turnEnd(this.horizon);
    const found = wheel.next(from, end);
    if (found >= 0 && level === 0) {
      this.horizon = (found + 1) * wheel.width;
      this.open(wheel, found);
    } else {
      this.horizon = (found < 0 ? end : found) * wheel.width;
    }
    // Slots of the wheels above that begin here.
    for (let above = this.wheels.length - 1; above > 0; above--) {
      const { width } = this.wheels[above];
      if (this.horizon % width === 0) this.open(this.wheels[above], this.horizon / width);
    }
  }

  /** Takes everything out of a slot, to the heap or to wheels below. */
  private open(wheel: Wheel, tick: number): void {
    let entry = wheel.take(tick);
    while (entry !== undefined) {
      const { next } = entry;
      entry.next = undefined;
      if (entry.run === undefined) this.dead--;
      else if (entry.when < this.horizon) this.near.push(entry);
      else this.place(entry);
      entry = next;
    }
  }

  private sweep(): void {
    this.near.filter(entry => entry.run !== undefined);
    for (const wheel of this.wheels) wheel.filter(entry => entry.run !== undefined);
    this.dead = 0;
  }
}
