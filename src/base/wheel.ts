/** One wheel of a timer queue: slots of equal time, each with the entries that are due in it, in no order. */
import type { Instant } from './instant.ts';
import type { Entry } from './timer-queue.ts';

/** Slots of a turn; and in a word of the map of those that hold something. */
const SLOTS = 4096;
const WORD = 32;

export class Wheel {
  /** Nanoseconds of a slot. */
  readonly width: number;
  count = 0;
  /** Made for the first entry: most worlds need no wheel of hours. */
  private slots: (Entry | undefined)[] | undefined;
  private readonly map = new Int32Array(SLOTS / WORD);

  constructor(width: number) {
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

  add(entry: Entry): void {
    this.slots ??= new Array<Entry | undefined>(SLOTS).fill(undefined);
    const slot = this.tick(entry.when) % SLOTS;
    entry.next = this.slots[slot];
    this.slots[slot] = entry;
    this.map[slot >> 5] |= 1 << (slot & 31);
    this.count++;
  }

  /** All of a slot, which is empty afterwards: the first of a list. */
  take(tick: number): Entry | undefined {
    const slot = tick % SLOTS;
    const first = this.slots?.[slot];
    if (this.slots === undefined || first === undefined) return undefined;
    this.slots[slot] = undefined;
    this.map[slot >> 5] &= ~(1 << (slot & 31));
    for (let entry: Entry | undefined = first; entry !== undefined; entry = entry.next) this.count--;
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

  filter(keep: (entry: Entry) => boolean): void {
    if (this.count === 0 || this.slots === undefined) return;
    const { slots } = this;
    for (let slot = 0; slot < SLOTS; slot++) {
      let entry = slots[slot];
      if (entry === undefined) continue;
      slots[slot] = undefined;
      this.map[slot >> 5] &= ~(1 << (slot & 31));
      while (entry !== undefined) {
        const { next }: Entry = entry;
        this.count--;
        if (keep(entry)) this.add(entry);
        entry = next;
      }
    }
  }
}
