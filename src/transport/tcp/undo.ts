/**
 * Reductions that turn out to have been unnecessary are taken back: a timestamp older than the retransmission comes back
 * (Eifel, RFC 3522), D-SACKs tell of every retransmission (RFC 3708), or F-RTO finds the timeout spurious (RFC 5682).
 */
import { type Seq, seqLt } from '../../base/seq32.ts';
import type { Recovery } from './recovery.ts';
import { noteReordering } from './reordering.ts';

/** RFC 3522: the timestamp echoed is older than the first retransmission: it was the original that arrived. */
function originalEchoed(r: Recovery): boolean {
  if (r.retransmitStamp !== undefined) return r.echoIsBefore(r.retransmitStamp);
  // Nothing was sent again yet, so what arrived was merely late.
  return r.tcb.sackOn || seqLt(r.tcb.sndUna, r.highSeq);
}

const mayUndo = (r: Recovery): boolean =>
  r.undoMarker !== undefined && (r.undoRetransmissions === 0 || originalEchoed(r));

function undo(r: Recovery, unmark: boolean): void {
  const { window } = r;
  if (unmark) r.queue.forgetLosses();
  if (r.priorSsthresh > 0) {
    window.cwnd = r.congestion.undo(window);
    if (r.priorSsthresh > window.ssthresh) {
      window.ssthresh = r.priorSsthresh;
      r.cwrDue = false;
    }
  }
  r.observe('undo', 'what seemed lost was only late: the reduction is taken back');
  r.undoMarker = undefined;
  r.rack.advanced = true;
}

/** True: the state is held, since without SACK a duplicate of this recovery might start another (RFC 6582 §4). */
export function tryUndoRecovery(r: Recovery): boolean {
  if (mayUndo(r)) undo(r, false);
  else r.rack.recoveryEnded();
  if (holdsWithoutSack(r)) return true;
  r.enter('open');
  return false;
}

function holdsWithoutSack(r: Recovery): boolean {
  if (r.tcb.sackOn || r.tcb.sndUna !== r.highSeq) return false;
  if (!r.anyResent) r.retransmitStamp = undefined;
  return true;
}

export function tryUndoDuplicate(r: Recovery): boolean {
  if (r.undoMarker === undefined || r.undoRetransmissions !== 0) return false;
  r.rack.recoveryUndone();
  undo(r, false);
  return true;
}

export function tryUndoLoss(r: Recovery, spurious: boolean): boolean {
  if (!spurious && !mayUndo(r)) return false;
  undo(r, true);
  r.timeouts = 0;
  if (holdsWithoutSack(r)) return true;
  if (spurious || r.tcb.sackOn) {
    r.enter('open');
  }
  return true;
}

/** A partial acknowledgement in recovery. */
export function tryUndoPartial(r: Recovery, priorUna: Seq): 'wait' | 'undone' | 'lost' {
  if (r.undoMarker === undefined || !originalEchoed(r)) return 'lost';
  noteReordering(r, priorUna);
  if (r.queue.resent > 0) return 'wait';
  if (!r.anyResent) r.retransmitStamp = undefined;
  undo(r, true);
  r.keepOpen();
  return 'undone';
}
