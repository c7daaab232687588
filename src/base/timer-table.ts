/**
 * What is known of the timers that wait: rows that are used again. Were each timer an object, the garbage collector
 * would carry a million of them along, and each would be met cold when it is due. When a row is due is not known here:
 * that stands beside its number wherever it waits, so that looking through those that wait looks nothing up.
 */
export const NONE = -1;

type Run = () => void;

export class TimerTable {
  /** Of each row, side by side so that they are fetched together: what it runs (undefined: cancelled), and its order. */
  private readonly entries: (Run | number | undefined)[] = [];
  private readonly free: number[] = [];
  private nextOrder = 0;

  /** Equal instants fire in it; no two timers of a queue ever have the same. */
  order(row: number): number {
    return this.entries[2 * row + 1] as number;
  }

  run(row: number): Run | undefined {
    return this.entries[2 * row] as Run | undefined;
  }

  isCancelled(row: number): boolean {
    return this.entries[2 * row] === undefined;
  }

  add(run: Run): number {
    const row = this.free.pop() ?? this.entries.length >> 1;
    this.entries[2 * row] = run;
    this.entries[2 * row + 1] = this.nextOrder++;
    return row;
  }

  cancel(row: number): void {
    this.entries[2 * row] = undefined;
  }

  /** It is in no heap or wheel any more. */
  release(row: number): void {
    this.entries[2 * row] = undefined;
    this.free.push(row);
  }
}
