/** One wheel of a timer queue: slots of equal time, each with the timers that are due in it, in no order. */
import type { Instant } from './instant.ts';
import { NONE, type TimerTable } from './timer-table.ts';

/** Slots of a turn; the map has a bit for each that holds something. */
const SLOTS = 4096;
const WORD = 32;

export class Wheel {
  /** Nanoseconds of a slot. */
  readonly width: number;
  count = 0;
  private readonly table: TimerTable;
  /** The first row of each. Made for the first timer: most worlds need no wheel of hours. */
  private slots: Int32Array | undefined;
  private readonly map = new Int32Array(SLOTS / WORD);

  constructor(table: TimerTable, width: number) {
    this.table = table;
    this.width = width;
  }

  /** The number of the slot that holds an instant, counted from the beginning of time. */
  tick(when: Instant): number {
    return Math.floor(when / this.width);
  }

  /** The slot with which the turn after that of `when` begins. */
  turnEnd(when: Instant): number {
    return (Math.floor(this.tick(when) / SLOTS) + 1) * SLOTS;
  }

  /** Do fewer slots than a turn has lie between? */
  reaches(from: Instant, when: Instant): boolean {
    return this.tick(when) - this.tick(from) < SLOTS;
  }

  add(row: number): void {
    const { table } = this;
    this.slots ??= new Int32Array(SLOTS).fill(NONE);
    const slot = this.tick(table.when(row)) % SLOTS;
    table.setNext(row, this.slots[slot]);
    this.slots[slot] = row;
    this.map[slot >> 5] |= 1 << (slot & 31);
    this.count++;
  }

  /** All of a slot, which is empty afterwards: the first of a list. */
  take(tick: number): number {
    const first = this.slots === undefined ? NONE : this.empty(tick % SLOTS, this.slots);
    for (let row = first; row !== NONE; row = this.table.next(row)) this.count--;
    return first;
  }

  private empty(slot: number, slots: Int32Array): number {
    const first = slots[slot];
    slots[slot] = NONE;
    this.map[slot >> 5] &= ~(1 << (slot & 31));
    return first;
  }

  /** The first slot in [from, end) that holds something, or -1. Both lie in one turn, `end` at its end. */
  next(from: number, end: number): number {
    let slot = from - (end - SLOTS);
    while (slot < SLOTS) {
      const word = this.map[slot >> 5] >>> (slot & 31);
      if (word !== 0) return end - SLOTS + slot + (31 - Math.clz32(word & -word));
      slot = (slot | 31) + 1;
    }
    return -1;
  }

  /** Asks of each whether it stays. */
  filter(keep: (row: number) => boolean): void {
    if (this.count === 0 || this.slots === undefined) return;
    for (let slot = 0; slot < SLOTS; slot++) {
      let row = this.empty(slot, this.slots);
      while (row !== NONE) {
        const next = this.table.next(row);
        this.count--;
        if (keep(row)) this.add(row);
        row = next;
      }
    }
  }
}
