/**
 * A Link over a TAP device. The event loop wakes us when a frame is there (the descriptor is given to a libuv pipe
 * handle), then non-blocking reads drain what waits. Where Node has that binding no more, a worker thread waits instead.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Frame, Link } from '../../link/types.ts';
import { TapDevice } from './device.ts';

/** Frames a turn, so that timers and other sockets have theirs. */
const BATCH = 64;
const SLAB = 1 << 20;

export interface TapLink extends Link {
  close(): void;
  /** How frames are waited for. */
  readonly readiness: 'event loop' | 'worker thread';
}

/** Throws TapError. */
export function openTap(name: string, readiness: 'event loop' | 'worker thread' | 'best' = 'best'): TapLink {
  const device = TapDevice.open(name);
  return new DeviceLink(device, readiness);
}

class DeviceLink implements TapLink {
  readonly name: string;
  readonly medium = 'ethernet';
  readonly mtu: number;
  readonly readiness: 'event loop' | 'worker thread';
  receive: (frame: Frame) => void = () => {};
  private readonly device: TapDevice;
  private readonly stop: () => void;
  private readonly frameSize: number;
  private slab = new Uint8Array(SLAB);
  private used = 0;
  private closed = false;

  constructor(device: TapDevice, readiness: 'event loop' | 'worker thread' | 'best') {
    this.device = device;
    this.name = device.name;
    this.mtu = device.mtu;
    this.frameSize = this.mtu + 18;
    const wake =
      readiness === 'worker thread'
        ? undefined
        : watchWithPipe(device.fd, (first, length) => this.drain(first, length));
    this.readiness = wake === undefined ? 'worker thread' : 'event loop';
    this.stop = wake ?? watchWithWorker(device, () => this.drain(undefined, 0));
  }

  send(frame: Frame): void {
    if (!this.closed) this.device.write(frame);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stop();
  }

  /** `first`: a frame that the event loop has already read, valid only now. */
  private drain(first: Uint8Array | undefined, length: number): void {
    if (first !== undefined && length > 0) {
      const place = this.place();
      place.set(first.subarray(0, length));
      this.take(length);
    }
    for (let n = 0; n < BATCH && !this.closed; n++) {
      const count = this.device.read(this.place());
      if (count === 0) return;
      this.take(count);
    }
  }

  private place(): Uint8Array {
    if (this.used + this.frameSize > SLAB) {
      this.slab = new Uint8Array(SLAB);
      this.used = 0;
    }
    return this.slab.subarray(this.used, this.used + this.frameSize);
  }

  private take(length: number): void {
    const frame = this.slab.subarray(this.used, this.used + length);
    this.used += (length + 7) & ~7;
    this.receive(frame);
  }
}

/** The part of Node's internal pipe handle that we use. */
interface PipeHandle {
  open(fd: number): number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  close(): void;
  onread: () => void;
  /** Keeps the user buffer from being collected while libuv writes to it. */
  buffer?: Uint8Array;
}

function watchWithPipe(fd: number, wake: (first: Uint8Array, length: number) => void): (() => void) | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const wrap = binding.call(process, 'pipe_wrap') as {
      Pipe: new (type: number) => PipeHandle;
      constants: { SOCKET: number };
    };
    const { streamBaseState, kReadBytesOrError } = binding.call(process, 'stream_wrap') as {
      streamBaseState: Int32Array;
      kReadBytesOrError: number;
    };
    const handle = new wrap.Pipe(wrap.constants.SOCKET);
    if (handle.open(fd) !== 0) return undefined;
    const buffer = new Uint8Array(65536 + 18);
    handle.buffer = buffer;
    handle.useUserBuffer(buffer);
    handle.onread = () => {
      const count = streamBaseState[kReadBytesOrError];
      if (count > 0) wake(buffer, count);
    };
    handle.readStart();
    // The handle owns the descriptor and closes it.
    return () => {
      handle.readStop();
      handle.close();
    };
  } catch {
    return undefined;
  }
}

/**
 * The worker waits for frames and tells us; we read them. Its few lines are plain JavaScript in a string: a loader that
 * lets Node read TypeScript does not reach into workers on every version.
 */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { fd, gate, koffi } = workerData;
  const poll = require(koffi).load(null).func('int poll(void *fds, unsigned long count, int timeout)');
  const pollfd = new Uint8Array(8);
  const view = new DataView(pollfd.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, 1, true); // POLLIN
  (function wait() {
    // A short timeout, so that terminate() finds a moment between two calls.
    if (poll(pollfd, 1, 200) > 0) {
      Atomics.store(gate, 0, 0);
      parentPort.postMessage('readable');
      Atomics.wait(gate, 0, 0, 1000);
    }
    setImmediate(wait);
  })();
`;

function watchWithWorker(device: TapDevice, wake: () => void): () => void {
  // Shared: the worker waits until we have drained what it told us of.
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const koffi = createRequire(import.meta.url).resolve('koffi');
  const worker = new Worker(WORKER, { eval: true, workerData: { fd: device.fd, gate, koffi } });
  worker.on('message', () => {
    wake();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  });
  return () => {
    void worker.terminate();
    device.close();
  };
}
