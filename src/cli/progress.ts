/** A line on a terminal that says how far a run is, once it takes over a second. Nothing in a pipe. */

import { formatDuration } from '../base/instant.ts';
import type { Scheduler } from '../base/scheduler.ts';

export class Progress {
  private shown = false;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(scheduler: Scheduler, what: () => string) {
    if (!process.stderr.isTTY) return;
    const began = performance.now();
    this.timer = setInterval(() => {
      if (performance.now() - began < 1000) return;
      this.shown = true;
      process.stderr.write(`\r\u001b[K${formatDuration(scheduler.now())} of virtual time, ${what()}`);
    }, 250);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    if (this.shown) process.stderr.write('\r\u001b[K');
  }
}
