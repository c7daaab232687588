import { type Seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from './seq32.ts';

export interface SeqRange {
  start: Seq;
  end: Seq;
}

/** A sorted set of disjoint, non-touching ranges [start, end) of sequence space: what a receiver or a SACK holds. */
export class SeqRanges {
  private list: SeqRange[] = [];

  get ranges(): readonly Readonly<SeqRange>[] {
    return this.list;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Bytes in all ranges. */
  get total(): number {
    let sum = 0;
    for (const range of this.list) sum += seqDiff(range.end, range.start);
    return sum;
  }

  /** The end of the last range. */
  get highest(): Seq | undefined {
    return this.list.at(-1)?.end;
  }

  /** Adds [start, end) and returns the range that it has become part of. */
  add(start: Seq, end: Seq): Readonly<SeqRange> {
    if (seqGe(start, end)) return { start, end };
    const list = this.list;
    let first = 0;
    while (first < list.length && seqLt(list[first].end, start)) first++;
    if (this.grows(first, start, end)) return list[first];
    const merged: SeqRange = { start, end };
    let last = first;
    while (last < list.length && seqLe(list[last].start, end)) {
      merged.start = seqMin(merged.start, list[last].start);
      merged.end = seqMax(merged.end, list[last].end);
      last++;
    }
    list.splice(first, last - first, merged);
    return merged;
  }

  /** The usual case: a range grows at its end, and reaches no other. */
  private grows(at: number, start: Seq, end: Seq): boolean {
    const { list } = this;
    if (at >= list.length || list[at].end !== start) return false;
    if (at + 1 < list.length && seqGe(end, list[at + 1].start)) return false;
    list[at].end = end;
    return true;
  }

  /** Forgets all before `seq`. */
  dropBefore(seq: Seq): void {
    const list = this.list;
    let gone = 0;
    while (gone < list.length && seqLe(list[gone].end, seq)) gone++;
    if (gone > 0) list.splice(0, gone);
    if (list.length > 0 && seqLt(list[0].start, seq)) list[0].start = seq;
  }

  contains(seq: Seq): boolean {
    for (const range of this.list) {
      if (seqGt(range.start, seq)) return false;
      if (seqLt(seq, range.end)) return true;
    }
    return false;
  }
}
