/**
 * Where timers wait that are not yet sorted: chunks of a few, one array for all of them, so that putting one in touches
 * one line of the cache and going through them goes from line to line.
 */
import type { Instant } from './instant.ts';
import { NONE } from './timer-table.ts';

/** Numbers of a timer: when, and its row. Four of them fill a line of the cache. */
const CELLS = 2;
export const PER_CHUNK = 15;
/** With the next chunk's number behind them. */
const CHUNK = 32;
const LINK = CHUNK - 1;

export class TimerChunks {
  private cells = new Float64Array(8 * CHUNK);
  private made = 0;
  private free = NONE;

  /** An empty one, in front of the chunk `next`. */
  take(next: number): number {
    let chunk = this.free;
    if (chunk === NONE) chunk = this.another();
    else this.free = this.next(chunk);
    this.cells[chunk * CHUNK + LINK] = next;
    return chunk;
  }

  give(chunk: number): void {
    this.cells[chunk * CHUNK + LINK] = this.free;
    this.free = chunk;
  }

  next(chunk: number): number {
    return this.cells[chunk * CHUNK + LINK];
  }

  put(chunk: number, place: number, when: Instant, row: number): void {
    const { cells } = this;
    const at = chunk * CHUNK + place * CELLS;
    cells[at] = when;
    cells[at + 1] = row;
  }

  when(chunk: number, place: number): Instant {
    return this.cells[chunk * CHUNK + place * CELLS];
  }

  row(chunk: number, place: number): number {
    return this.cells[chunk * CHUNK + place * CELLS + 1];
  }

  private another(): number {
    const chunk = this.made++;
    if (chunk * CHUNK === this.cells.length) {
      const larger = new Float64Array(2 * this.cells.length);
      larger.set(this.cells);
      this.cells = larger;
    }
    return chunk;
  }
}
