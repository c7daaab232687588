/** With SACK: RFC 6675 §4 IsLost(). RACK (RFC 8985) is to take its place beside this. */
import { DUP_THRESH, type LossDetection } from './types.ts';

export const sackBased: LossDetection = {
  name: 'rfc6675',
  detect(board, { duplicateAcks, mss }) {
    // §4: lost when DupThresh discontiguous SACKed sequences, or more than (DupThresh - 1) * SMSS SACKed bytes, lie above.
    let bytesAbove = 0;
    let runsAbove = 0;
    let inRun = false;
    const { segments } = board;
    for (let at = segments.length - 1; at >= 0; at--) {
      const segment = segments[at];
      if (segment.sacked) {
        bytesAbove += segment.length;
        if (!inRun) runsAbove++;
        inRun = true;
      } else {
        inRun = false;
        if (runsAbove >= DUP_THRESH || bytesAbove > (DUP_THRESH - 1) * mss) board.markLost(segment);
      }
    }
    // §5: the third duplicate ACK starts recovery also where the blocks alone would not (small segments).
    if (duplicateAcks >= DUP_THRESH && board.first !== undefined && board.sacked > 0) board.markLost(board.first);
  },
};
