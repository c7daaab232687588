/** MSG_ERRQUEUE: notices about data that was sent: of MSG_ZEROCOPY, that it may be used again; of SO_TIMESTAMPING, when. */
import type { Instant } from '../base/instant.ts';
import { type Seq, seqGe, seqLe } from '../base/seq32.ts';

export interface ZeroCopyNotice {
  kind: 'zero-copy';
  /** The first and the last of the sends that are done. */
  first: number;
  last: number;
}

/** The last byte of a write: when it was handed to the link's queue, left the host, was acknowledged. */
export type StampedPoint = 'scheduled' | 'sent' | 'acknowledged';

export interface StampNotice {
  kind: 'timestamp';
  point: StampedPoint;
  at: Instant;
  /** Which byte: counted from where the socket was when timestamps were asked for; 0 where nobody asked to count. */
  id: number;
}

export type Notice = ZeroCopyNotice | StampNotice;

interface Stamped {
  /** Behind the byte. */
  end: Seq;
  id: number;
  points: ReadonlySet<StampedPoint>;
  sent: boolean;
}

export class ErrorQueue {
  private readonly notices: Notice[] = [];
  private readonly waiting: { id: number; end: Seq }[] = [];
  private readonly stamped: Stamped[] = [];
  private nextId = 0;
  private readonly filled: () => void;

  constructor(filled: () => void) {
    this.filled = filled;
  }

  get isEmpty(): boolean {
    return this.notices.length === 0;
  }

  zeroCopySent(end: Seq): void {
    this.waiting.push({ id: this.nextId++, end });
  }

  /** A write that ends before `end`. One whose last byte waits in the same buffer, from `bufferStart` on, is forgotten. */
  stamp(end: Seq, id: number, points: ReadonlySet<StampedPoint>, bufferStart: Seq): void {
    const last = this.stamped[this.stamped.length - 1];
    if (last !== undefined && !last.sent && !seqLe(last.end, bufferStart)) this.stamped.pop();
    this.stamped.push({ end, id, points, sent: false });
  }

  /** Everything before `nxt` has been sent. */
  sent(now: Instant, nxt: Seq): void {
    for (const one of this.stamped) {
      if (one.sent || !seqGe(nxt, one.end)) continue;
      one.sent = true;
      this.tell(now, one, 'scheduled');
      this.tell(now, one, 'sent');
    }
  }

  acknowledged(now: Instant, una: Seq): void {
    while (this.stamped.length > 0 && seqGe(una, this.stamped[0].end)) {
      this.tell(now, this.stamped.shift() as Stamped, 'acknowledged');
    }
    while (this.waiting.length > 0 && seqGe(una, this.waiting[0].end)) this.releaseFirst();
  }

  /** The connection is gone, and with it what it needed of the user's memory. */
  released(): void {
    while (this.waiting.length > 0) this.releaseFirst();
    this.stamped.length = 0;
  }

  private releaseFirst(): void {
    const { id } = this.waiting.shift() as { id: number };
    const last = this.notices[this.notices.length - 1];
    if (last?.kind === 'zero-copy' && last.last + 1 === id) last.last = id;
    else this.notices.push({ kind: 'zero-copy', first: id, last: id });
    this.filled();
  }

  private tell(at: Instant, { id, points }: Stamped, point: StampedPoint): void {
    if (!points.has(point)) return;
    this.notices.push({ kind: 'timestamp', point, at, id });
    this.filled();
  }

  take(): Notice | undefined {
    return this.notices.shift();
  }
}
