/** How long a call may wait (SO_RCVTIMEO, SO_SNDTIMEO). */
import type { Duration, Instant } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';

export class CallLimit {
  private readonly scheduler: Scheduler;
  private readonly wake: () => void;
  private readonly timeout: Duration | undefined;
  private until: Instant | undefined = undefined;

  /** `timeout` undefined: it waits as long as it takes. `wake` has the call looked at again. */
  constructor(scheduler: Scheduler, timeout: Duration | undefined, wake: () => void) {
    this.scheduler = scheduler;
    this.timeout = timeout;
    this.wake = wake;
  }

  /** Asked where the call would go on waiting: the first time it begins to count. */
  get isOver(): boolean {
    if (this.timeout === undefined) return false;
    const now = this.scheduler.now();
    if (this.until === undefined) {
      this.until = now + this.timeout;
      this.scheduler.at(this.until, this.wake);
    }
    return now >= this.until;
  }
}
