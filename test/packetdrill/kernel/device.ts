/**
 * The kernel of this machine as a host under test: a TUN device whose far end is ours, and scripts that each talk to it
 * from a port of their own, so that many run side by side in real time.
 *
 * Needs root, /dev/net/tun and a network namespace made for it: the sysctls that are set are those of the namespace.
 */
import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { type Sighting, sight } from '../../../src/packetdrill/packets.ts';
import { parseIp } from '../../../src/wire/ip-address.ts';
import { libc } from './libc.ts';

export const LOCAL = parseIp('192.168.0.1') as number;
/** Where scripts come from; some need an address of their own, as a host remembers things of addresses. */
export const REMOTE = parseIp('192.0.2.1') as number;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const TUNSETIFF = 0x400454ca;
const O_RDWR_NONBLOCK = 0o4002;

/** What Google's suite sets before each of its scripts. */
const DEFAULTS = [
  'net.ipv4.tcp_rmem=4096 540000 15728640',
  'net.ipv4.tcp_wmem=4096 262144 4194304',
  'net.ipv4.tcp_timestamps=1',
  'net.ipv4.tcp_syn_retries=5',
  'net.ipv4.tcp_synack_retries=5',
  'net.ipv4.tcp_slow_start_after_idle=0',
  'net.ipv4.tcp_ecn=0',
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
  'net.ipv4.tcp_dsack=1',
  'net.ipv4.tcp_moderate_rcvbuf=1',
  'net.ipv4.tcp_autocorking=1',
  'net.ipv4.tcp_tso_win_divisor=3',
  'net.ipv4.tcp_comp_sack_nr=44',
];

export interface Listener {
  seen(sighting: Sighting): void;
}

export class KernelDevice {
  private readonly tun: number;
  private readonly buffer = Buffer.alloc(65536);
  private readonly listeners = new Map<number, Listener>();
  private readonly sleepers: { until: number; wake: () => void }[] = [];
  /** Not those of the last run: what is left of its connections would answer. */
  private nextPort = 10000 + (Date.now() % 50000);
  /** Set for each socket by itself: a namespace is not always allowed to change the default. */
  congestionControl = 'cubic';

  constructor(name = 'tun0') {
    this.tun = libc.open('/dev/net/tun', O_RDWR_NONBLOCK);
    const request = Buffer.alloc(40);
    request.write(name);
    request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16);
    if (libc.ioctl(this.tun, TUNSETIFF, request) < 0)
      throw new Error('TUNSETIFF failed: root and /dev/net/tun are needed');
    shell('ip', 'addr', 'add', '192.168.0.1/16', 'dev', name);
    shell('ip', 'link', 'set', name, 'up');
    shell('ip', 'route', 'add', '192.0.2.0/24', 'dev', name);
    for (const setting of DEFAULTS) this.sysctl(setting);
    shell('sh', '-c', 'ip tcp_metrics flush all || true');
  }

  sysctl(setting: string): void {
    const control = /tcp_congestion_control=(.+)$/.exec(setting);
    if (control !== null) this.congestionControl = control[1];
    else {
      try {
        shell('sysctl', '-q', '-w', setting);
      } catch {
        process.stderr.write(`not set: ${setting}\n`);
      }
    }
  }

  /** A port for one script, which hears of what is sent to it. */
  join(listener: Listener): number {
    const port = this.nextPort++;
    this.listeners.set(port, listener);
    return port;
  }

  leave(port: number): void {
    this.listeners.delete(port);
  }

  inject(packet: Uint8Array): void {
    libc.write(this.tun, Buffer.from(packet), packet.length);
  }

  /** Milliseconds, by the clock of `now`. */
  sleep(until: number): Promise<void> {
    return new Promise(wake => this.sleepers.push({ until, wake }));
  }

  get now(): number {
    return performance.now();
  }

  /** Lets scripts go on until `done`. */
  async serve(done: Promise<unknown>): Promise<void> {
    let open = true;
    const end = done.finally(() => {
      open = false;
    });
    while (open) {
      this.drain();
      const { now } = this;
      for (let at = this.sleepers.length - 1; at >= 0; at--) {
        if (this.sleepers[at].until <= now) this.sleepers.splice(at, 1)[0].wake();
      }
      await new Promise(resolve => setImmediate(resolve));
    }
    await end;
  }

  drain(): void {
    for (;;) {
      const length = libc.read(this.tun, this.buffer, 65536) as number;
      if (length <= 0) return;
      const found = sight(new Uint8Array(this.buffer.subarray(0, length)).slice(), this.now);
      if (found?.segment !== undefined) this.listeners.get(found.segment.destinationPort)?.seen(found);
    }
  }

  close(): void {
    libc.close(this.tun);
  }
}

export function shell(...args: string[]): string {
  return execFileSync(args[0], args.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
