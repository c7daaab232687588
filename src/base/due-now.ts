/**
 * Timers that are set for the instant that is now: they come in the order in which they were set, so a list will do
 * where those of other instants need a heap. Of a network nearly half are such: frames on cables without a delay, the
 * next turn of a connection, what is told to a user.
 */
import type { Instant } from './instant.ts';
import type { Timer } from './scheduler.ts';
import type { Run } from './timer-table.ts';

class Due implements Timer {
  readonly when: Instant;
  /** Undefined: it has run, or was cancelled. */
  run: Run | undefined;
  next: Due | undefined = undefined;
  private readonly list: DueNow;

  constructor(list: DueNow, when: Instant, run: Run) {
    this.list = list;
    this.when = when;
    this.run = run;
  }

  cancel(): void {
    if (this.run === undefined) return;
    this.run = undefined;
    this.list.cancelled();
  }
}

export class DueNow {
  /** Timers that wait: those that were cancelled do not count. */
  size = 0;
  private first: Due | undefined = undefined;
  private last: Due | undefined = undefined;

  add(when: Instant, run: Run): Timer {
    const added = new Due(this, when, run);
    if (this.last === undefined) this.first = added;
    else this.last.next = added;
    this.last = added;
    this.size++;
    return added;
  }

  /** Where none is left that lives, nobody will come for the others. */
  cancelled(): void {
    if (--this.size > 0) return;
    this.first = undefined;
    this.last = undefined;
  }

  /** What the first is to run, where there is one. */
  take(): Run | undefined {
    while (this.first !== undefined) {
      const { first } = this;
      const { run, next } = first;
      first.run = undefined;
      // One that has grown old would keep all behind it alive, until the collector looks at the old.
      first.next = undefined;
      this.first = next;
      if (next === undefined) this.last = undefined;
      if (run === undefined) continue;
      this.size--;
      return run;
    }
    return undefined;
  }
}
