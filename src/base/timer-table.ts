/**
 * What is known of the timers that wait: rows that are used again. Were each timer an object, the garbage collector
 * would carry a million of them along, and each would be met cold when it is due. When a row is due is not known here:
 * that stands beside its number wherever it waits, so that looking through those that wait looks nothing up.
 */
export const NONE = -1;

export type Run = () => void;

export class TimerTable {
  /**
   * Of each row, side by side so that they are fetched together: what it runs (undefined: cancelled, or free), and its
   * order of insertion (of a free one: the next that is free).
   */
  private readonly entries: (Run | number | undefined)[] = [];
  private free = NONE;

  /** Equal instants fire in it; no two timers of a queue ever have the same. */
  order(row: number): number {
    return this.entries[2 * row + 1] as number;
  }

  isCancelled(row: number): boolean {
    return this.entries[2 * row] === undefined;
  }

  /** A row that was free. */
  add(run: Run, order: number): number {
    const { entries, free } = this;
    if (free === NONE) return (entries.push(run, order) >> 1) - 1;
    this.free = entries[2 * free + 1] as number;
    entries[2 * free] = run;
    entries[2 * free + 1] = order;
    return free;
  }

  cancel(row: number): void {
    this.entries[2 * row] = undefined;
  }

  /** It is in no heap or wheel any more. What it was to run. */
  release(row: number): Run | undefined {
    const { entries } = this;
    const run = entries[2 * row] as Run | undefined;
    entries[2 * row] = undefined;
    entries[2 * row + 1] = this.free;
    this.free = row;
    return run;
  }
}
