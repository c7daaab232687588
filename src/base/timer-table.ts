/**
 * What is known of the timers that wait: rows of numbers that are used again. Were each timer an object, the garbage
 * collector would carry a million of them along, and each would be met cold when it is due.
 */
import type { Instant } from './instant.ts';

export const NONE = -1;

/** A row's numbers lie side by side, in half a cache line: when, order of insertion, the next row of its list. */
const STRIDE = 4;
const [WHEN, ORDER, NEXT] = [0, 1, 2];

export class TimerTable {
  /** Undefined: free, or cancelled. */
  readonly run: ((() => void) | undefined)[] = [];
  private cells = new Float64Array(16 * STRIDE);
  private free = NONE;
  private nextOrder = 0;

  when(row: number): Instant {
    return this.cells[row * STRIDE + WHEN];
  }

  /** Equal instants fire in it; no two timers of a queue ever have the same. */
  order(row: number): number {
    return this.cells[row * STRIDE + ORDER];
  }

  /** The next row in the same slot of a wheel. */
  next(row: number): number {
    return this.cells[row * STRIDE + NEXT];
  }

  setNext(row: number, next: number): void {
    this.cells[row * STRIDE + NEXT] = next;
  }

  add(when: Instant, run: () => void): number {
    let row = this.free;
    if (row === NONE) row = this.another();
    else this.free = this.next(row);
    const at = row * STRIDE;
    this.cells[at + WHEN] = when;
    this.cells[at + ORDER] = this.nextOrder++;
    this.run[row] = run;
    return row;
  }

  /** It is in no heap or wheel any more. */
  release(row: number): void {
    this.run[row] = undefined;
    this.setNext(row, this.free);
    this.free = row;
  }

  private another(): number {
    const row = this.run.length;
    if (row * STRIDE === this.cells.length) {
      const larger = new Float64Array(2 * this.cells.length);
      larger.set(this.cells);
      this.cells = larger;
    }
    this.run.push(undefined);
    return row;
  }
}
