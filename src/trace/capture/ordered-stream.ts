/** One direction of a captured conversation, its data put in order: what came twice is told once, what is missing is told as such. */
import { type Seq, seqAdd, seqDiff, seqLe } from '../../base/seq32.ts';

export interface StreamSink {
  /** The next bytes: [start, end). */
  data(bytes: Uint8Array, start: number, end: number, time: number): void;
  /** So many bytes were not captured. */
  missing(count: number, time: number): void;
}

/** What waits for a hole to be filled, before the hole is taken for a loss of the capture's. */
const MOST_WAITING = 256 << 10;

interface Piece {
  seq: Seq;
  bytes: Uint8Array;
  /** Beyond the bytes: not captured. */
  missing: number;
}

export class OrderedStream {
  private readonly sink: StreamSink;
  private next: Seq | undefined = undefined;
  private waiting: Piece[] = [];
  private held = 0;

  constructor(sink: StreamSink) {
    this.sink = sink;
  }

  /** A SYN: its data begins here. */
  begin(seq: Seq): void {
    this.next ??= seq;
  }

  /** Data of a segment, of which [start, end) was captured and `length` sent. */
  add(seq: Seq, bytes: Uint8Array, start: number, end: number, length: number, time: number): void {
    this.next ??= seq;
    const behind = seqDiff(this.next, seq);
    if (behind >= length) return;
    if (behind < 0) return this.hold(seq, bytes.slice(start, end), length, time);
    this.tell(bytes, start + behind, end, length - behind, time);
    if (this.waiting.length > 0) this.release(time);
  }

  private tell(bytes: Uint8Array, start: number, end: number, length: number, time: number): void {
    this.next = seqAdd(this.next as Seq, length);
    const kept = Math.max(0, Math.min(end - start, length));
    if (kept > 0) this.sink.data(bytes, start, start + kept, time);
    if (kept < length) this.sink.missing(length - kept, time);
  }

  private hold(seq: Seq, bytes: Uint8Array, length: number, time: number): void {
    this.waiting.push({ seq, bytes, missing: length - bytes.length });
    this.held += length;
    if (this.held > MOST_WAITING) this.giveUp(time);
  }

  private release(time: number): void {
    for (;;) {
      const at = this.waiting.findIndex(piece => seqLe(piece.seq, this.next as Seq));
      if (at < 0) return;
      const [{ seq, bytes, missing }] = this.waiting.splice(at, 1);
      const length = bytes.length + missing;
      this.held -= length;
      const behind = seqDiff(this.next as Seq, seq);
      if (behind < length) this.tell(bytes, behind, bytes.length, length - behind, time);
    }
  }

  /** Nobody will fill the hole: it is as long as up to the nearest that waits. */
  private giveUp(time: number): void {
    const nearest = this.waiting.reduce((a, b) => (seqLe(a.seq, b.seq) ? a : b));
    const count = seqDiff(nearest.seq, this.next as Seq);
    this.next = nearest.seq;
    this.sink.missing(count, time);
    this.release(time);
  }
}
