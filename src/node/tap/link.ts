/**
 * A Link over a TAP device. The event loop wakes us when a frame is there (the descriptor is given to a libuv pipe
 * handle), then non-blocking reads drain what waits; many by one call where the system can do that (frame-ring.ts), as
 * what is sent meanwhile is written. Where Node has that binding no more, a worker thread waits instead.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { Memory } from '../../base/slab.ts';
import { ReceivingEnd } from '../../link/receiving-end.ts';
import type { Frame, Link, Unit } from '../../link/types.ts';
import { ethernet } from '../../wire/ethernet.ts';
import { Packet } from '../../wire/packet.ts';
import { cutFrame } from '../../wire/tcp-segmentation.ts';
import { TapDevice } from './device.ts';
import { type FrameRing, roomFor } from './frame-ring.ts';
import { Outgoing } from './outgoing.ts';
import { readVnet, VNET_HEADER, writeVnet } from './vnet.ts';

/** Frames a turn, so that timers and other sockets have theirs. */
const BATCH = 128;
/** Frames of one call, where several can be read by one; and how many are read one by one before it is worth while. */
const RING = { most: 64, least: 4 };
/** What frames are read into, of which each keeps its part: it should stay in the cache, and hold several of the largest. */
const SLAB = { frames: 1 << 18, offloaded: 1 << 19 };
/** A frame of 64 KB with all headers. */
const MOST = VNET_HEADER + 65535 + 18;

export interface TapLink extends Link {
  close(): void;
  /** How frames are waited for. */
  readonly readiness: 'event loop' | 'worker thread';
}

export interface TapOptions {
  /** How frames are waited for. */
  readiness: 'event loop' | 'worker thread' | 'best';
  /** 2: Ethernet frames (TAP); 3: IP datagrams (TUN). */
  layer: 2 | 3;
  /** Checksums and segmentation are left to the kernel, both ways: up to 64 KB at once. */
  offload: boolean;
  /** 'best': many by one system call (io_uring), where the system lets us and frames are not of 64 KB. */
  reads: 'one by one' | 'best';
}

/** Throws TapError. */
export function openTap(name: string, options: Partial<TapOptions> = {}): TapLink {
  const full: TapOptions = { readiness: 'best', layer: 2, offload: false, reads: 'best', ...options };
  const ring = full.offload || full.reads !== 'best' ? 0 : RING.most;
  return new DeviceLink(TapDevice.open(name, { ...full, ring }), full);
}

class DeviceLink extends ReceivingEnd implements TapLink {
  readonly name: string;
  readonly medium: 'ethernet' | 'ip';
  readonly mtu: number;
  readonly offloads: boolean;
  readonly readiness: 'event loop' | 'worker thread';
  private readonly device: TapDevice;
  private readonly stop: () => void;
  /** Bytes in front of each frame, and of a frame with them at most. */
  private readonly prefix: number;
  private readonly largest: number;
  private readonly ipAt: number;
  /** Where in a slab the first frame is put, so that IP's headers begin with a word of the machine. */
  private readonly toAlign: number;
  /** Where a frame is put behind its header. */
  private readonly behindHeader: Uint8Array;
  /** Undefined with offloads: such frames are large enough to be written by themselves. */
  private readonly outgoing: Outgoing | undefined;
  /** As many frames as came at once lately. */
  private expected = RING.least;
  /** What frames are read into, where it lies, and how much of it is used. */
  private memory = Memory.of(new ArrayBuffer(0));
  private address = 0;
  private used = 0;
  private closed = false;
  /** A program may end by process.exit in the very turn in which it has sent its last. */
  private readonly atExit = (): void => this.outgoing?.flush();

  constructor(device: TapDevice, { readiness, layer, offload }: TapOptions) {
    super();
    this.device = device;
    this.name = device.name;
    this.medium = layer === 2 ? 'ethernet' : 'ip';
    this.mtu = device.mtu;
    this.offloads = offload;
    this.prefix = offload ? VNET_HEADER : 0;
    this.ipAt = layer === 2 ? ethernet.size : 0;
    this.toAlign = -(this.prefix + this.ipAt) & 3;
    this.largest = offload ? MOST : this.mtu + 18;
    this.behindHeader = new Uint8Array(offload ? MOST : 0);
    this.outgoing = offload ? undefined : new Outgoing(device, this.largest);
    if (this.outgoing !== undefined) {
      allowListeners(1);
      process.on('exit', this.atExit);
    }
    const wake =
      readiness === 'worker thread'
        ? undefined
        : watchWithPipe(device.fd, (first, length) => this.drain(first, length));
    this.readiness = wake === undefined ? 'worker thread' : 'event loop';
    this.stop = wake ?? watchWithWorker(device, () => this.drain(undefined, 0));
  }

  send(frame: Frame, unit: Unit = 0): void {
    if (this.closed) return;
    const { outgoing } = this;
    if (outgoing === undefined) this.sendBehindHeader(frame, unit);
    else if (unit === 0) outgoing.add(frame);
    else for (const piece of cutFrame(frame, this.ipAt, unit)) outgoing.add(piece);
  }

  /** A datagram for a TUN has room in front that an Ethernet header would need; virtio-net's fits there. */
  sendPacket(packet: Packet): void {
    const fits = packet.room >= VNET_HEADER && !packet.shared;
    if (!this.offloads || this.closed || !fits) return this.send(packet.view(), packet.unit);
    const ipAt = this.ipAt + VNET_HEADER;
    packet.prepend(VNET_HEADER);
    const bytes = packet.view();
    writeVnet(bytes, ipAt, packet.unit);
    this.device.write(bytes);
    packet.release();
  }

  private sendBehindHeader(frame: Frame, unit: Unit): void {
    const { behindHeader } = this;
    behindHeader.set(frame, VNET_HEADER);
    writeVnet(behindHeader.subarray(0, VNET_HEADER + frame.length), this.ipAt + VNET_HEADER, unit);
    this.device.write(behindHeader, VNET_HEADER + frame.length);
  }

  close(): void {
    if (this.closed) return;
    this.outgoing?.flush();
    if (this.outgoing !== undefined) {
      process.off('exit', this.atExit);
      allowListeners(-1);
    }
    this.closed = true;
    this.device.ring?.close();
    this.stop();
  }

  /** `first`: a frame that the event loop has already read, valid only now. */
  private drain(first: Uint8Array | undefined, length: number): void {
    const { outgoing } = this;
    if (outgoing !== undefined) outgoing.held = true;
    this.batch?.(true);
    if (first !== undefined && length > 0) {
      this.makeRoom();
      this.memory.bytes.set(first.subarray(0, length), this.used);
      this.take(length);
    }
    const { ring } = this.device;
    const waitMore = this.drainOneByOne(ring === undefined ? BATCH : RING.least);
    if (waitMore && ring !== undefined) this.drainByRing(ring, BATCH - RING.least);
    this.batch?.(false);
    if (outgoing === undefined) return;
    outgoing.held = false;
    if (!this.closed) outgoing.flush();
  }

  /** True: there were as many, and may be more. */
  private drainOneByOne(most: number): boolean {
    for (let n = 0; n < most && !this.closed; n++) {
      this.makeRoom();
      const count = this.device.read(this.address + this.used, this.largest);
      if (count === 0) return false;
      this.take(count);
    }
    return true;
  }

  /** Each read has a place of its own: how many frames there are, and of what length, is known behind them all. */
  private drainByRing(ring: FrameRing, most: number): void {
    const stride = roomFor(this.largest);
    let left = most;
    while (left > 0 && !this.closed) {
      this.makeRoom();
      const from = this.used;
      const room = Math.floor((this.memory.bytes.length - from) / stride);
      const count = Math.min(left, this.expected, room);
      const done = ring.read(this.address + from, stride, this.largest, count);
      let frames = 0;
      for (let n = 0; n < done && !this.closed; n++) {
        const length = ring.results[n];
        if (length < 0) this.device.notRead(-length);
        if (length <= 0) continue;
        frames++;
        this.used = from + n * stride;
        this.take(length);
      }
      left -= frames;
      if (frames < count) {
        // Reads that find nothing cost something too.
        this.expected = Math.max(frames, RING.least);
        return;
      }
      this.expected = Math.min(2 * count, ring.most);
    }
  }

  /** What is used of the slab stays its frames'. */
  private makeRoom(): void {
    if (this.used + roomFor(this.largest) <= this.memory.bytes.length) return;
    // Not zeroed: what is read goes over it.
    const { buffer } = Buffer.allocUnsafeSlow(this.offloads ? SLAB.offloaded : SLAB.frames);
    this.memory = Memory.of(buffer as ArrayBuffer);
    this.address = this.device.addressOf(this.memory.bytes);
    this.used = this.toAlign;
  }

  /** What was read behind `used`. */
  private take(length: number): void {
    const { memory, used, prefix } = this;
    this.used += roomFor(length);
    const packet = new Packet(memory, used + prefix, used + length);
    if (this.offloads) packet.unit = readVnet(memory.bytes, used, packet.view());
    this.deliver(packet);
  }
}

/** So many more: each link has one, and Node takes many for a mistake. No limit (0) stays none. */
function allowListeners(more: number): void {
  const limit = process.getMaxListeners();
  if (limit > 0) process.setMaxListeners(limit + more);
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
    const buffer = new Uint8Array(MOST);
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
