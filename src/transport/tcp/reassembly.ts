/** Data that came before its turn (RFC 9293 §3.10.7.4: "segments with higher beginning sequence numbers SHOULD be held"). */

import type { SeqRange } from '../../base/ranges.ts';
import { SeqRanges } from '../../base/ranges.ts';
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt } from '../../base/seq32.ts';

export interface Piece {
  seq: Seq;
  bytes: Uint8Array;
  /** What the segment that brought it takes of memory, where that is counted; with the first of its pieces. */
  cost: number;
}

/** RFC 2018 §3: at most three blocks fit beside timestamps, four without. */
const MAX_BLOCKS = 4;
/** One-byte segments cost a buffer each: their number is limited, their bytes are by the window. */
const MAX_PIECES = 4096;

export class Reassembly {
  /** Sorted, without overlaps. */
  private pieces: Piece[] = [];
  private readonly held = new SeqRanges();
  /** Starts of ranges by when they last grew, the latest first: RFC 2018 §4's order of blocks. */
  private recent: Seq[] = [];
  private total = 0;
  /** Memory that the pieces take. */
  cost = 0;

  get isEmpty(): boolean {
    return this.pieces.length === 0;
  }

  get bytes(): number {
    return this.total;
  }

  get count(): number {
    return this.pieces.length;
  }

  get rangeCount(): number {
    return this.held.ranges.length;
  }

  /** What of [start, end) is here already: its first part. */
  overlap(start: Seq, end: Seq): SeqRange | undefined {
    for (const range of this.held.ranges) {
      const from = seqGe(range.start, start) ? range.start : start;
      const to = seqLe(range.end, end) ? range.end : end;
      if (seqLt(from, to)) return { start: from, end: to };
    }
    return undefined;
  }

  /** The right edge of what is held. */
  get highest(): Seq | undefined {
    return this.held.highest;
  }

  /** False when it was not kept. */
  add(seq: Seq, bytes: Uint8Array, cost = 0): boolean {
    if (this.pieces.length >= MAX_PIECES) return false;
    const end = seqAdd(seq, bytes.length);
    const { highest } = this.held;
    if (highest === undefined || seqGe(seq, highest)) {
      this.insert({ seq, bytes, cost });
      this.hold(seq, end);
      return true;
    }
    let left = cost;
    for (const hole of this.holesIn(seq, end)) {
      const from = seqDiff(hole.start, seq);
      const part = bytes.subarray(from, from + seqDiff(hole.end, hole.start));
      this.insert({ seq: hole.start, bytes: part, cost: left });
      left = 0;
    }
    this.hold(seq, end);
    return true;
  }

  /** One number without data: a FIN that came early. */
  mark(seq: Seq): void {
    this.hold(seq, seqAdd(seq, 1));
  }

  /** True: something was held there. */
  forgetBefore(seq: Seq): boolean {
    if (this.rangeCount === 0) return false;
    this.held.dropBefore(seq);
    this.recent = this.recent.filter(start => seqGe(start, seq));
    return true;
  }

  private hold(seq: Seq, end: Seq): void {
    const before = this.rangeCount;
    const merged = this.held.add(seq, end);
    if (this.recent[0] === merged.start && this.rangeCount === before) return;
    this.recent = [
      merged.start,
      ...this.recent.filter(start => !(seqGe(start, merged.start) && seqLt(start, merged.end))),
    ];
    if (this.recent.length > MAX_BLOCKS) this.recent.length = MAX_BLOCKS;
  }

  /**
   * The next piece once everything before it has come, or undefined; what had come otherwise is cut off. `forgetBefore`
   * is to follow behind the last.
   */
  take(rcvNxt: Seq): Piece | undefined {
    const first = this.pieces[0];
    if (first === undefined || seqGt(first.seq, rcvNxt)) return undefined;
    this.pieces.shift();
    this.total -= first.bytes.length;
    this.cost -= first.cost;
    const skip = seqDiff(rcvNxt, first.seq);
    if (skip > 0) first.bytes = first.bytes.subarray(Math.min(skip, first.bytes.length));
    return first;
  }

  /** SACK blocks, the one that changed last first. */
  blocks(max: number): readonly SeqRange[] {
    const found: SeqRange[] = [];
    for (const start of this.recent) {
      const range = this.held.ranges.find(r => seqLe(r.start, start) && seqLt(start, r.end));
      if (range !== undefined && !found.some(known => known.start === range.start)) found.push({ ...range });
    }
    for (const range of this.held.ranges) {
      if (found.length >= max) break;
      if (!found.some(known => known.start === range.start)) found.push({ ...range });
    }
    return found.slice(0, max);
  }

  private holesIn(start: Seq, end: Seq): SeqRange[] {
    const holes: SeqRange[] = [];
    let at = start;
    for (const range of this.held.ranges) {
      if (seqGe(range.start, end)) break;
      if (seqLe(range.end, at)) continue;
      if (seqGt(range.start, at)) holes.push({ start: at, end: range.start });
      at = range.end;
    }
    if (seqLt(at, end)) holes.push({ start: at, end });
    return holes;
  }

  private insert(piece: Piece): void {
    let at = this.pieces.length;
    while (at > 0 && seqGt(this.pieces[at - 1].seq, piece.seq)) at--;
    this.pieces.splice(at, 0, piece);
    this.total += piece.bytes.length;
    this.cost += piece.cost;
  }
}
