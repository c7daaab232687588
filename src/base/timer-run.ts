/**
 * The timers of one slot of a wheel, sorted when its time comes: by buckets, of which each holds one or two where they are
 * spread evenly, so that sorting takes a few nanoseconds for each, where a heap takes fifty.
 */
import type { Duration, Instant } from './instant.ts';
import { NONE, type TimerTable } from './timer-table.ts';

/** What does not fit goes to a heap. */
const CAPACITY = 1024;
const BUCKETS = 256;

export class TimerRun {
  private readonly table: TimerTable;
  private readonly perNanosecond: number;
  /** As they were found. */
  private readonly foundKeys = new Float64Array(CAPACITY);
  private readonly foundRows = new Int32Array(CAPACITY);
  /** Sorted, and NONE behind them. */
  private readonly keys = new Float64Array(CAPACITY);
  private readonly rows = new Int32Array(CAPACITY + 1).fill(NONE);
  private readonly ends = new Int32Array(BUCKETS);
  private count = 0;
  /** The first that was not taken. */
  private at = 0;

  /** `width`: of the slots. */
  constructor(table: TimerTable, width: Duration) {
    this.table = table;
    this.perNanosecond = BUCKETS / width;
  }

  /** When the first is due, where there is one. */
  get least(): Instant {
    return this.keys[this.at];
  }

  /** The first, left in place; NONE when there is none. */
  peek(): number {
    return this.rows[this.at];
  }

  pop(): void {
    this.at++;
  }

  /** All before it were taken. False: it is full. */
  add(when: Instant, row: number): boolean {
    const { count } = this;
    if (count === CAPACITY) return false;
    this.foundKeys[count] = when;
    this.foundRows[count] = row;
    this.count = count + 1;
    return true;
  }

  /** Puts what was added in order. `start`: where the slot begins. */
  sort(start: Instant): void {
    this.distribute(start);
    const { keys, rows, count } = this;
    for (let n = 1; n < count; n++) if (keys[n - 1] >= keys[n]) this.sink(n);
    rows[count] = NONE;
    this.at = 0;
    this.count = 0;
  }

  /** To where its bucket is. */
  private distribute(start: Instant): void {
    const { foundKeys, foundRows, keys, rows, ends, count, perNanosecond } = this;
    ends.fill(0);
    for (let n = 0; n < count; n++) ends[((foundKeys[n] - start) * perNanosecond) | 0]++;
    for (let bucket = 1; bucket < BUCKETS; bucket++) ends[bucket] += ends[bucket - 1];
    for (let n = count - 1; n >= 0; n--) {
      const to = --ends[((foundKeys[n] - start) * perNanosecond) | 0];
      keys[to] = foundKeys[n];
      rows[to] = foundRows[n];
    }
  }

  /** Those before it are in order. */
  private sink(from: number): void {
    const { keys, rows, table } = this;
    const key = keys[from];
    const row = rows[from];
    let at = from;
    while (at > 0) {
      const before = keys[at - 1];
      if (before < key || (before === key && table.order(rows[at - 1]) < table.order(row))) break;
      keys[at] = before;
      rows[at] = rows[at - 1];
      at--;
    }
    keys[at] = key;
    rows[at] = row;
  }

  filter(keep: (row: number) => boolean): void {
    const { keys, rows } = this;
    let to = this.at;
    for (let n = this.at; rows[n] !== NONE; n++) {
      if (!keep(rows[n])) continue;
      keys[to] = keys[n];
      rows[to++] = rows[n];
    }
    rows[to] = NONE;
  }
}
