/** MSG_ERRQUEUE: notices about data that was sent, of MSG_ZEROCOPY that it may be used again. */
import { type Seq, seqGe } from '../base/seq32.ts';

export interface ZeroCopyNotice {
  /** The first and the last of the sends that are done. */
  first: number;
  last: number;
}

export class ErrorQueue {
  private readonly notices: ZeroCopyNotice[] = [];
  private readonly waiting: { id: number; end: Seq }[] = [];
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

  acknowledged(una: Seq): void {
    while (this.waiting.length > 0 && seqGe(una, this.waiting[0].end)) {
      const { id } = this.waiting.shift() as { id: number };
      const last = this.notices[this.notices.length - 1];
      if (last !== undefined && last.last + 1 === id) {
        last.last = id;
      } else {
        this.notices.push({ first: id, last: id });
      }
      this.filled();
    }
  }

  take(): ZeroCopyNotice | undefined {
    return this.notices.shift();
  }
}
