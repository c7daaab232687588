/**
 * Fills in what Linux does: takes a script without outbound lines, plays it to the kernel of this machine through a TUN
 * device in real time, and prints it with the segments that came out, and with the congestion window after each event.
 * So the scripts beside this file say what a real kernel did, not what we think that it does.
 *
 *   ip netns add record; ip netns exec record npx tsx test/packetdrill/record.ts FILE...
 *
 * Needs root and /dev/net/tun. The sysctls that it sets are those of its network namespace.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import koffi from 'koffi';
import { seqAdd, seqDiff } from '../../src/base/seq32.ts';
import { formatSegment, writeOptions } from '../../src/packetdrill/notation.ts';
import { buildSegment, joined, type Sighting, sight, wrap } from '../../src/packetdrill/packets.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import type {
  Expression,
  ScriptEvent,
  ScriptSegment,
  ScriptTcpOption,
  SystemCall,
} from '../../src/packetdrill/script.ts';
import { SYMBOLS } from '../../src/packetdrill/symbols.ts';
import { parseIp } from '../../src/wire/ip-address.ts';
import { PROTOCOL } from '../../src/wire/ipv4.ts';
import { SYN } from '../../src/wire/tcp.ts';

const libc = koffi.load('libc.so.6');
const c = {
  open: libc.func('int open(const char *path, int flags)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  read: libc.func('long read(int fd, void *buffer, unsigned long length)'),
  write: libc.func('long write(int fd, const void *buffer, unsigned long length)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, int length)'),
  connect: libc.func('int connect(int fd, const void *address, int length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  accept: libc.func('int accept(int fd, void *address, void *length)'),
  close: libc.func('int close(int fd)'),
  shutdown: libc.func('int shutdown(int fd, int how)'),
  send: libc.func('long send(int fd, const void *buffer, unsigned long length, int flags)'),
  sendto: libc.func(
    'long sendto(int fd, const void *buffer, unsigned long length, int flags, const void *address, int size)',
  ),
  recv: libc.func('long recv(int fd, void *buffer, unsigned long length, int flags)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const void *value, int length)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  fcntl: libc.func('int fcntl(int fd, int command, int argument)'),
};
const LOCAL = parseIp('192.168.0.1') as number;
const REMOTE = parseIp('192.0.2.1') as number;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const TUNSETIFF = 0x400454ca;
const O_RDWR_NONBLOCK = 0o4002;
const OPTIONS: Record<string, number> = {
  SO_REUSEADDR: 2,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_MAX_PACING_RATE: 47,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  TCP_CORK: 3,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  TCP_SYNCNT: 7,
  TCP_QUICKACK: 12,
  TCP_CONGESTION: 13,
  TCP_USER_TIMEOUT: 18,
  TCP_FASTOPEN: 23,
  TCP_NOTSENT_LOWAT: 25,
  TCP_FASTOPEN_CONNECT: 30,
  IP_TOS: 1,
};

const DEFAULTS = [
  'net.ipv4.tcp_rmem=4096 540000 15728640',
  'net.ipv4.tcp_wmem=4096 262144 4194304',
  'net.ipv4.tcp_timestamps=1',
  'net.ipv4.tcp_syn_retries=5',
  'net.ipv4.tcp_synack_retries=5',
  'net.ipv4.tcp_slow_start_after_idle=0',
  'net.ipv4.tcp_ecn=0',
  'net.ipv4.tcp_congestion_control=cubic',
  'net.ipv4.tcp_fastopen=0x70403',
  'net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4',
  'net.ipv4.tcp_sack=1',
  'net.ipv4.tcp_reordering=3',
  'net.ipv4.tcp_recovery=1',
  'net.ipv4.tcp_early_retrans=3',
  'net.ipv4.tcp_frto=2',
  'net.ipv4.tcp_no_metrics_save=1',
  'net.ipv4.tcp_retries2=15',
  'net.ipv4.tcp_window_scaling=1',
  'net.ipv4.tcp_mtu_probing=0',
  'net.ipv4.tcp_min_tso_segs=2',
];

function sh(...args: string[]): string {
  return execFileSync(args[0], args.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

class Recorder {
  private readonly tun: number;
  private readonly out: string[] = [];
  private readonly buffer = Buffer.alloc(65536);
  private readonly fds = new Map<number, number>();
  private seen: Sighting[] = [];
  private start = 0;
  private last = 0;
  private localBase: number | undefined;
  private remoteBase = 0;
  private heardSyn = false;
  private ports = { local: 8080, remote: 40000 + Math.floor(Math.random() * 20000) };
  private stamps: { script: number; live: number } | undefined;
  private clock = 100;
  private control = 'cubic';

  constructor() {
    this.tun = c.open('/dev/net/tun', O_RDWR_NONBLOCK);
    const request = Buffer.alloc(40);
    request.write('tun0');
    request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16);
    if (c.ioctl(this.tun, TUNSETIFF, request) < 0)
      throw new Error('TUNSETIFF failed: root and /dev/net/tun are needed');
    sh('ip', 'addr', 'add', '192.168.0.1/16', 'dev', 'tun0');
    sh('ip', 'link', 'set', 'tun0', 'up');
    sh('ip', 'route', 'add', '192.0.2.0/24', 'dev', 'tun0');
    for (const setting of DEFAULTS) this.sysctl(setting);
    sh('sh', '-c', 'ip tcp_metrics flush all || true');
  }

  private sysctl(setting: string): void {
    const control = /tcp_congestion_control=(.+)$/.exec(setting);
    if (control !== null) {
      this.control = control[1];
      return;
    }
    try {
      sh('sysctl', '-q', '-w', setting);
    } catch {
      process.stderr.write(`not set: ${setting}\n`);
    }
  }

  run(text: string): string {
    const script = parseScript(text.replace(/= \?$/gm, '= 0'));
    const lines = text.split('\n');
    this.start = performance.now();
    for (const event of script.events) this.event(event, lines);
    this.wait(performance.now() + 30);
    this.flush();
    for (const fd of this.fds.values()) c.close(fd);
    c.close(this.tun);
    return `${this.out.join('\n')}\n`;
  }

  private event(event: ScriptEvent, lines: string[]): void {
    if (event.kind === 'packet' && event.packet.direction === 'out') return;
    if (event.kind === 'code') return;
    const at = event.time.kind === 'relative' ? this.last + event.time.at / 1e6 : event.time.at / 1e6;
    if (event.kind === 'command') {
      for (const line of event.command.split('\n')) this.command(line.trim());
      this.out.push(`\`${event.command}\``);
      this.start = performance.now() - this.last;
      return;
    }
    this.wait(this.start + at);
    this.flush();
    // When it really happens: the machine may be late, and what came before takes its time.
    const happens = Math.max(at, performance.now() - this.start);
    const gap = happens - this.last;
    this.last = happens;
    const shown = event.text.replace(/^\S+\s*/, '');
    let suffix = shown;
    if (event.kind === 'packet' && event.packet.kind === 'tcp') {
      this.inject(event.packet.tcp, event.packet.ip);
      suffix = shown;
    } else if (event.kind === 'call') {
      const result = this.call(event.call);
      // What the kernel answers, unless the script names an errno.
      if (!/=\s*-1/.test(shown)) suffix = shown.replace(/=\s*\S+$/, `= ${result}`);
    }
    this.out.push(`${this.stampOf(gap)} ${suffix}`);
    // What the kernel does at once comes within a few milliseconds.
    this.wait(performance.now() + 4);
    this.flush();
    this.info();
    void lines;
  }

  private command(line: string): void {
    if (line === '' || line.startsWith('#')) return;
    const sysctl = /^sysctl (?:-q |-w )*(.+)$/.exec(line);
    if (sysctl !== null)
      for (const setting of sysctl[1].match(/\S+=("[^"]*"|\S+)/g) ?? []) this.sysctl(setting.replace(/"/g, ''));
    else if (!/defaults\.sh$/.test(line)) sh('sh', '-c', line);
  }

  private stampOf(gap: number): string {
    return `+${
      (Math.round(gap) / 1000)
        .toFixed(3)
        .replace(/^0\./, '.')
        .replace(/\.?0+$/, '') || '0'
    }`.padStart(7);
  }

  private wait(until: number): void {
    for (;;) {
      const length = c.read(this.tun, this.buffer, 65536) as number;
      if (length > 0) {
        const found = sight(new Uint8Array(this.buffer.subarray(0, length)).slice(), performance.now());
        if (found?.segment !== undefined) this.seen.push(found);
        continue;
      }
      if (performance.now() >= until) return;
    }
  }

  /** Prints what has been seen, segments of one burst joined. */
  private flush(): void {
    const { seen } = this;
    this.seen = [];
    while (seen.length > 0) {
      let whole = seen.shift() as Sighting;
      const size = whole.segment?.length ?? 0;
      while (
        seen.length > 0 &&
        size > 0 &&
        (whole.segment as { flags: number }).flags === 0x10 &&
        seen[0].at - whole.at < 1
      ) {
        const more = joined(whole, seen[0], size);
        if (more === undefined) break;
        whole = { ...more, at: whole.at };
        seen.shift();
      }
      this.print(whole);
    }
  }

  private print(found: Sighting): void {
    const { segment } = found;
    if (segment === undefined) return;
    if (segment.flags & SYN) this.localBase = segment.seq;
    if (segment.flags & SYN && !(segment.flags & 0x10))
      this.ports = { local: segment.sourcePort, remote: segment.destinationPort };
    const time = found.at - this.start;
    const gap = Math.max(0, time - this.last);
    const late = gap > 5;
    if (late) this.last = time;
    const base = this.localBase ?? 0;
    const options = found.options.map(option => this.relativeOption(option));
    const isSyn = (segment.flags & SYN) !== 0;
    const text = formatSegment({
      flags: segment.flags,
      seq: seqDiff(segment.seq, base) >>> 0,
      length: segment.length,
      ack: segment.flags & 0x10 ? seqDiff(segment.ack, this.remoteBase) >>> 0 : undefined,
      window: isSyn || process.env.WINDOWS ? segment.window : undefined,
      options,
    });
    const ecn = ['', '[ect1] ', '[ect0] ', '[ce] '][found.trafficClass & 3];
    this.out.push(`${this.stampOf(late ? gap : 0)} > ${ecn}${text}`);
  }

  private relativeOption(option: ScriptTcpOption): ScriptTcpOption {
    if (option.kind === 'sack') {
      return {
        kind: 'sack',
        blocks: option.blocks.map(b => ({
          start: seqDiff(b.start, this.remoteBase) >>> 0,
          end: seqDiff(b.end, this.remoteBase) >>> 0,
        })),
      };
    }
    if (option.kind !== 'TS') return option;
    this.clock++;
    this.stamps = { script: this.clock, live: option.val };
    return { kind: 'TS', val: this.clock, ecr: option.ecr };
  }

  private inject(segment: ScriptSegment, ip: { ecn?: 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce' }): void {
    // A later SYN is an attack on the connection, not its beginning.
    if (segment.flags & SYN && !this.heardSyn) {
      this.remoteBase = segment.seq;
      this.heardSyn = true;
    }
    const base = this.localBase ?? 0;
    const ecr = (value: number): number =>
      value === 0 || this.stamps === undefined ? 0 : (value - this.stamps.script + this.stamps.live) >>> 0;
    const options = writeOptions(segment.options ?? [], { ecr, seq: seq => seqAdd(seq, base) });
    const ends = {
      source: REMOTE,
      destination: LOCAL,
      sourcePort: this.ports.remote,
      destinationPort: this.ports.local,
    };
    const seq = segment.flags & SYN ? segment.seq : seqAdd(segment.seq, this.remoteBase);
    const built = buildSegment(segment, ends, seq, segment.ack === undefined ? 0 : seqAdd(segment.ack, base), options);
    const frame = wrap(built, { source: REMOTE, destination: LOCAL }, PROTOCOL.tcp, ip);
    c.write(this.tun, Buffer.from(frame), frame.length);
  }

  private number(expression: Expression | undefined): number {
    if (expression?.kind === 'number') return expression.value;
    if (expression?.kind === 'symbol') return SYMBOLS[expression.name] ?? OPTIONS[expression.name];
    if (expression?.kind === 'or') return expression.parts.reduce((sum, part) => sum | this.number(part), 0);
    if (expression?.kind === 'list') return this.number(expression.items[0]);
    return 0;
  }

  private call(call: SystemCall): number | string {
    const { args } = call;
    const fd = this.fds.get(this.number(args[0])) ?? -1;
    const address = (ip: number, port: number): Buffer => {
      const bytes = Buffer.alloc(16);
      bytes.writeUInt16LE(2, 0);
      bytes.writeUInt16BE(port, 2);
      bytes.writeUInt32BE(ip, 4);
      return bytes;
    };
    const keep = (made: number): number => {
      const known = call.result?.kind === 'number' ? call.result.value : made;
      this.fds.set(known, made);
      return known;
    };
    switch (call.name) {
      case 'socket': {
        const made = c.socket(2, 1, 0) as number;
        // The host's default may be another one, which a namespace is not always allowed to change.
        const control = Buffer.from(this.control);
        if (c.setsockopt(made, 6, OPTIONS.TCP_CONGESTION, control, control.length) !== 0)
          throw new Error(`no ${this.control} here`);
        return keep(made);
      }
      case 'bind':
        return c.bind(fd, address(LOCAL, 8080), 16);
      case 'listen':
        return c.listen(fd, this.number(args[1]));
      case 'accept':
        return keep(c.accept(fd, null, null));
      case 'connect':
        return c.connect(fd, address(REMOTE, 8080), 16);
      case 'write':
        return c.send(fd, Buffer.alloc(this.number(args[2])), this.number(args[2]), 0x4040);
      case 'send':
        return c.send(fd, Buffer.alloc(this.number(args[2])), this.number(args[2]), this.number(args[3]) | 0x4040);
      case 'sendto':
        return c.sendto(
          fd,
          Buffer.alloc(this.number(args[2])),
          this.number(args[2]),
          this.number(args[3]) | 0x4040,
          address(REMOTE, 8080),
          16,
        );
      case 'read':
        return c.recv(fd, Buffer.alloc(this.number(args[2])), this.number(args[2]), 0x40);
      case 'close':
        this.fds.delete(this.number(args[0]));
        return c.close(fd);
      case 'shutdown':
        return c.shutdown(fd, this.number(args[1]));
      case 'fcntl':
        return c.fcntl(fd, 4, this.number(args[2]));
      case 'setsockopt':
        return this.setOption(fd, args);
      default:
        throw new Error(`${call.name} is not recorded`);
    }
  }

  private setOption(fd: number, args: Expression[]): number {
    const name = args[2].kind === 'symbol' ? args[2].name : '';
    const level = name.startsWith('SO_') ? 1 : name.startsWith('IP_') ? 0 : 6;
    let value = Buffer.alloc(4);
    const [, , , wanted] = args;
    if (wanted.kind === 'struct') {
      value = Buffer.alloc(8);
      for (const [i, field] of wanted.fields.entries()) value.writeInt32LE(this.number(field.value), 4 * i);
    } else if (wanted.kind === 'list' && wanted.items[0].kind === 'string') value = Buffer.from(wanted.items[0].value);
    else value.writeInt32LE(this.number(wanted));
    return c.setsockopt(fd, level, OPTIONS[name], value, value.length);
  }

  /** The congestion window and its state, as an assertion. */
  private info(): void {
    const fd = this.fds.get(4) ?? this.fds.get(3);
    if (fd === undefined) return;
    const info = Buffer.alloc(256);
    const size = Buffer.alloc(4);
    size.writeInt32LE(256);
    if (c.getsockopt(fd, 6, 11, info, size) !== 0) return;
    const state = info[0];
    if (state === 10 || state === 7) return;
    const u32 = (index: number): number => info.readUInt32LE(8 + 4 * index);
    const fields: Record<string, number> = {
      tcpi_ca_state: info[1],
      tcpi_snd_cwnd: u32(18),
      tcpi_snd_ssthresh: u32(17),
      tcpi_unacked: u32(4),
      tcpi_sacked: u32(5),
      tcpi_lost: u32(6),
      tcpi_retrans: u32(7),
      tcpi_reordering: u32(20),
    };
    const u64 = (at: number): number => Number(info.readBigUInt64LE(at));
    if (process.env.TIMES) {
      // Layout of struct tcp_info: busy_time at 8 + 4*22 + ... (see include/uapi/linux/tcp.h)
      this.out.push(
        `// busy ${u64(168)} rwnd ${u64(176)} sndbuf ${u64(184)} delivered ${info.readUInt32LE(192)} bytes_sent ${u64(200)} retrans ${u64(208)} dsack ${info.readUInt32LE(216)} reord_seen ${info.readUInt32LE(220)} last_data_sent ${u32(9)} last_ack_recv ${u32(12)} last_data_recv ${u32(11)} rto ${info.readUInt32LE(8)} rtt ${u32(15)} rttvar ${u32(16)} advmss ${u32(19)} pmtu ${u32(13)} rcv_ssthresh ${u32(14)} rcv_space ${u32(22)} rcv_rtt ${u32(21)} min_rtt ${info.readUInt32LE(148)} notsent ${info.readUInt32LE(144)} data_segs_out ${info.readUInt32LE(156)} segs_out ${info.readUInt32LE(136)} bytes_acked ${u64(120)} bytes_rcv ${u64(128)}`,
      );
    }
    const text = Object.entries(fields)
      .map(([name, value]) => `${name} == ${value}`)
      .join(' and ');
    this.out.push(
      `     +0 %{ assert ${text}, (tcpi_ca_state, tcpi_snd_cwnd, tcpi_snd_ssthresh, tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_reordering) }%`,
    );
  }
}

for (const file of process.argv.slice(2)) process.stdout.write(new Recorder().run(readFileSync(file, 'utf8')));
