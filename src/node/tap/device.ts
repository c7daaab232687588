/**
 * /dev/net/tun by system calls (Linux): a TAP device is a network card whose other end is the kernel. koffi makes the
 * calls that Node has none for.
 */
import { createRequire } from 'node:module';
import { FrameRing } from './frame-ring.ts';
import { VNET_HEADER } from './vnet.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0x800;
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN: what the kernel may leave to us. */
const OFFLOADS = 0x01 | 0x02 | 0x04 | 0x08;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFMTU = 0x8921;
const IFF_UP = 1;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const EAGAIN = 11;
const EINTR = 4;
const IFREQ = 40;
const NAME_SIZE = 16;

export interface DeviceKind {
  layer: 2 | 3;
  /** Every frame has a virtio-net header in front of it (vnet.ts). */
  offload: boolean;
  /** How many frames may be read at once, where the system can do that; 0: none. */
  ring: number;
}

interface SystemCalls {
  open(path: string, flags: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  ioctlValue(fd: number, request: number, value: number): number;
  read(fd: number, address: number, count: number): number;
  write(fd: number, buffer: Uint8Array, count: number): number;
  writeAt(fd: number, address: number, count: number): number;
  close(fd: number): number;
  socket(domain: number, type: number, protocol: number): number;
}

type Koffi = typeof import('koffi');

/** Native code: loaded when a device is wanted, and not before. */
function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    throw new TapError('--tap needs the package koffi, which is not installed on this machine');
  }
}

function systemCalls(koffi: Koffi): SystemCalls {
  const libc = koffi.load(null);
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)');
  return {
    open: libc.func('int open(const char *path, int flags)'),
    ioctl: (fd, request, argument) => ioctl(fd, request, 'void *', argument),
    ioctlValue: (fd, request, value) => ioctl(fd, request, 'unsigned long', value),
    // By its address: koffi asks a typed array for a lot, 60 ns of it.
    read: libc.func('int read(int fd, uintptr_t address, unsigned int count)'),
    write: libc.func('long write(int fd, void *buffer, unsigned long count)'),
    writeAt: libc.func('int write(int fd, uintptr_t address, unsigned int count)'),
    close: libc.func('int close(int fd)'),
    socket: libc.func('int socket(int domain, int type, int protocol)'),
  };
}

/** An error of the system, in one line that says what to do. */
export class TapError extends Error {
  override name = 'TapError';
}

export class TapDevice {
  readonly name: string;
  readonly fd: number;
  /** Reads several frames at once, where the system does; to be closed by itself. */
  readonly ring: FrameRing | undefined;
  private readonly koffi: Koffi;
  private readonly calls: SystemCalls;

  private constructor(koffi: Koffi, calls: SystemCalls, fd: number, name: string, ring: number) {
    this.koffi = koffi;
    this.calls = calls;
    this.fd = fd;
    this.name = name;
    this.ring = ring > 0 ? FrameRing.open(koffi, fd, ring) : undefined;
  }

  /** Opens or makes the device and sets it up: layer 2 (TAP) or 3 (TUN). Throws TapError. */
  static open(name: string, kind: DeviceKind): TapDevice {
    if (process.platform !== 'linux') throw new TapError('--tap needs Linux');
    if (!/^[A-Za-z0-9_.-]{1,15}$/.test(name))
      throw new TapError(`'${name}' is no interface name: 1 to 15 letters, digits, '-', '_' or '.'`);
    const koffi = loadKoffi();
    const calls = systemCalls(koffi);
    const fd = calls.open('/dev/net/tun', O_RDWR | O_NONBLOCK);
    if (fd < 0)
      throw new TapError(`/dev/net/tun can't be opened (${errnoName(koffi)}): run as root, on a machine that has it`);
    const [type, what] = kind.layer === 2 ? [IFF_TAP, 'TAP'] : [IFF_TUN, 'TUN'];
    const request = interfaceRequest(name, type | IFF_NO_PI | (kind.offload ? IFF_VNET_HDR : 0));
    if (calls.ioctl(fd, TUNSETIFF, request) < 0) {
      const why = errnoName(koffi);
      calls.close(fd);
      throw new TapError(
        `the ${what} device '${name}' can't be made or taken (${why}): run as root, and see that no other program has it`,
      );
    }
    const device = new TapDevice(koffi, calls, fd, name, kind.ring);
    device.setOffloads(kind.offload);
    device.bringUp();
    return device;
  }

  /** Largest IP datagram, as the kernel has it in our network namespace (/sys may show another one). */
  get mtu(): number {
    const request = interfaceRequest(this.name, 0);
    if (!this.controls(SIOCGIFMTU, request)) throw new TapError(`the device '${this.name}' tells no MTU`);
    return new DataView(request.buffer).getInt32(NAME_SIZE, true);
  }

  /** Where memory lies, for those that ask for an address: as long as something refers to it. */
  addressOf(memory: Uint8Array): number {
    return Number(this.koffi.address(memory));
  }

  /** Bytes of one frame, put where `address` says; or 0 when none waits. Throws TapError when the device is gone. */
  read(address: number, most: number): number {
    const count = this.calls.read(this.fd, address, most);
    return count >= 0 ? count : this.notRead(this.koffi.errno());
  }

  /** A read that gave no frame: none waits, or the device is gone. */
  notRead(errno: number): 0 {
    if (errno === EAGAIN || errno === EINTR) return 0;
    throw new TapError(`reading from ${this.name} failed (${errnoName(this.koffi, errno)})`);
  }

  /** False: the kernel had no room; the frame is lost, as on any full queue. */
  write(frame: Uint8Array, length = frame.length): boolean {
    return this.calls.write(this.fd, frame, length) === length;
  }

  /** The same of memory whose address is known. */
  writeAt(address: number, length: number): void {
    this.calls.writeAt(this.fd, address, length);
  }

  close(): void {
    this.calls.close(this.fd);
  }

  /** May frames come with their checksum unmade, and of 64 KB? A device that stays remembers what it was told last. */
  private setOffloads(offload: boolean): void {
    if (offload) {
      const size = new Uint8Array(4);
      size[0] = VNET_HEADER;
      this.calls.ioctl(this.fd, TUNSETVNETHDRSZ, size);
    }
    if (this.calls.ioctlValue(this.fd, TUNSETOFFLOAD, offload ? OFFLOADS : 0) < 0 && offload) {
      const why = errnoName(this.koffi);
      this.close();
      throw new TapError(`the device '${this.name}' takes no offloads (${why})`);
    }
  }

  private bringUp(): void {
    const request = interfaceRequest(this.name, 0);
    if (!this.controls(SIOCGIFFLAGS, request)) return;
    request[NAME_SIZE] |= IFF_UP;
    this.controls(SIOCSIFFLAGS, request);
  }

  /** What is asked or told of an interface goes by a socket, whichever (netdevice(7)). False: it was refused. */
  private controls(code: number, request: Uint8Array): boolean {
    const socket = this.calls.socket(AF_INET, SOCK_DGRAM, 0);
    if (socket < 0) return false;
    const done = this.calls.ioctl(socket, code, request) >= 0;
    this.calls.close(socket);
    return done;
  }
}

/** struct ifreq: the name, then flags or a number. */
function interfaceRequest(name: string, flags: number): Uint8Array {
  const request = new Uint8Array(IFREQ);
  request.set(new TextEncoder().encode(name));
  new DataView(request.buffer).setUint16(NAME_SIZE, flags, true);
  return request;
}

function errnoName(koffi: Koffi, errno = koffi.errno()): string {
  return Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
