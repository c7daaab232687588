/**
 * What is known of the timers that wait, in columns: a timer is a row, and rows are used again. Were each an object, the
 * garbage collector would carry a million of them along, and each would be met cold when it is due.
 */
import type { Instant } from './instant.ts';

export const NONE = -1;

export class TimerTable {
  when = new Float64Array(16);
  /** Of insertion: equal instants fire in it. */
  order = new Float64Array(16);
  /** The next row in the same slot of a wheel, or in the list of free rows. */
  next = new Int32Array(16);
  /** Undefined: free, or cancelled. */
  readonly run: ((() => void) | undefined)[] = [];
  /** How often the row was used before: a handle of an earlier use means nothing any more. */
  use = new Int32Array(16);
  private free = NONE;
  private rows = 0;
  private nextOrder = 0;

  add(when: Instant, run: () => void): number {
    const row = this.free === NONE ? this.another() : this.free;
    if (this.free !== NONE) this.free = this.next[row];
    this.when[row] = when;
    this.order[row] = this.nextOrder++;
    this.run[row] = run;
    return row;
  }

  /** It is in no heap or wheel any more. */
  release(row: number): void {
    this.run[row] = undefined;
    this.use[row]++;
    this.next[row] = this.free;
    this.free = row;
  }

  private another(): number {
    if (this.rows === this.when.length) {
      const size = 2 * this.rows;
      this.when = grown(new Float64Array(size), this.when);
      this.order = grown(new Float64Array(size), this.order);
      this.next = grown(new Int32Array(size), this.next);
      this.use = grown(new Int32Array(size), this.use);
    }
    this.run.push(undefined);
    return this.rows++;
  }
}

function grown<T extends Float64Array | Int32Array>(into: T, from: T): T {
  into.set(from);
  return into;
}
