/**
 * Virtual time. The clock stands still while anything runs and jumps to the next timer when nothing is left to do: an
 * hour of waiting costs nothing, and the order of events is the same in every run.
 *
 * Code inside the stack is synchronous. Where a user's code was called (`touched`), its promises are given one turn of
 * the real event loop, which runs every microtask, before time goes on.
 */
import type { Instant } from '../base/instant.ts';
import type { Scheduler, Timer } from '../base/scheduler.ts';
import { TimerQueue } from '../base/timer-queue.ts';

export class WorldAtRest extends Error {
  override name = 'WorldAtRest';

  constructor() {
    super('nothing is left to happen in this world, and what was waited for has not: somebody never answers');
  }
}

export class VirtualClock implements Scheduler {
  /** Timers that have fired. */
  fired = 0;
  private time: Instant = 0;
  private userRan = false;
  private readonly timers = new TimerQueue();

  now(): Instant {
    return this.time;
  }

  at(when: Instant, run: () => void): Timer {
    return this.timers.add(Math.max(when, this.time), run);
  }

  touched(): void {
    this.userRan = true;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.timers.size;
  }

  /** Fires the next timer, if it is due by `limit`. For purely synchronous worlds; others use `run`. */
  step(limit: Instant = Number.POSITIVE_INFINITY): boolean {
    const run = this.timers.take(limit);
    if (run === undefined) return false;
    this.time = this.timers.taken;
    this.fired++;
    run();
    return true;
  }

  /** Runs without turns of the event loop until nothing is due by `limit`, where the clock then stands. */
  runSync(limit: Instant): void {
    while (this.step(limit));
    if (limit !== Number.POSITIVE_INFINITY) this.time = Math.max(this.time, limit);
  }

  /**
   * Runs until `done` says so, or no timer is left by `limit`. `done` is asked after every timer, once the promises
   * that it led to have settled. Answers whether `done` was reached.
   */
  async run(done: () => boolean, limit: Instant = Number.POSITIVE_INFINITY): Promise<boolean> {
    await turn();
    this.userRan = false;
    let sinceTurn = 0;
    while (!done()) {
      if (!this.step(limit)) {
        // The last promises may still set a timer.
        await turn();
        if (!this.step(limit)) return done();
      }
      if (this.userRan || ++sinceTurn > 4096) {
        // Also now and then without need, so that the process stays responsive (signals, progress on a terminal).
        this.userRan = false;
        sinceTurn = 0;
        await turn();
      }
    }
    return true;
  }

  /** Runs until `promise` settles. Throws WorldAtRest when nothing is left to happen before: somebody waits for nothing. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    if (!(await this.run(() => settled))) throw new WorldAtRest();
    return promise;
  }
}

/** One turn of the event loop: every microtask runs. */
function turn(): Promise<void> {
  const { setImmediate: immediate } = globalThis as { setImmediate?: (run: () => void) => void };
  return new Promise(resolve => {
    if (immediate !== undefined) return immediate(resolve);
    const channel = new MessageChannel();
    Object.assign(channel.port1, { onmessage: () => resolve() });
    channel.port2.postMessage(undefined);
  });
}
