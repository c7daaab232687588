/**
 * A timer that is mostly put off or stopped before it fires. Neither touches the scheduler: the timer that is set
 * there looks again when it fires, and goes on if it was put off.
 */
import { type Instant, NEVER } from './instant.ts';
import type { Scheduler, Timer } from './scheduler.ts';

export class LazyTimer {
  private readonly scheduler: Scheduler;
  private readonly run: () => void;
  private due: Instant = NEVER;
  private timer: Timer | undefined = undefined;

  constructor(scheduler: Scheduler, run: () => void) {
    this.scheduler = scheduler;
    this.run = run;
  }

  get isSet(): boolean {
    return this.due !== NEVER;
  }

  set(due: Instant): void {
    this.due = due;
    if (this.timer !== undefined && this.timer.when <= due) return;
    this.timer?.cancel();
    this.timer = this.scheduler.at(due, () => this.fires());
  }

  stop(): void {
    this.due = NEVER;
  }

  /** Leaves nothing behind in the scheduler. */
  cancel(): void {
    this.due = NEVER;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private fires(): void {
    const { due } = this;
    this.timer = undefined;
    if (due > this.scheduler.now()) {
      if (due !== NEVER) this.set(due);
      return;
    }
    this.due = NEVER;
    this.run();
  }
}
