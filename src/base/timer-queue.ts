/**
 * The timers of a clock, virtual or real: what is due first comes first, equal instants in the order of insertion.
 *
 * A heap holds what is due soon, so it stays small and in the processor's cache. What is due later waits unsorted in
 * the slots of wheels, each slot of a wheel as long as a whole turn of the one below (Varghese and Lauck, 1987), and
 * is looked at again when its time comes near. A million timers that wait cost little more than a thousand. What is due
 * at once needs neither.
 */
import { DueNow } from './due-now.ts';
import { type Instant, NEVER } from './instant.ts';
import type { Timer } from './scheduler.ts';
import { SmallHeap } from './small-heap.ts';
import { TimerChunks } from './timer-chunks.ts';
import { NONE, type Run, TimerTable } from './timer-table.ts';
import { type Finder, Wheel } from './wheel.ts';

/** Nanoseconds of a slot: 0.26 ms, 1.07 s, 73 minutes. A turn of the last takes 208 days; beyond, slots are shared. */
const WIDTHS = [2 ** 18, 2 ** 30, 2 ** 42] as const;

/** Rows of cancelled timers, a few bytes each, below which it is not worth while to go through all slots. */
const SWEEP_FROM = 4096;

class Handle implements Timer {
  readonly when: Instant;
  private readonly queue: TimerQueue;
  private readonly row: number;
  private readonly order: number;

  constructor(queue: TimerQueue, when: Instant, row: number, order: number) {
    this.queue = queue;
    this.when = when;
    this.row = row;
    this.order = order;
  }

  cancel(): void {
    if (this.row !== NONE) this.queue.cancel(this.row, this.order);
  }
}

export class TimerQueue implements Finder {
  /** Timers that wait in the heap and in wheels. */
  private later = 0;
  /** When the timer was due that was taken last. */
  taken: Instant = 0;
  /** The latest of those instants. */
  private present: Instant = 0;
  /** What was set for `present` when it was that already: behind all in the heap that are due then. */
  private readonly dueNow = new DueNow();
  private readonly table = new TimerTable();
  private readonly near = new SmallHeap();
  private readonly wheels: Wheel[];
  /** Everything due before is in the heap; a slot of the first wheel begins here. */
  private horizon: Instant = 0;
  private dead = 0;
  private nextOrder = 0;

  constructor() {
    const chunks = new TimerChunks();
    this.wheels = WIDTHS.map(width => new Wheel(chunks, width));
  }

  /** Timers that wait. */
  get size(): number {
    return this.later + this.dueNow.size;
  }

  /** When the first is due; NEVER without one. */
  get earliest(): Instant {
    if (this.dueNow.size > 0) return this.isOverdue ? this.near.least : this.present;
    const first = this.first();
    return first === NONE ? NEVER : this.near.least;
  }

  add(when: Instant, run: Run): Timer {
    if (when === this.present) return this.dueNow.add(when, run);
    // A timer at 'never' needs no place.
    if (when === NEVER) return new Handle(this, when, NONE, 0);
    const order = this.nextOrder++;
    const row = this.table.add(run, order);
    this.later++;
    this.place(when, row);
    return new Handle(this, when, row, order);
  }

  /** What the first timer is to run, if it is due by `limit`, and the timer removed. */
  take(limit: Instant): Run | undefined {
    const { near, table } = this;
    if (this.dueNow.size > 0 && !this.isOverdue) {
      if (this.present > limit) return undefined;
      this.taken = this.present;
      return this.dueNow.take();
    }
    const row = this.first();
    if (row === NONE || near.least > limit) return undefined;
    this.taken = near.least;
    if (this.taken > this.present) this.present = this.taken;
    near.pop();
    this.later--;
    return table.release(row);
  }

  /** Is something in the heap that comes before what is due now? */
  private get isOverdue(): boolean {
    return this.surfaced() !== NONE && this.near.least <= this.present;
  }

  /** A cancelled row is dropped when it surfaces, or when there are too many of its kind. */
  cancel(row: number, order: number): void {
    const { table } = this;
    // The row may serve another timer by now.
    if (table.order(row) !== order || table.isCancelled(row)) return;
    table.cancel(row);
    this.later--;
    this.dead++;
    if (this.dead > SWEEP_FROM && this.dead > this.later) this.sweep();
  }

  private first(): number {
    for (;;) {
      const row = this.surfaced();
      if (row !== NONE || this.later === 0) return row;
      this.advance();
    }
  }

  /** The first in the heap that was not cancelled. */
  private surfaced(): number {
    for (;;) {
      const row = this.near.peek();
      if (row === NONE || !this.table.isCancelled(row)) return row;
      this.near.pop();
      this.drop(row);
    }
  }

  private drop(row: number): void {
    this.table.release(row);
    this.dead--;
  }

  /** Into the heap, or the lowest wheel in whose turn it is due. */
  place(when: Instant, row: number): void {
    const { wheels, horizon } = this;
    if (when < horizon) return this.near.push(when, this.table.order(row), row);
    // Instants at which a slot of a wheel begins are such of all below it, so the lowest has a whole turn from here on.
    if (when - horizon < wheels[0].span) return wheels[0].add(when, row);
    const last = wheels.length - 1;
    let level = 1;
    while (level < last && !wheels[level].reaches(horizon, when)) level++;
    wheels[level].add(when, row);
  }

  /** The heap is empty and something waits: on to the next slot that holds anything. */
  private advance(): void {
    let level = 0;
    while (this.wheels[level].count === 0) level++;
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
      const tick = this.wheels[above].begins(this.horizon);
      if (tick >= 0) this.open(this.wheels[above], tick);
    }
  }

  /** Takes everything out of a slot, to the heap or to wheels below. */
  private open(wheel: Wheel, tick: number): void {
    wheel.take(tick, this);
  }

  /** For the wheels: false for a row that was cancelled, which is dropped. */
  keep(row: number): boolean {
    const lives = !this.table.isCancelled(row);
    if (!lives) this.drop(row);
    return lives;
  }

  private sweep(): void {
    const keep = (row: number): boolean => this.keep(row);
    this.near.filter(keep);
    for (const wheel of this.wheels) wheel.filter(keep);
  }
}
