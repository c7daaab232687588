/** How a window that was reduced is reached: what may be sent for each acknowledgement of fast recovery. */
import type { Window } from './congestion/types.ts';
import { ProportionalReduction } from './prr.ts';
import type { Recovery } from './recovery.ts';
import { RegrownWindow } from './regrown-window.ts';

export interface Reduction {
  /** So many segments went out, again or for the first time. */
  sent(segments: number): void;
  /**
   * How many segments may be sent now, `delivered` having arrived. `advanced`: SND.UNA has; `newlyLost`: segments that
   * were found lost by this acknowledgement.
   */
  allow(window: Window, delivered: number, advanced: boolean, newlyLost: number): number;
}

/** It begins now. */
export function newReduction(r: Recovery): Reduction {
  const { queue, window, host } = r;
  switch (host.settings.reductionRule) {
    case 'rfc6937':
      return new ProportionalReduction(queue, window.cwnd, 0);
    case 'bsd': {
      const early = Math.max(queue.sacked - 1, 0);
      return new ProportionalReduction(queue, early > 0 ? queue.out : window.cwnd, early);
    }
    case 'regrown':
      return new RegrownWindow(r);
  }
}
