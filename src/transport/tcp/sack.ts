/** SACK blocks of an acknowledgement, marked on the send queue (RFC 2018 §5, RFC 2883 §5, RFC 6675 §4). */
import type { Instant } from '../../base/instant.ts';
import type { SeqRange } from '../../base/ranges.ts';
import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import type { AckNews } from './ack-news.ts';
import type { Recovery } from './recovery.ts';
import { countDuplicates, noteReordering } from './reordering.ts';
import type { SendRecord } from './send-record.ts';

/** Marks what the blocks of an ACK of `ack` cover. `priorUna` is SND.UNA before it. */
export function takeSackBlocks(
  r: Recovery,
  now: Instant,
  news: AckNews,
  blocks: readonly SeqRange[],
  ack: Seq,
  priorUna: Seq,
): void {
  const { queue, tcb } = r;
  const duplicate = isDuplicateReport(r, news, blocks, ack, priorUna);
  if (seqDiff(priorUna, ack) > tcb.maxSndWnd || queue.out === 0) return;
  const [first] = blocks;
  // What one of them has marked is no sign of reordering for another.
  for (const block of inSequence(blocks)) {
    const isDuplicate = duplicate && block === first;
    if (!isValid(r, block, isDuplicate) || seqLe(block.end, priorUna)) continue;
    for (let at = queue.indexOf(block.start); at < queue.records.length; at++) {
      const record = queue.records[at];
      if (seqGe(record.seq, block.end)) break;
      if (fit(r, record, block)) mark(r, now, news, queue.records[at], isDuplicate);
    }
  }
  if (r.state !== 'loss' || r.undoMarker !== undefined) noteReordering(r, news.reordered);
}

/** In order of sequence; there are four at most. */
function inSequence(blocks: readonly SeqRange[]): readonly SeqRange[] {
  if (blocks.length < 2) return blocks;
  const sorted = [...blocks];
  for (let n = 1; n < sorted.length; n++) {
    const block = sorted[n];
    let at = n;
    for (; at > 0 && seqGt(sorted[at - 1].start, block.start); at--) sorted[at] = sorted[at - 1];
    sorted[at] = block;
  }
  return sorted;
}

/** RFC 2883 §4: the first block is a D-SACK when it lies below the ACK or inside the second block. */
function isDuplicateReport(r: Recovery, news: AckNews, blocks: readonly SeqRange[], ack: Seq, priorUna: Seq): boolean {
  const [first, second] = blocks;
  const below = seqLt(first.start, ack);
  const inside = second !== undefined && seqLe(first.end, second.end) && seqGe(first.start, second.start);
  if (!below && !inside) return false;
  const length = seqDiff(first.end, first.start);
  if (length <= 0 || length > r.tcb.maxSndWnd) return false;
  const segments = Math.max(1, Math.ceil(length / r.tcb.mss));
  const ofProbe = segments === 1 && r.tlpHighSeq !== undefined && first.end === r.tlpHighSeq;
  // More duplicates than retransmissions were ever sent: not ours to believe.
  if (!countDuplicates(r, segments, ofProbe)) return false;
  if (r.tlpRetransmitted && ofProbe) news.probeDuplicated = true;
  news.duplicateReported = true;
  // What was sent again for nothing has been delivered too.
  news.sackDelivered += segments;
  const known = r.undoMarker;
  if (known !== undefined && r.undoRetransmissions > 0 && seqLe(first.end, priorUna) && seqGt(first.end, known)) {
    r.undoRetransmissions = Math.max(0, r.undoRetransmissions - segments);
  }
  return true;
}

function isValid(r: Recovery, block: SeqRange, isDuplicate: boolean): boolean {
  const { sndUna, sndNxt, maxSndWnd } = r.tcb;
  if (seqGt(block.end, sndNxt) || !seqLt(block.start, block.end) || !seqLt(block.start, sndNxt)) return false;
  if (seqGt(block.start, sndUna)) return true;
  if (!isDuplicate || r.undoMarker === undefined || seqGt(block.end, sndUna)) return false;
  if (!seqLt(block.start, r.undoMarker)) return true;
  return seqGt(block.end, r.undoMarker) && seqDiff(block.end, block.start) <= maxSndWnd;
}

/** Is the record inside of the block? A record of several segments is cut where the block begins or ends. */
function fit(r: Recovery, record: SendRecord, block: SeqRange): boolean {
  const startsInside = seqLe(block.start, record.seq);
  if (startsInside && seqGe(block.end, record.end)) return true;
  if (record.segments === 1 || !seqGt(record.end, block.start)) return false;
  const { mss } = record;
  if (startsInside) {
    const whole = Math.floor(seqDiff(block.end, record.seq) / mss) * mss;
    if (whole === 0) return false;
    if (whole < record.dataLength) r.queue.split(record, whole, mss);
    return true;
  }
  const before = Math.ceil(seqDiff(block.start, record.seq) / mss) * mss;
  // What lies inside is the next record, which the walk comes to next.
  if (before < record.dataLength) r.queue.split(record, before, mss);
  return false;
}

function mark(r: Recovery, now: Instant, news: AckNews, record: SendRecord, isDuplicate: boolean): void {
  const { queue } = r;
  if (isDuplicate && record.everResent) {
    const known = r.undoMarker;
    if (known !== undefined && r.undoRetransmissions > 0 && seqGt(record.end, known)) {
      r.undoRetransmissions = Math.max(0, r.undoRetransmissions - record.segments);
    }
    if (record.sacked && seqLt(record.seq, news.reordered)) news.reordered = record.seq;
  }
  if (seqLe(record.end, r.tcb.sndUna)) return;
  if (!record.sacked) {
    r.rack.delivered(now, record, r.rtt.min);
    if (record.resent) {
      // Not thought lost: its retransmission is a probe, and still on its way.
      if (record.lost) {
        queue.unmarkLost(record);
        queue.unmarkResent(record);
      }
    } else {
      if (!record.everResent) noteOriginal(r, news, record);
      queue.unmarkLost(record);
    }
    queue.markSacked(record);
    news.sacked = true;
    news.sackDelivered += record.segments;
    news.bytes += record.dataLength;
    r.rate.recordDelivered(record, news);
  }
  if (isDuplicate && record.resent) queue.unmarkResent(record);
}

function noteOriginal(r: Recovery, news: AckNews, record: SendRecord): void {
  const highest = r.queue.sacked > 0 ? r.queue.highestSacked(r.tcb.sndUna) : r.tcb.sndUna;
  if (seqLt(record.seq, highest) && seqLt(record.seq, news.reordered)) news.reordered = record.seq;
  if (seqLe(record.end, r.highSeq)) news.originalArrived = true;
  news.firstSacked ??= record.sentAt;
  news.lastSacked = record.sentAt;
}
