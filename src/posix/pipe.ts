/** Pipes and files as far as sockets meet them: bytes by their number, since only sockets look at what they are. */
import { POLL, type Waitable } from './events.ts';

/** Linux: sixteen pages. */
const PIPE_CAPACITY = 65_536;

/** Both ends of a pipe. */
export class Pipe implements Waitable {
  readonly watchers = new Set<(mask: number) => void>();
  nonBlocking = false;
  length = 0;

  get room(): number {
    return PIPE_CAPACITY - this.length;
  }

  poll(): number {
    return (this.length > 0 ? POLL.in | POLL.rdNorm : 0) | (this.room > 0 ? POLL.out | POLL.wrNorm : 0);
  }
}

/** A file that has as many bytes as anybody asks for. */
export class PlainFile implements Waitable {
  readonly watchers = new Set<(mask: number) => void>();
  nonBlocking = false;

  poll(): number {
    return POLL.in | POLL.out;
  }
}
