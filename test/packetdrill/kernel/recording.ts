/** One script played to the kernel: its events in real time, and everything that the kernel sent, as a script again. */
import { seqAdd, seqDiff, seqGt } from '../../../src/base/seq32.ts';
import { buildIcmp } from '../../../src/packetdrill/icmp-packets.ts';
import { formatSegment, writeOptions } from '../../../src/packetdrill/notation.ts';
import { buildSegment, joined, type Sighting, wrap } from '../../../src/packetdrill/packets.ts';
import type {
  IpInfo,
  ScriptEvent,
  ScriptIcmp,
  ScriptSegment,
  ScriptTcpOption,
  SystemCall,
} from '../../../src/packetdrill/script.ts';
import { PROTOCOL } from '../../../src/wire/ipv4.ts';
import { ACK, SYN } from '../../../src/wire/tcp.ts';
import { KernelCalls } from './calls.ts';
import { type KernelDevice, type Listener, LOCAL, REMOTE, shell } from './device.ts';

/** What the kernel does at once comes within this time, milliseconds. */
const AT_ONCE = 4;
/** Segments further apart are lines with a time of their own. */
const APART = 5;
const CONNECTION = 4;

export interface RecordingOptions {
  /** Fields of TCP_INFO that are asserted after every event. */
  fields: readonly string[];
  /** poll's answer after every event. */
  polls?: boolean;
  /** Windows of all segments, not of none. */
  windows?: boolean;
  /** The ECN field also of what has none. */
  marks?: boolean;
  /** Where the script comes from. */
  remote?: number;
}

export class Recording implements Listener {
  readonly lines: string[] = [];
  readonly calls: KernelCalls;
  private readonly device: KernelDevice;
  private readonly options: RecordingOptions;
  private readonly remotePort: number;
  private readonly remote: number;
  private localPort: number;
  private sightings: Sighting[] = [];
  private start: number;
  private last = 0;
  private localBase: number | undefined;
  private remoteBase = 0;
  private heardSyn = false;
  private stamps: { script: number; live: number } | undefined;
  private clock = 100;
  /** The end of what the kernel has sent, and its last acknowledgement, as the script counts. */
  sentTo = 1;
  acked = 0;
  /** Where segments that the kernel has sent begin and end, in order: what a receiver would acknowledge and SACK by. */
  readonly edges: number[] = [1];
  /** The latest timestamp that the kernel has sent, as the script counts. */
  lastStamp = 0;
  /** What it has sent since the last event, for who decides what comes next. */
  fresh: ScriptSegment[] = [];

  constructor(device: KernelDevice, options: RecordingOptions) {
    this.device = device;
    this.options = options;
    this.remotePort = device.join(this);
    this.localPort = this.remotePort;
    this.remote = options.remote ?? REMOTE;
    this.calls = new KernelCalls(device, this.remotePort, this.remote);
    this.start = device.now;
  }

  seen(sighting: Sighting): void {
    this.sightings.push(sighting);
  }

  /** Plays one event, and waits for what the kernel does at once. `shown`: its line, where a '?' is to be filled in. */
  async play(event: ScriptEvent, line = event.text): Promise<void> {
    if (event.kind === 'code' || (event.kind === 'packet' && event.packet.direction === 'out')) return;
    if (event.kind === 'command') return this.command(event.command);
    const { device } = this;
    const { time } = event;
    const at = time.kind === 'relative' ? this.last + time.at / 1e6 : time.at / 1e6;
    if (this.start + at > device.now) await device.sleep(this.start + at);
    device.drain();
    this.flush();
    // When it really happens: the machine may be late, and what came before takes its time.
    const happens = Math.max(at, device.now - this.start);
    const gap = happens - this.last;
    this.last = happens;
    let shown = line.replace(/^\S+\s*/, '');
    if (event.kind === 'packet' && event.packet.kind === 'tcp') this.inject(event.packet.tcp, event.packet.ip);
    else if (event.kind === 'packet' && event.packet.kind === 'icmp') this.injectIcmp(event.packet.icmp);
    else if (event.kind === 'call') shown = this.call(event.call, shown);
    this.lines.push(`${stampOf(gap)} ${shown}`);
    await device.sleep(device.now + AT_ONCE);
    device.drain();
    this.flush();
    this.lookAround();
  }

  async end(): Promise<string> {
    await this.device.sleep(this.device.now + 30);
    this.device.drain();
    this.flush();
    this.calls.closeAll();
    this.device.leave(this.remotePort);
    return `${this.lines.join('\n')}\n`;
  }

  private command(command: string): void {
    for (const line of command.split('\n').map(text => text.trim())) {
      if (line === '' || line.startsWith('#') || /defaults\.sh$/.test(line)) continue;
      const sysctl = /^sysctl (?:-q |-w )*(.+)$/.exec(line);
      if (sysctl === null) shell('sh', '-c', line);
      else for (const one of sysctl[1].match(/\S+=("[^"]*"|\S+)/g) ?? []) this.device.sysctl(one.replace(/"/g, ''));
    }
    this.lines.push(`\`${command}\``);
    this.start = this.device.now - this.last;
  }

  private call(call: SystemCall, shown: string): string {
    const answer = this.calls.call(call);
    const result = answer.errno === undefined ? String(answer.result) : `${answer.result} ${answer.errno}`;
    const filled = shown.replace('?', String(answer.value ?? '...'));
    return filled.replace(/=\s*[^=)\]]*$/, `= ${result}`);
  }

  // --- what the kernel sends

  /** Prints what has been seen, segments of one burst joined. */
  private flush(): void {
    const seen = this.sightings;
    this.sightings = [];
    while (seen.length > 0) {
      let whole = seen.shift() as Sighting;
      const size = whole.segment?.length ?? 0;
      while (size > 0 && whole.segment?.flags === ACK && seen.length > 0 && seen[0].at - whole.at < 1) {
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
    if (segment.flags & SYN) {
      if (this.localPort !== segment.sourcePort) this.heardSyn = false;
      this.localBase = segment.seq;
      this.localPort = segment.sourcePort;
    }
    const time = found.at - this.start;
    const gap = Math.max(0, time - this.last);
    const late = gap > APART;
    if (late) this.last = time;
    const told: ScriptSegment = {
      flags: segment.flags,
      seq: seqDiff(segment.seq, this.localBase ?? 0) >>> 0,
      length: segment.length,
      // In a SYN numbers stand as they are.
      ack: segment.flags & ACK ? seqDiff(segment.ack, segment.flags & SYN ? 0 : this.remoteBase) >>> 0 : undefined,
      window: segment.flags & SYN || this.options.windows ? segment.window : undefined,
      options: found.options.map(option => this.relative(option)),
    };
    const end = told.seq + told.length + (segment.flags & 1);
    if (seqGt(end | 0, this.sentTo | 0)) {
      this.sentTo = end;
      this.edges.push(end);
    }
    this.acked = told.ack ?? this.acked;
    this.fresh.push(told);
    const ecn = [this.options.marks ? '[noecn] ' : '', '[ect1] ', '[ect0] ', '[ce] '][found.trafficClass & 3];
    this.lines.push(`${stampOf(late ? gap : 0)} > ${ecn}${formatSegment(told)}`);
  }

  private relative(option: ScriptTcpOption): ScriptTcpOption {
    if (option.kind === 'sack') {
      const relative = (seq: number): number => seqDiff(seq, this.remoteBase) >>> 0;
      return { kind: 'sack', blocks: option.blocks.map(b => ({ start: relative(b.start), end: relative(b.end) })) };
    }
    if (option.kind !== 'TS') return option;
    // By the kernel's own clock, so that an echo of any of them is known.
    if (this.stamps === undefined) this.stamps = { script: this.clock, live: option.val };
    this.lastStamp = (option.val - this.stamps.live + this.stamps.script) >>> 0;
    return { kind: 'TS', val: this.lastStamp, ecr: option.ecr };
  }

  // --- what the script sends

  private inject(segment: ScriptSegment, ip: IpInfo): void {
    // A later SYN is an attack on the connection, not its beginning.
    if (segment.flags & SYN && !this.heardSyn) {
      this.remoteBase = segment.seq;
      this.heardSyn = true;
    }
    const base = this.localBase ?? 0;
    const { stamps } = this;
    const ecr = (value: number): number =>
      value === 0 || stamps === undefined ? 0 : (value - stamps.script + stamps.live) >>> 0;
    const options = writeOptions(segment.options ?? [], { ecr, seq: seq => seqAdd(seq, base) });
    const ends = {
      source: this.remote,
      destination: LOCAL,
      sourcePort: this.remotePort,
      destinationPort: this.localPort,
    };
    const seq = segment.flags & SYN ? segment.seq : seqAdd(segment.seq, this.remoteBase);
    const built = buildSegment(segment, ends, seq, segment.ack === undefined ? 0 : seqAdd(segment.ack, base), options);
    this.device.inject(wrap(built, { source: this.remote, destination: LOCAL }, PROTOCOL.tcp, ip));
  }

  private injectIcmp(icmp: ScriptIcmp): void {
    const { about } = icmp;
    const ends = { local: LOCAL, remote: this.remote, localPort: this.localPort, remotePort: this.remotePort };
    const seq = seqAdd(about?.kind === 'tcp' ? about.seq : 0, this.localBase ?? 0);
    this.device.inject(buildIcmp(icmp, { ...ends, seq, protocol: PROTOCOL.tcp }));
  }

  // --- what the kernel thinks

  /** TCP_INFO and poll, as assertions. */
  private lookAround(): void {
    const number = this.calls.fd(CONNECTION) === undefined ? 3 : CONNECTION;
    const info = this.calls.info(number);
    if (info === undefined || info.tcpi_state === 10) return;
    if (this.options.polls) {
      const events = this.calls.events(number);
      const asked = 'POLLIN|POLLOUT|POLLRDHUP';
      const ready = events === 0 ? 0 : 1;
      this.lines.push(`     +0 poll([{fd=${number}, events=${asked}, revents=${events}}], 1, 0) = ${ready}`);
    }
    if (info.tcpi_state === 7) return;
    const names = this.options.fields.map(field => `tcpi_${field}`);
    const text = names.map(name => `${name} == ${info[name]}`).join(' and ');
    if (text !== '') this.lines.push(`     +0 %{ assert ${text}, (${names.join(', ')}) }%`);
  }
}

const stampOf = (gap: number): string =>
  `+${
    (Math.round(gap) / 1000)
      .toFixed(3)
      .replace(/^0\./, '.')
      .replace(/\.?0+$/, '') || '0'
  }`.padStart(7);
