/** Readiness as poll(2) and epoll(7) name it; the numbers are Linux's. */
export const POLL = {
  in: 0x1,
  pri: 0x2,
  out: 0x4,
  err: 0x8,
  hup: 0x10,
  nval: 0x20,
  rdNorm: 0x40,
  rdBand: 0x80,
  wrNorm: 0x100,
  wrBand: 0x200,
  rdHup: 0x2000,
} as const;

export const EPOLL = { exclusive: 1 << 28, wakeUp: 1 << 29, oneShot: 1 << 30, edge: 2 ** 31 } as const;

/** Something that can be waited for. */
export interface Waitable {
  /** What is ready now. */
  poll(): number;
  /** Told what may have become ready (a mask; 0xffff: anything). */
  readonly watchers: Set<(mask: number) => void>;
}

export const ANYTHING = 0xffff;
/** Reported whether asked for or not. */
const ALWAYS = POLL.err | POLL.hup;

interface Interest {
  fd: number;
  file: Waitable;
  events: number;
  data: number | undefined;
  ready: boolean;
  stop: () => void;
}

export interface EpollEvent {
  events: number;
  fd: number;
  data: number | undefined;
}

/** epoll(7): level- and edge-triggered interest in files. */
export class Epoll implements Waitable {
  readonly watchers = new Set<(mask: number) => void>();
  private readonly interests = new Map<number, Interest>();
  /** In the order in which they became ready. */
  private queue: Interest[] = [];

  poll(): number {
    return this.queue.some(each => this.readyMask(each) !== 0) ? POLL.in | POLL.rdNorm : 0;
  }

  has(fd: number): boolean {
    return this.interests.has(fd);
  }

  add(fd: number, file: Waitable, events: number, data: number | undefined): void {
    const interest: Interest = { fd, file, events, data, ready: false, stop: () => {} };
    const watcher = (mask: number): void => {
      if (mask !== ANYTHING && (mask & (interest.events | ALWAYS)) === 0) return;
      if ((interest.events & 0xffff) !== 0) this.enqueue(interest);
    };
    file.watchers.add(watcher);
    interest.stop = () => file.watchers.delete(watcher);
    this.interests.set(fd, interest);
    if (this.readyMask(interest) !== 0) this.enqueue(interest);
  }

  modify(fd: number, events: number, data: number | undefined): void {
    const interest = this.interests.get(fd);
    if (interest === undefined) return;
    interest.events = events;
    interest.data = data;
    if (this.readyMask(interest) !== 0) this.enqueue(interest);
  }

  remove(fd: number): void {
    const interest = this.interests.get(fd);
    if (interest === undefined) return;
    interest.stop();
    this.interests.delete(fd);
    this.queue = this.queue.filter(each => each !== interest);
  }

  /** At most `most` events; those with the edge flag are told once. */
  take(most: number): EpollEvent[] {
    const found: EpollEvent[] = [];
    const again: Interest[] = [];
    while (this.queue.length > 0 && found.length < most) {
      const interest = this.queue.shift() as Interest;
      interest.ready = false;
      const events = this.readyMask(interest);
      if (events === 0) continue;
      found.push({ events, fd: interest.fd, data: interest.data });
      if (interest.events & EPOLL.oneShot) interest.events &= ~0xffff;
      else if (interest.events < EPOLL.edge && interest.events >= 0) again.push(interest);
    }
    for (const interest of again) this.enqueue(interest);
    return found;
  }

  private readyMask(interest: Interest): number {
    if ((interest.events & 0xffff) === 0) return 0;
    return interest.file.poll() & (interest.events | ALWAYS) & 0xffff;
  }

  private enqueue(interest: Interest): void {
    if (interest.ready) return;
    interest.ready = true;
    this.queue.push(interest);
    for (const watcher of this.watchers) watcher(POLL.in | POLL.rdNorm);
  }
}
