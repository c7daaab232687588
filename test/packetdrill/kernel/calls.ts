/** A script's system calls, done to the kernel. None of them blocks. */
import type { Expression, SystemCall } from '../../../src/packetdrill/script.ts';
import { SYMBOLS } from '../../../src/packetdrill/symbols.ts';
import { type KernelDevice, LOCAL } from './device.ts';
import { errnoName, libc } from './libc.ts';

const OPTIONS: Record<string, number> = {
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_RCVLOWAT: 18,
  SO_MAX_PACING_RATE: 47,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  SO_OOBINLINE: 10,
  TCP_CORK: 3,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  TCP_SYNCNT: 7,
  TCP_LINGER2: 8,
  TCP_DEFER_ACCEPT: 9,
  TCP_WINDOW_CLAMP: 10,
  TCP_QUICKACK: 12,
  TCP_CONGESTION: 13,
  TCP_THIN_LINEAR_TIMEOUTS: 16,
  TCP_USER_TIMEOUT: 18,
  TCP_FASTOPEN: 23,
  TCP_NOTSENT_LOWAT: 25,
  TCP_FASTOPEN_CONNECT: 30,
  IP_TOS: 1,
};
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** What a call answered: the text behind '=' in a script, and what it filled in. */
export interface Answer {
  result: number;
  errno?: string;
  /** The value of an option, an ioctl's answer, or the events of a poll. */
  value?: number;
}

export class KernelCalls {
  private readonly fds = new Map<number, number>();
  private readonly device: KernelDevice;
  private readonly port: number;
  private readonly remote: number;

  constructor(device: KernelDevice, port: number, remote: number) {
    this.device = device;
    this.port = port;
    this.remote = remote;
  }

  fd(number: number): number | undefined {
    return this.fds.get(number);
  }

  closeAll(): void {
    for (const fd of this.fds.values()) libc.close(fd);
    this.fds.clear();
  }

  call(call: SystemCall): Answer {
    const value = { got: undefined as number | undefined };
    const result = this.dispatch(call, value);
    return result < 0 ? { result, errno: errnoName() } : { result, value: value.got };
  }

  number(expression: Expression | undefined): number {
    if (expression?.kind === 'number') return expression.value;
    if (expression?.kind === 'symbol') return SYMBOLS[expression.name] ?? OPTIONS[expression.name];
    if (expression?.kind === 'or') return expression.parts.reduce((sum, part) => sum | this.number(part), 0);
    if (expression?.kind === 'list') return this.number(expression.items[0]);
    return 0;
  }

  private dispatch(call: SystemCall, value: { got: number | undefined }): number {
    const { args } = call;
    const fd = this.fds.get(this.number(args[0])) ?? -1;
    const keep = (made: number): number => {
      if (made < 0) return made;
      const known = call.result?.kind === 'number' && call.result.value > 0 ? call.result.value : made;
      this.fds.set(known, made);
      return known;
    };
    const bytes = (): Buffer => Buffer.alloc(this.number(args[2]));
    switch (call.name) {
      case 'socket':
        return keep(this.socket());
      case 'bind':
        return libc.bind(fd, address(LOCAL, this.port), 16);
      case 'listen':
        return libc.listen(fd, this.number(args[1]));
      case 'accept':
      case 'accept4':
        return keep(libc.accept4(fd, null, null, SYMBOLS.SOCK_NONBLOCK));
      case 'connect':
        return libc.connect(fd, address(this.remote, this.port), 16);
      case 'write':
        return libc.send(fd, bytes(), this.number(args[2]), MSG_DONTWAIT | MSG_NOSIGNAL);
      case 'send':
        return libc.send(fd, bytes(), this.number(args[2]), this.number(args[3]) | MSG_DONTWAIT | MSG_NOSIGNAL);
      case 'sendto': {
        const flags = this.number(args[3]) | MSG_DONTWAIT | MSG_NOSIGNAL;
        return libc.sendto(fd, bytes(), this.number(args[2]), flags, address(this.remote, this.port), 16);
      }
      case 'read':
        return libc.recv(fd, bytes(), this.number(args[2]), MSG_DONTWAIT);
      case 'recv':
        return libc.recv(fd, bytes(), this.number(args[2]), this.number(args[3]) | MSG_DONTWAIT);
      case 'close':
        this.fds.delete(this.number(args[0]));
        return libc.close(fd);
      case 'shutdown':
        return libc.shutdown(fd, this.number(args[1]));
      case 'fcntl':
        return libc.fcntl(fd, 4, this.number(args[2]));
      case 'setsockopt':
        return this.setOption(fd, args);
      case 'getsockopt':
        return this.getOption(fd, args, value);
      case 'ioctl': {
        const out = Buffer.alloc(4);
        const result = libc.ioctl(fd, this.number(args[1]), out);
        value.got = out.readInt32LE(0);
        return result;
      }
      default:
        throw new Error(`${call.name} is not recorded`);
    }
  }

  private socket(): number {
    const made = libc.socket(2, 1 | SYMBOLS.SOCK_NONBLOCK, 0) as number;
    const control = Buffer.from(this.device.congestionControl);
    if (libc.setsockopt(made, 6, OPTIONS.TCP_CONGESTION, control, control.length) !== 0)
      throw new Error(`no ${this.device.congestionControl} here`);
    return made;
  }

  private setOption(fd: number, args: Expression[]): number {
    const name = args[2].kind === 'symbol' ? args[2].name : '';
    let value = Buffer.alloc(4);
    const [, , , wanted] = args;
    if (wanted.kind === 'struct') {
      value = Buffer.alloc(8);
      for (const [i, field] of wanted.fields.entries()) value.writeInt32LE(this.number(field.value), 4 * i);
    } else if (wanted.kind === 'list' && wanted.items[0].kind === 'string') value = Buffer.from(wanted.items[0].value);
    else value.writeInt32LE(this.number(wanted));
    return libc.setsockopt(fd, levelOf(name), OPTIONS[name], value, value.length);
  }

  private getOption(fd: number, args: Expression[], value: { got: number | undefined }): number {
    const name = args[2].kind === 'symbol' ? args[2].name : '';
    const out = Buffer.alloc(4);
    const size = Buffer.from([4, 0, 0, 0]);
    const result = libc.getsockopt(fd, levelOf(name), OPTIONS[name], out, size);
    value.got = out.readInt32LE(0);
    return result;
  }

  /** What poll says of it now, everything asked for. */
  events(number: number): number | undefined {
    const fd = this.fds.get(number);
    if (fd === undefined) return undefined;
    const asked = Buffer.alloc(8);
    asked.writeInt32LE(fd, 0);
    asked.writeInt16LE(SYMBOLS.POLLIN | SYMBOLS.POLLOUT | SYMBOLS.POLLRDHUP, 4);
    libc.poll(asked, 1, 0);
    return asked.readInt16LE(6);
  }

  /** TCP_INFO by the names of its fields; undefined: there is none. */
  info(number: number): Record<string, number> | undefined {
    const fd = this.fds.get(number);
    if (fd === undefined) return undefined;
    const info = Buffer.alloc(256);
    const size = Buffer.alloc(4);
    size.writeInt32LE(256);
    if (libc.getsockopt(fd, 6, 11, info, size) !== 0) return undefined;
    return readInfo(info);
  }
}

const levelOf = (name: string): number => (name.startsWith('SO_') ? 1 : name.startsWith('IP_') ? 0 : 6);

function address(ip: number, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(2, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt32BE(ip, 4);
  return bytes;
}

/** struct tcp_info of include/uapi/linux/tcp.h. */
function readInfo(info: Buffer): Record<string, number> {
  const u8 = (name: string, at: number): [string, number] => [`tcpi_${name}`, info[at]];
  const u32 = (name: string, at: number): [string, number] => [`tcpi_${name}`, info.readUInt32LE(at)];
  const u64 = (name: string, at: number): [string, number] => [`tcpi_${name}`, Number(info.readBigUInt64LE(at))];
  const early = ['rto', 'ato', 'snd_mss', 'rcv_mss', 'unacked', 'sacked', 'lost', 'retrans', 'fackets'];
  const times = ['last_data_sent', 'last_ack_sent', 'last_data_recv', 'last_ack_recv'];
  const rest = ['pmtu', 'rcv_ssthresh', 'rtt', 'rttvar', 'snd_ssthresh', 'snd_cwnd', 'advmss', 'reordering'];
  const words = [...early, ...times, ...rest, 'rcv_rtt', 'rcv_space', 'total_retrans'];
  return Object.fromEntries([
    u8('state', 0),
    u8('ca_state', 1),
    u8('retransmits', 2),
    u8('probes', 3),
    u8('backoff', 4),
    u8('options', 5),
    ...words.map((name, i) => u32(name, 8 + 4 * i)),
    u64('bytes_acked', 120),
    u64('bytes_received', 128),
    u32('segs_out', 136),
    u32('segs_in', 140),
    u32('notsent_bytes', 144),
    u32('min_rtt', 148),
    u32('data_segs_in', 152),
    u32('data_segs_out', 156),
    u64('busy_time', 168),
    u64('rwnd_limited', 176),
    u64('sndbuf_limited', 184),
    u32('delivered', 192),
    u32('delivered_ce', 196),
    u64('bytes_sent', 200),
    u64('bytes_retrans', 208),
    u32('dsack_dups', 216),
    u32('reord_seen', 220),
    u32('rcv_ooopack', 224),
    u32('snd_wnd', 228),
    u32('rcv_wnd', 232),
  ]);
}
