/** How a sender infers from acknowledgements that a segment was lost, without waiting for the timer. */
import type { Scoreboard } from '../scoreboard.ts';

export interface LossSignals {
  /** Duplicate ACKs in a row (RFC 5681 §2). */
  duplicateAcks: number;
  mss: number;
  /** In fast recovery, with an ACK that covers some but not all of what was out when it began. */
  partialAck: boolean;
}

export interface LossDetection {
  readonly name: string;
  /** Marks on the scoreboard what it thinks lost. */
  detect(board: Scoreboard, signals: LossSignals): void;
}

/** RFC 5681 §3.2, RFC 6675 §2: DupThresh. */
export const DUP_THRESH = 3;
