/** Whose window counts: that of the segment which is the latest, by what a stack takes for later. */
import { seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import type { Segment } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import type { Tcb } from './tcb.ts';

/** True when the segment is for its window no duplicate acknowledgement (RFC 5681 §2 (e)). */
export function updateWindow({ tcb, settings }: TcpConnection, segment: Segment): boolean {
  // By comparing: a table of functions would be looked through for every segment.
  const { segmentRule, halvesTinyWindows: halves } = settings;
  if (segmentRule === 'linux') return asLinux(tcb, segment, halves);
  return segmentRule === 'bsd' ? asBsd(tcb, segment, halves) : byRfc(tcb, segment, halves);
}

function take(tcb: Tcb, segment: Segment, window: number, halves: boolean): void {
  tcb.sndWnd = window;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  if (window > tcb.maxSndWnd) tcb.setLargestWindow(window, halves);
}

/** RFC 9293 §3.10.7.4: "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK))". */
const isNewer = (tcb: Tcb, segment: Segment): boolean =>
  seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && seqLe(tcb.sndWl2, segment.ack));

function byRfc(tcb: Tcb, segment: Segment, halves: boolean): boolean {
  if (!isNewer(tcb, segment)) return false;
  const window = segment.window << tcb.sndScale;
  const changed = window !== tcb.sndWnd;
  take(tcb, segment, window, halves);
  return changed;
}

/** A smaller window in a duplicate may come from data that the other end's user has not read: it counts all the same. */
function asLinux(tcb: Tcb, segment: Segment, halves: boolean): boolean {
  if (!isNewer(tcb, segment)) return false;
  const window = segment.window << tcb.sndScale;
  const says = window > tcb.sndWnd || window === 0;
  if (!says && !seqGt(segment.ack, tcb.sndUna) && !seqLt(tcb.sndWl1, segment.seq)) return false;
  take(tcb, segment, window, halves);
  return true;
}

/** Of two that are equally new the larger window counts. With SACK, duplicates are told by their blocks alone. */
function asBsd(tcb: Tcb, segment: Segment, halves: boolean): boolean {
  const window = segment.window << tcb.sndScale;
  const changed = window !== tcb.sndWnd;
  const isLater = tcb.sndWl2 === segment.ack ? window > tcb.sndWnd : seqLt(tcb.sndWl2, segment.ack);
  if (seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && isLater)) {
    take(tcb, segment, window, halves);
  }
  return changed && !tcb.sackOn;
}
