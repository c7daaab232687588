/**
 * Losses found by counting rather than by time: without SACK by duplicate ACKs (RFC 5681, RFC 6582), with SACK by what
 * lies above (RFC 6675), where RACK is switched off; and those that a timeout stands for.
 */
import type { Instant } from '../../base/instant.ts';
import type { AckNews } from './ack-news.ts';
import type { Recovery } from './recovery.ts';
import type { SendRecord } from './send-record.ts';

/** RFC 6582 §3.2: the third duplicate ACK, and in recovery every partial ACK, says that the first hole is lost. */
export function markNewReno(r: Recovery, advanced: boolean): void {
  const { queue } = r;
  const third = !r.inTrouble && queue.sacked >= r.reordering;
  if (!third && !(r.state === 'recovery' && advanced)) return;
  const { first } = queue;
  if (first === undefined || first.lost) return;
  if (first.segments > 1) queue.split(first, first.mss, first.mss);
  queue.markLost(first);
}

/** RFC 6582 §3.2 step 3: a partial ACK lets "the first unacknowledged segment" out. */
export function leastOfPartialAck(r: Recovery): 0 | 1 {
  if (r.tcb.sackOn || !r.host.settings.partialAckSends) return 0;
  return r.queue.lost > 0 ? 1 : 0;
}

/** RFC 6675 §4 IsLost, by counting: what has DupThresh SACKed segments above it. `entering`: at least the first hole. */
export function markByCount(r: Recovery, entering: boolean): void {
  const { queue } = r;
  if (!r.tcb.sackOn || r.byTime) return;
  const upTo = queue.sacked - r.reordering;
  if (upTo < 0) {
    if (entering && queue.first !== undefined) queue.markLost(firstSegment(r, queue.first));
    return;
  }
  let seen = 0;
  for (const record of queue.records) {
    if (record.sacked) seen += record.segments;
    if (seen > upTo) break;
    if (!record.sacked && !record.lost) queue.markLost(record);
  }
}

function firstSegment(r: Recovery, record: SendRecord): SendRecord {
  if (record.segments > 1) r.queue.split(record, record.mss, record.mss);
  return record;
}

/** Every duplicate ACK says that a segment has left the network. */
export function addRenoSack(r: Recovery, duplicateAcks: number, news: AckNews): void {
  if (duplicateAcks === 0) return;
  const before = r.queue.sacked;
  r.queue.sacked += duplicateAcks;
  limitRenoSacks(r, 0);
  r.countDelivered(Math.max(0, r.queue.sacked - before), news.ece);
}

/** Of the segments acknowledged one filled the hole; duplicate ACKs had told of the others. */
export function removeRenoSacks(r: Recovery, segments: number, ece: boolean): void {
  const { queue } = r;
  if (segments > 0) {
    r.countDelivered(Math.max(segments - queue.sacked, 1), ece);
    queue.sacked = Math.max(0, queue.sacked - (segments - 1));
  }
  limitRenoSacks(r, segments);
}

/** More duplicate ACKs than segments in flight: reordering. */
function limitRenoSacks(r: Recovery, acked: number): void {
  const { queue } = r;
  const holes = Math.min(Math.max(queue.lost, 1), queue.out);
  if (queue.sacked + holes <= queue.out) return;
  queue.sacked = queue.out - holes;
  r.reordering = Math.min(queue.out + acked, r.host.settings.maxReordering);
  r.reorderings++;
}

/** All of it, but for what was sent so lately that it has not had its chance (RFC 8985 §6.3). */
export function markTimedOut(r: Recovery, now: Instant): void {
  const { queue } = r;
  const { first } = queue;
  const reneged = first?.sacked ?? false;
  if (reneged) queue.forgetSacks(r.host.settings.timesReneged);
  else if (!r.tcb.sackOn) queue.sacked = 0;
  for (const record of queue.records) {
    const recent = !reneged && r.byTime && record !== first && r.rack.remaining(now, record, 0) > 0;
    if (!recent) queue.markLost(record);
  }
}
