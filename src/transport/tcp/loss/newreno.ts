/** Without SACK: the third duplicate ACK, and in recovery every partial ACK, says that the first hole is lost (RFC 6582 §3.2). */
import { DUP_THRESH, type LossDetection } from './types.ts';

export const newReno: LossDetection = {
  name: 'newreno',
  detect(board, { duplicateAcks, partialAck }) {
    const first = board.first;
    if (first !== undefined && (partialAck || duplicateAcks >= DUP_THRESH)) board.markLost(first);
  },
};
