/** How much the network reorders, as far as acknowledgements tell (RFC 4737), and what it delivers twice (RFC 2883). */
import { type Seq, seqDiff, seqLt } from '../../base/seq32.ts';
import type { Recovery } from './recovery.ts';

/** A segment below what was SACKed turns out to have arrived without having been sent again. */
export function noteReordering(r: Recovery, low: Seq): void {
  const highest = r.queue.highestSacked(r.tcb.sndUna);
  if (seqLt(low, highest)) noteFilledHole(r, low, highest);
}

/** A hole that nobody had sent again was filled from below what was SACKed. */
export function noteFilledHole(r: Recovery, low: Seq, highest: Seq): void {
  const { mss } = r.tcb;
  const extent = seqDiff(highest, low);
  if (extent > r.reordering * mss) {
    r.reordering = Math.min(Math.ceil(extent / mss), r.host.settings.maxReordering);
  }
  r.reorderings++;
  r.rack.reorderingSeen = true;
}

/** False: more than was ever sent again. `ofProbe`: a tail loss probe was, which says nothing of reordering. */
export function countDuplicates(r: Recovery, segments: number, ofProbe: boolean): boolean {
  r.duplicates += segments;
  if (r.duplicates > r.totalRetransmissions) return false;
  if (r.rack.reorderingSeen && !ofProbe) r.rack.dsackSeen = true;
  return true;
}
