/** Proportional rate reduction (RFC 6937, with the slow start bound of its successor): the window goes down with the ACKs. */
import type { Window } from './congestion/types.ts';
import type { SendQueue } from './send-queue.ts';

export class ProportionalReduction {
  private readonly queue: SendQueue;
  /** RecoverFS, prr_delivered and prr_out of §3, in segments. */
  private readonly flight: number;
  private delivered = 0;
  private out = 0;

  constructor(queue: SendQueue, flight: number) {
    this.queue = queue;
    this.flight = flight;
  }

  /** So many segments went out, again or for the first time. */
  sent(segments: number): void {
    this.out += segments;
  }

  /**
   * How many segments may be sent now, `delivered` having arrived. `advanced`: SND.UNA has; `newlyLost`: segments that
   * were found lost by this acknowledgement.
   */
  allow(window: Window, delivered: number, advanced: boolean, newlyLost: number): number {
    const { pipe } = this.queue;
    const safe = advanced && newlyLost === 0;
    const room = window.ssthresh - pipe;
    this.delivered += delivered;
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
