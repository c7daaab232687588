/** Proportional rate reduction (RFC 6937, with the slow start bound of its successor): the window goes down with the ACKs. */
import type { Window } from './congestion/types.ts';
import type { Reduction } from './reduction.ts';
import type { SendQueue } from './send-queue.ts';

export class ProportionalReduction implements Reduction {
  private readonly queue: SendQueue;
  /** RecoverFS, prr_delivered and prr_out of §3, in segments. */
  private readonly flight: number;
  private delivered: number;
  private out = 0;
  /** The first retransmission goes by itself. */
  private readonly beginsWithOne: boolean;

  /** `delivered`: what counts as delivered already (BSD: what the duplicate ACKs so far have told). */
  constructor(queue: SendQueue, flight: number, delivered: number) {
    this.queue = queue;
    this.flight = flight;
    this.delivered = delivered;
    this.beginsWithOne = delivered > 0;
  }

  sent(segments: number): void {
    this.out += segments;
  }

  allow(window: Window, delivered: number, advanced: boolean, newlyLost: number): number {
    const { pipe } = this.queue;
    const safe = advanced && newlyLost === 0;
    const room = window.ssthresh - pipe;
    this.delivered += delivered;
    if (this.beginsWithOne && this.out === 0) return 1;
    let allowed: number;
    if (room < 0) {
      allowed = Math.ceil((window.ssthresh * this.delivered) / this.flight) - this.out;
    } else {
      allowed = Math.min(room, Math.max(this.delivered - this.out, delivered) + (safe ? 1 : 0));
    }
    // The first retransmission goes out whatever the rest says.
    return Math.max(allowed, this.out > 0 ? 0 : 1);
  }
}
