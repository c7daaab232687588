/**
 * Many frames by one system call, by io_uring(7) of Linux: what is to be read or written stands in memory that the kernel
 * shares with us, is done while it looks through it, and answered there. Each costs half of what a call of its own does.
 * Where there is no io_uring, or it is not allowed, there is no ring, and frames are read and written one by one.
 */
type Koffi = typeof import('koffi');

/** The numbers of these calls are the same on every machine (asm-generic/unistd.h). */
const IO_URING_SETUP = 425;
const IO_URING_ENTER = 426;
const OFF_SQES = 0x1000_0000;
const PROT_READ_WRITE = 3;
/** MAP_SHARED | MAP_POPULATE. */
const MAP_FLAGS = 0x8001;
const MAP_FAILED = 2n ** 64n - 1n;
const FEAT_SINGLE_MMAP = 1;
const OPERATION = { read: 22, write: 23 };
/** Without it what can't be done now waits, although its file does not block (RWF_NOWAIT). */
const NO_WAIT = 8;
const EAGAIN = 11;

/** struct io_uring_params, in words: how many entries either ring has, and where their parts lie, in bytes. */
const PARAMS = {
  words: 30,
  entries: 0,
  answers: 1,
  features: 5,
  tail: 11,
  array: 16,
  cqHead: 20,
  cqTail: 21,
  cqMask: 22,
  cqes: 25,
};
/** struct io_uring_sqe and io_uring_cqe, in words. */
const SQE = { words: 16, operation: 0, fd: 1, address: 4, length: 6, flags: 7, userData: 8 };
const CQE = { words: 4, userData: 0, result: 2 };
const HIGH = 2 ** 32;
/** For an answer that nobody waits for. */
const NOT_KEPT = -1;

/** Frames begin at multiples of eight bytes: the room that one of `length` takes. */
export const roomFor = (length: number): number => (length + 7) & ~7;

/** Memory that is shared with the kernel. */
interface Mapping {
  words: Int32Array;
  unmap(): void;
}

interface Calls {
  setup(entries: number, params: Int32Array): number;
  enter(ring: number, count: number): number;
  /** Undefined: it can't be had. */
  map(ring: number, length: number, offset: number): Mapping | undefined;
  close(fd: number): number;
}

function systemCalls(koffi: Koffi): Calls {
  const libc = koffi.load(null);
  const setup = libc.func('int syscall(long number, unsigned int entries, void *params)');
  const enter = libc.func(
    'int syscall(long number, int ring, unsigned int submit, unsigned int wait, unsigned int flags, uintptr_t signals, size_t size)',
  );
  const mmap = libc.func('void *mmap(uintptr_t at, size_t length, int access, int flags, int fd, int64_t offset)');
  const munmap = libc.func('int munmap(void *at, size_t length)');
  return {
    setup: (entries, params) => setup(IO_URING_SETUP, entries, params),
    enter: (ring, count) => enter(IO_URING_ENTER, ring, count, 0, 0, 0, 0),
    map: (ring, length, offset) => {
      const at: unknown = mmap(0, length, PROT_READ_WRITE, MAP_FLAGS, ring, offset);
      if (koffi.address(at) === MAP_FAILED) return undefined;
      return { words: new Int32Array(koffi.view(at, length)), unmap: () => munmap(at, length) };
    },
    close: libc.func('int close(int fd)'),
  };
}

export class FrameRing {
  /** Most frames of one call. */
  readonly most: number;
  /** What became of each frame of the last call: bytes, or an error's number below zero. */
  readonly results: Int32Array;
  private readonly fd: number;
  private readonly calls: Calls;
  private readonly rings: Mapping;
  private readonly requests: Mapping;
  /** Where these are in `rings`, in words. */
  private readonly tail: number;
  private readonly cqHead: number;
  private readonly cqTail: number;
  private readonly cqMask: number;
  private readonly cqes: number;

  private constructor(fd: number, params: Int32Array, calls: Calls, rings: Mapping, requests: Mapping) {
    this.fd = fd;
    this.calls = calls;
    this.rings = rings;
    this.requests = requests;
    this.most = params[PARAMS.entries];
    this.results = new Int32Array(this.most);
    this.tail = params[PARAMS.tail] >> 2;
    this.cqHead = params[PARAMS.cqHead] >> 2;
    this.cqTail = params[PARAMS.cqTail] >> 2;
    this.cqMask = rings.words[params[PARAMS.cqMask] >> 2];
    this.cqes = params[PARAMS.cqes] >> 2;
    const array = params[PARAMS.array] >> 2;
    for (let n = 0; n < this.most; n++) rings.words[array + n] = n;
  }

  /** For `fd`, which does not block and has nothing to be read yet. Undefined: the system has no ring for us. */
  static open(koffi: Koffi, fd: number, most: number): FrameRing | undefined {
    try {
      return FrameRing.make(systemCalls(koffi), fd, most);
    } catch {
      return undefined; // a C library without these calls, or an engine that takes no memory from outside
    }
  }

  private static make(calls: Calls, fd: number, most: number): FrameRing | undefined {
    const params = new Int32Array(PARAMS.words);
    const ring = calls.setup(most, params);
    if (ring < 0) return undefined;
    const entries = params[PARAMS.entries];
    const length = Math.max(
      params[PARAMS.array] + entries * 4,
      params[PARAMS.cqes] + params[PARAMS.answers] * CQE.words * 4,
    );
    const isOne = (params[PARAMS.features] & FEAT_SINGLE_MMAP) !== 0;
    const rings = isOne ? calls.map(ring, length, 0) : undefined;
    const requests = calls.map(ring, entries * SQE.words * 4, OFF_SQES);
    if (rings === undefined || requests === undefined) {
      rings?.unmap();
      requests?.unmap();
      calls.close(ring);
      return undefined;
    }
    const made = new FrameRing(ring, params, calls, rings, requests);
    made.prepare(fd);
    if (made.answersAtOnce()) return made;
    made.close();
    return undefined;
  }

  /** What is the same in every request. */
  private prepare(fd: number): void {
    const { words } = this.requests;
    for (let n = 0; n < this.most; n++) {
      words[n * SQE.words + SQE.fd] = fd;
      words[n * SQE.words + SQE.flags] = NO_WAIT;
    }
  }

  /** A kernel that keeps a read until something comes would write into memory that is long used for something else. */
  private answersAtOnce(): boolean {
    return this.read(0, 0, 1, 1) === 1 && this.results[0] === -EAGAIN;
  }

  /**
   * Reads `count` frames at most, the n-th to `address + n * stride`, each of `length` bytes at most. Answers how many
   * reads were done; `results` says what became of them.
   */
  read(address: number, stride: number, length: number, count: number): number {
    for (let n = 0; n < count; n++) this.enter(n, OPERATION.read, address + n * stride, length, n);
    return this.submit(count);
  }

  /**
   * Writes `count` frames, the n-th of `lengths[n]` bytes at `address + n * stride`. What became of them is not kept:
   * somebody may still be looking through what was read.
   */
  write(address: number, stride: number, lengths: Int32Array, count: number): void {
    for (let n = 0; n < count; n++) this.enter(n, OPERATION.write, address + n * stride, lengths[n], NOT_KEPT);
    this.submit(count);
  }

  private enter(n: number, operation: number, address: number, length: number, result: number): void {
    const { words } = this.requests;
    const at = ((this.rings.words[this.tail] + n) & (this.most - 1)) * SQE.words;
    words[at + SQE.operation] = operation;
    words[at + SQE.address] = address;
    words[at + SQE.address + 1] = address / HIGH;
    words[at + SQE.length] = length;
    words[at + SQE.userData] = result;
  }

  private submit(count: number): number {
    const { rings, results, cqHead } = this;
    rings.words[this.tail] += count;
    this.calls.enter(this.fd, count);
    const end = rings.words[this.cqTail];
    let head = rings.words[cqHead];
    let done = 0;
    for (; head !== end; head = (head + 1) | 0, done++) {
      const at = this.cqes + (head & this.cqMask) * CQE.words;
      const place = rings.words[at + CQE.userData];
      if (place !== NOT_KEPT) results[place] = rings.words[at + CQE.result];
    }
    rings.words[cqHead] = head;
    return done;
  }

  close(): void {
    this.calls.close(this.fd);
    this.rings.unmap();
    this.requests.unmap();
  }
}
