/** One wheel of a timer queue: slots of equal time, each with the timers that are due in it, in no order. */
import type { Duration, Instant } from './instant.ts';
import { PER_CHUNK, type TimerChunks } from './timer-chunks.ts';
import { NONE } from './timer-table.ts';

/** Slots of a turn; the map has a bit for each that holds something. */
const SLOTS = 4096;
const WORD = 32;
/** Modulo, for numbers beyond 32 bits: `%` of such is a call of its own. */
const slotOf = (tick: number): number =>
  tick <= 0x7fff_ffff ? tick & (SLOTS - 1) : tick - Math.floor(tick * (1 / SLOTS)) * SLOTS;

/** What is to become of a timer that is found in a slot. */
export interface Finder {
  /** False: it was cancelled. Asked of several before the first is placed, so that the processor fetches them at once. */
  keep(row: number): boolean;
  place(when: Instant, row: number): void;
}

export class Wheel {
  /** Nanoseconds of a slot. */
  readonly width: number;
  private readonly perNanosecond: number;
  count = 0;
  private readonly chunks: TimerChunks;
  /** The first chunk of each slot, and how many timers are in it: the others are full. Made for the first timer. */
  private heads: Int32Array | undefined = undefined;
  private readonly fills = new Uint8Array(SLOTS);
  private readonly map = new Int32Array(SLOTS / WORD);

  constructor(chunks: TimerChunks, width: number) {
    this.chunks = chunks;
    this.width = width;
    this.perNanosecond = 1 / width;
  }

  /** The number of the slot that holds an instant, counted from the beginning of time. Exact: widths are powers of two. */
  tick(when: Instant): number {
    return Math.floor(when * this.perNanosecond);
  }

  /** The slot with which the turn after that of `when` begins. */
  turnEnd(when: Instant): number {
    return (Math.floor(this.tick(when) / SLOTS) + 1) * SLOTS;
  }

  /** The slot that begins at an instant; -1 where none does. */
  begins(at: Instant): number {
    const tick = this.tick(at);
    return tick * this.width === at ? tick : -1;
  }

  /** How far a turn goes. */
  get span(): Duration {
    return SLOTS * this.width;
  }

  /** Do fewer slots than a turn has lie between? */
  reaches(from: Instant, when: Instant): boolean {
    return this.tick(when) - this.tick(from) < SLOTS;
  }

  add(when: Instant, row: number): void {
    const { chunks, fills } = this;
    this.heads ??= new Int32Array(SLOTS).fill(NONE);
    const { heads } = this;
    const slot = slotOf(this.tick(when));
    let fill = fills[slot];
    if (fill === PER_CHUNK || heads[slot] === NONE) {
      heads[slot] = chunks.take(heads[slot]);
      fill = 0;
    }
    chunks.put(heads[slot], fill, when, row);
    fills[slot] = fill + 1;
    this.map[slot >> 5] |= 1 << (slot & 31);
    this.count++;
  }

  /** Are there more than a chunk of them in a slot? */
  holdsMany(tick: number): boolean {
    const chunk = this.heads === undefined ? NONE : this.heads[slotOf(tick)];
    return chunk !== NONE && this.chunks.next(chunk) !== NONE;
  }

  /** Empties a slot. */
  take(tick: number, finder: Finder): void {
    const slot = slotOf(tick);
    if (this.heads === undefined) return;
    let chunk = this.heads[slot];
    let fill = this.fills[slot];
    this.heads[slot] = NONE;
    this.map[slot >> 5] &= ~(1 << (slot & 31));
    while (chunk !== NONE) {
      const next = this.chunks.next(chunk);
      this.count -= fill;
      this.takeChunk(chunk, fill, finder);
      chunk = next;
      fill = PER_CHUNK;
    }
  }

  private takeChunk(chunk: number, fill: number, finder: Finder): void {
    const { chunks } = this;
    let live = 0;
    for (let place = 0; place < fill; place++) if (finder.keep(chunks.row(chunk, place))) live |= 1 << place;
    for (let place = 0; place < fill; place++) {
      if (live & (1 << place)) {
        finder.place(chunks.when(chunk, place), chunks.row(chunk, place));
      }
    }
    chunks.give(chunk);
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
    if (this.count === 0) return;
    const finder = { keep, place: (when: Instant, row: number) => this.add(when, row) };
    for (let slot = 0; slot < SLOTS; slot++) this.take(slot, finder);
  }
}
