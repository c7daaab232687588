/**
 * The timers of a clock, virtual or real: what is due first comes first, equal instants in the order of insertion.
 *
 * What is due later waits unsorted in the slots of wheels, each slot of a wheel as long as a whole turn of the one below
 * (Varghese and Lauck, 1987), and is looked at again when its time comes near: a slot of the lowest wheel is sorted then,
 * as a whole. What is set for less than that goes to a heap, which stays small and in the processor's cache. A million
 * timers that wait cost little more than a thousand. What is due at once needs none of this.
 */
import { DueNow } from './due-now.ts';
import { type Instant, NEVER } from './instant.ts';
import type { Timer } from './scheduler.ts';
import { SmallHeap } from './small-heap.ts';
import { TimerChunks } from './timer-chunks.ts';
import { TimerRun } from './timer-run.ts';
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
  /** The slot that was opened last. */
  private readonly run = new TimerRun(this.table, WIDTHS[0]);
  private opening = false;
  /** What has surfaced last is the run's. */
  private isOfRun = false;
  private readonly wheels: Wheel[];
  /** Everything due before is in the run or the heap; a slot of the first wheel begins here. */
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
    if (this.dueNow.size > 0) return this.isOverdue ? this.least : this.present;
    const first = this.first();
    return first === NONE ? NEVER : this.least;
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
    if (this.dueNow.size > 0 && !this.isOverdue) {
      if (this.present > limit) return undefined;
      this.taken = this.present;
      return this.dueNow.take();
    }
    const row = this.first();
    if (row === NONE) return undefined;
    const when = this.least;
    if (when > limit) return undefined;
    this.taken = when;
    if (when > this.present) this.present = when;
    this.pop();
    this.later--;
    return this.table.release(row);
  }

  /** Is there something that comes before what is due now? */
  private get isOverdue(): boolean {
    return this.surfaced() !== NONE && this.least <= this.present;
  }

  /** When that is due which has surfaced. */
  private get least(): Instant {
    return this.isOfRun ? this.run.least : this.near.least;
  }

  private pop(): void {
    if (this.isOfRun) this.run.pop();
    else this.near.pop();
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

  /** The first of the run and the heap that was not cancelled. */
  private surfaced(): number {
    const { run, near, table } = this;
    for (;;) {
      this.isOfRun = run.peek() !== NONE && this.runIsFirst();
      const row = this.isOfRun ? run.peek() : near.peek();
      if (row === NONE || !table.isCancelled(row)) return row;
      this.pop();
      this.drop(row);
    }
  }

  private runIsFirst(): boolean {
    const { run, near, table } = this;
    const other = near.peek();
    if (other === NONE || run.least < near.least) return true;
    return run.least === near.least && table.order(run.peek()) < table.order(other);
  }

  private drop(row: number): void {
    this.table.release(row);
    this.dead--;
  }

  /** Into the run that is made, the heap, or the lowest wheel in whose turn it is due. */
  place(when: Instant, row: number): void {
    const { wheels, horizon } = this;
    if (when < horizon) {
      if (!this.opening || !this.run.add(when, row)) this.near.push(when, this.table.order(row), row);
      return;
    }
    // Instants at which a slot of a wheel begins are such of all below it, so the lowest has a whole turn from here on.
    if (when - horizon < wheels[0].span) return wheels[0].add(when, row);
    const last = wheels.length - 1;
    let level = 1;
    while (level < last && !wheels[level].reaches(horizon, when)) level++;
    wheels[level].add(when, row);
  }

  /** The run and the heap are empty and something waits: on to the next slot that holds anything. */
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
      // A few are put in order by the heap.
      this.opening = wheel.holdsMany(found);
      wheel.take(found, this);
      if (this.opening) this.run.sort(found * wheel.width);
      this.opening = false;
    } else {
      this.horizon = (found < 0 ? end : found) * wheel.width;
    }
    // Slots of the wheels above that begin here.
    for (let above = this.wheels.length - 1; above > 0; above--) {
      const tick = this.wheels[above].begins(this.horizon);
      if (tick >= 0) this.wheels[above].take(tick, this);
    }
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
    this.run.filter(keep);
    for (const wheel of this.wheels) wheel.filter(keep);
  }
}
