/**
 * Runs one script against a host of ours in virtual time. Events happen when the script says; what the host sends is
 * held against what is expected, with packetdrill's tolerance.
 */
import { type Duration, type Instant, us } from '../base/instant.ts';
import type { Attempt } from '../posix/results.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import type { ProfileName } from '../transport/tcp/profiles.ts';
import { addressSum } from '../wire/ip-address.ts';
import { PROTOCOL } from '../wire/ipv4.ts';
import { HEADROOM, Packet } from '../wire/packet.ts';
import { SYN } from '../wire/tcp.ts';
import { prependUdp, udp } from '../wire/udp.ts';
import { type CallOutcome, Calls } from './calls.ts';
import { AssertionFailed, CodeUnsupported, runCode } from './code-block.ts';
import { Flow } from './flow.ts';
import { buildIcmp } from './icmp-packets.ts';
import { formatSegment, writeOptions } from './notation.ts';
import { buildSegment, describe, difference, ipDiffers, isOpening, joined, type Sighting, wrap } from './packets.ts';
import {
  type Script,
  ScriptError,
  type ScriptEvent,
  type ScriptPacket,
  type ScriptSegment,
  type SystemCall,
} from './script.ts';
import { CommandFailed, CommandUnsupported, Shell, type ShellFiles } from './shell.ts';
import { CODE_SYMBOLS } from './symbols.ts';
import { infoFields, memoryFields } from './tcp-info-fields.ts';
import { Unsupported, Values } from './values.ts';
import { type IpVersion, World } from './world.ts';

export interface RunOptions {
  ipVersion: IpVersion;
  profile: ProfileName;
  mtu?: number;
  /** An inbound line with more data than this stands for several segments that were coalesced on receipt. */
  mss?: number;
  localIp?: string;
  remoteIp?: string;
  tolerance: Duration;
  strictSegments: boolean;
  seed: number;
  initScripts: readonly string[];
  /** Ticks a second: the fewer, the later are short timers. */
  hz?: number;
}

export interface Verdict {
  status: 'pass' | 'fail' | 'unsupported';
  line?: number;
  /** One line: what went wrong. */
  message?: string;
  expected?: string;
  got?: string;
}

/** The script was not followed. */
class Mismatch extends Error {
  override name = 'Mismatch';
  readonly expected: string | undefined;
  readonly got: string | undefined;

  constructor(message: string, expected?: string, got?: string) {
    super(message);
    this.expected = expected;
    this.got = got;
  }
}

/** packetdrill's: an eighth of the time since the event before. */
const TOLERANCE_SHARE = 0.125;
/**
 * What a call takes on a real system. packetdrill reckons a relative time from when the event before was over, so that
 * data is out a little longer than a script says by the time it is acknowledged: a retransmission less long than that.
 */
const CALL_TIME: Duration = us(10);
const FIRST_REMOTE_PORT = 32768;
/** How long '*' is waited for, and how long a call that must not block. */
const PATIENCE: Duration = 600e9;
const DEFAULT_IPS = {
  ipv4: { local: '192.168.0.1', remote: '192.0.2.1' },
  ipv6: { local: 'fd3d:a0b:17d6::1', remote: 'fd3d:fa7b:d17d::1' },
} as const;

interface Blocked {
  call: SystemCall;
  event: ScriptEvent;
  attempt: Attempt<CallOutcome>;
  /** Script time by which it must have ended, and the tolerance. */
  until: Duration;
  tolerance: Duration;
}

export function runScript(script: Script, options: RunOptions, files: ShellFiles): Verdict {
  const run = new Run(options, files);
  try {
    run.begin();
    for (const event of script.events) {
      run.line = event.line;
      run.step(event);
    }
    run.end();
    return { status: 'pass' };
  } catch (error) {
    return verdictOf(error, run.line);
  }
}

function verdictOf(error: unknown, line: number): Verdict {
  if (error instanceof Mismatch) {
    return { status: 'fail', line, message: error.message, expected: error.expected, got: error.got };
  }
  if (error instanceof CommandFailed) return { status: 'fail', line, message: error.message };
  if (error instanceof AssertionFailed) return { status: 'fail', line, message: `assertion failed: ${error.message}` };
  const known =
    error instanceof Unsupported ||
    error instanceof CommandUnsupported ||
    error instanceof CodeUnsupported ||
    error instanceof ScriptError;
  if (known) return { status: 'unsupported', line, message: error.message };
  throw error;
}

class Run {
  line = 0;
  private readonly options: RunOptions;
  private readonly world: World;
  private readonly calls: Calls;
  private readonly shell: Shell;
  private readonly values = new Values();
  private readonly start: Instant;
  private flow: Flow | undefined = undefined;
  private listened = false;
  private nextRemotePort = FIRST_REMOTE_PORT;
  private lastTime: Duration = 0;
  private blocked: Blocked | undefined = undefined;
  private udpPorts = { local: 8080, remote: 8080 };

  constructor(options: RunOptions, files: ShellFiles) {
    this.options = options;
    const family = options.ipVersion === 'ipv6' ? 'ipv6' : 'ipv4';
    // The suites of the two systems are run with MTUs that give both versions the same MSS, or do not.
    const mtu = options.mtu ?? (family === 'ipv6' && options.profile !== 'freebsd' ? 1520 : 1500);
    this.world = new World({
      ipVersion: options.ipVersion,
      profile: options.profile,
      mtu,
      localIp: options.localIp ?? DEFAULT_IPS[family].local,
      remoteIp: options.remoteIp ?? DEFAULT_IPS[family].remote,
      seed: options.seed,
      hz: options.hz,
    });
    if (options.hz !== undefined) this.world.change({ timerSlack: 2e9 / options.hz });
    this.calls = new Calls(this.world, this.values);
    this.shell = new Shell(this.world, files);
    this.start = this.world.now;
  }

  begin(): void {
    for (const path of this.options.initScripts) this.shell.run(path);
  }

  private get scriptNow(): Duration {
    return this.world.now - this.start;
  }

  step(event: ScriptEvent): void {
    if (event.kind === 'packet' && event.packet.direction === 'out') return this.expectPacket(event, event.packet);
    const { time } = event;
    const at = time.kind === 'any' ? this.scriptNow : time.at + (time.kind === 'relative' ? this.lastTime : 0);
    const tolerance = this.toleranceAt(at);
    this.advance(this.start + at);
    if (this.scriptNow > at + tolerance) {
      throw new Mismatch(`this comes at ${seconds(this.scriptNow)}, too late`, `at ${seconds(at)}`);
    }
    const before = this.lastTime;
    this.lastTime = time.kind === 'any' ? this.scriptNow : at;
    switch (event.kind) {
      case 'packet':
        this.inject(event.packet);
        break;
      case 'call':
        this.call(event, event.call, before);
        this.advance(this.world.now + CALL_TIME);
        if (time.kind !== 'absolute') this.lastTime += CALL_TIME;
        break;
      case 'command':
        this.advance(this.world.now + this.shell.run(event.command) * 1e9);
        break;
      case 'code':
        this.code(event.code);
        break;
    }
    this.settle();
  }

  end(): void {
    if (this.blocked !== undefined) this.finishBlocked();
  }

  private toleranceAt(at: Duration): Duration {
    return Math.max(this.options.tolerance, TOLERANCE_SHARE * Math.max(0, at - this.lastTime));
  }

  // --- time

  /** Lets everything happen until then, a step at a time, so that a call that blocks ends when it should. */
  private advance(until: Instant): void {
    while (this.world.clock.step(until)) this.pollBlocked();
    this.world.clock.runSync(Math.max(until, this.world.now));
    this.pollBlocked();
  }

  /** What is due at this very moment. */
  private settle(): void {
    while (this.world.clock.step(this.world.now)) this.pollBlocked();
    this.pollBlocked();
  }

  // --- calls

  private call(event: ScriptEvent, call: SystemCall, before: Duration): void {
    if (this.blocked !== undefined) this.finishBlocked();
    const attempt = this.calls.start(call);
    const base = event.time.kind === 'relative' ? before : 0;
    const until = call.blocksUntil === undefined ? this.lastTime : base + call.blocksUntil;
    const tolerance = Math.max(this.options.tolerance, TOLERANCE_SHARE * Math.max(0, until - this.lastTime));
    this.blocked = { call, event, attempt, until, tolerance };
    this.pollBlocked();
    if (this.blocked !== undefined && call.blocksUntil === undefined) {
      this.settle();
      if (this.blocked !== undefined) this.finishBlocked();
    }
  }

  private pollBlocked(): void {
    const { blocked } = this;
    if (blocked === undefined) return;
    const result = blocked.attempt();
    if (result === undefined) return;
    this.blocked = undefined;
    this.line = blocked.event.line;
    this.compareResult(blocked.call, result as CallOutcome);
    if (blocked.call.name === 'listen' && result.errno === undefined) this.listened = true;
    const off = this.scriptNow - blocked.until;
    if (Math.abs(off) > blocked.tolerance) {
      throw new Mismatch(`${blocked.call.name} ends at ${seconds(this.scriptNow)}`, `at ${seconds(blocked.until)}`);
    }
  }

  private finishBlocked(): void {
    const { blocked } = this;
    if (blocked === undefined) return;
    const limit = this.start + blocked.until + blocked.tolerance;
    while (this.blocked !== undefined && this.world.clock.step(limit)) this.pollBlocked();
    if (this.blocked !== undefined)
      throw new Mismatch(`${blocked.call.name} blocks`, `an answer at ${seconds(blocked.until)}`);
  }

  private compareResult(call: SystemCall, got: CallOutcome): void {
    const shown = got.errno === undefined ? String(got.result) : `${got.result} ${got.errno}`;
    const wanted =
      call.result === undefined || call.result.kind === 'any' ? undefined : this.values.number(call.result);
    const opens = ['socket', 'accept', 'accept4', 'epoll_create', 'epoll_create1'].includes(call.name);
    const differs = wanted !== undefined && (opens && wanted >= 0 ? got.result < 0 : wanted !== got.result);
    if (differs || (call.errno !== undefined && call.errno !== got.errno)) {
      const expected = `${wanted ?? '...'}${call.errno === undefined ? '' : ` ${call.errno}`}`;
      throw new Mismatch(`${call.name} answers ${shown}`, expected, shown);
    }
    if (got.complaint !== undefined) throw new Mismatch(`${call.name}: ${got.complaint}`);
  }

  private code(code: string): void {
    const endpoint = this.findEndpoint();
    const fields = endpoint === undefined ? {} : infoFields(endpoint.info(), this.world.profile);
    const memory = endpoint === undefined ? {} : memoryFields(endpoint);
    runCode(code, { ...CODE_SYMBOLS, ...fields, ...memory });
  }

  /** The endpoint under test; the flow remembers it, since it outlives its place in the host's table. */
  private findEndpoint(): TcpEndpoint | undefined {
    const { flow } = this;
    if (flow === undefined) return this.calls.streams.findLast(socket => socket.endpoint !== undefined)?.endpoint;
    const found = this.world.host.tcp
      .connections()
      .find(e => e.localPort === flow.localPort && e.remotePort === flow.remotePort);
    flow.endpoint = found ?? flow.endpoint;
    return flow.endpoint;
  }

  // --- inbound

  private inject(packet: ScriptPacket): void {
    const { local, remote, link } = this.world;
    if (packet.kind === 'tcp') return this.injectSegment(packet.tcp, packet);
    if (packet.kind === 'udp') {
      const built = Packet.withHeadroom(HEADROOM + udp.size, packet.length);
      const ports = { sourcePort: this.udpPorts.remote, destinationPort: this.udpPorts.local };
      prependUdp(built, ports, addressSum(remote) + addressSum(local));
      link.receive(wrap(built, { source: remote, destination: local }, PROTOCOL.udp, packet.ip));
      return;
    }
    const { about } = packet.icmp;
    const flow = this.flow;
    const isUdp = about?.kind === 'udp';
    const seq = about?.kind === 'tcp' ? about.seq : 0;
    link.receive(
      buildIcmp(packet.icmp, {
        local,
        remote,
        localPort: isUdp ? this.udpPorts.local : (flow?.localPort ?? 8080),
        remotePort: isUdp ? this.udpPorts.remote : (flow?.remotePort ?? 8080),
        seq: flow?.liveSeq(seq) ?? seq,
        protocol: isUdp ? PROTOCOL.udp : PROTOCOL.tcp,
      }),
    );
  }

  private injectSegment(segment: ScriptSegment, packet: ScriptPacket): void {
    const { local, remote, link } = this.world;
    const flow = this.flowFor(segment);
    const ends = { source: remote, destination: local, sourcePort: flow.remotePort, destinationPort: flow.localPort };
    const options = writeOptions(segment.options ?? [], flow.map);
    const ack = segment.ack === undefined ? 0 : flow.liveSeq(segment.ack, (segment.flags & SYN) !== 0);
    const built = buildSegment(segment, ends, flow.remoteSeq(segment), ack, options);
    if (segment.flags & SYN) flow.heardSyn = true;
    const { mss = 0 } = this.options;
    const unit = mss > 0 && segment.length > mss ? mss : 0;
    link.receive(wrap(built, { source: remote, destination: local }, PROTOCOL.tcp, packet.ip), unit);
    this.findEndpoint();
  }

  /** A SYN begins a connection with a listener, unless one is under way. */
  private flowFor(segment: ScriptSegment): Flow {
    const { flow } = this;
    const opening = isOpening(segment.flags);
    if (flow === undefined || (opening && this.listened && !(flow.active && !flow.heardSyn))) {
      const made = new Flow(8080, this.nextRemotePort++, false);
      this.flow = made;
      this.listened = false;
      return made;
    }
    return flow;
  }

  // --- outbound

  private expectPacket(event: ScriptEvent, packet: ScriptPacket): void {
    const { time } = event;
    const base = time.kind === 'relative' ? this.lastTime : 0;
    const at = time.kind === 'any' ? this.scriptNow : base + time.at;
    const latest = time.kind === 'any' ? this.scriptNow + PATIENCE : time.end === undefined ? at : base + time.end;
    const tolerance = time.kind === 'any' ? PATIENCE : this.toleranceAt(latest);
    const found = this.awaitPacket(packet, this.start + latest + tolerance);
    const shown = packet.kind === 'tcp' ? formatSegment(packet.tcp) : packet.kind;
    if (found === undefined) throw new Mismatch('nothing was sent in time', `${shown} at ${seconds(at)}`);
    this.compare(packet, found, shown);
    const when = found.at - this.start;
    if (when < at - tolerance || when > latest + tolerance) {
      throw new Mismatch(`sent at ${seconds(when)}`, `${shown} at ${seconds(at)}`, `at ${seconds(when)}`);
    }
    // packetdrill reckons from when an event was over, be it sooner or later than a script says.
    this.lastTime = time.kind === 'absolute' && time.end === undefined ? at : this.scriptNow;
  }

  private compare(packet: ScriptPacket, found: Sighting, shown: string): void {
    if (packet.kind !== 'tcp') {
      const reason = ipDiffers(packet.ip, found);
      if (reason !== undefined) throw new Mismatch(`${reason} differs`, shown);
      return;
    }
    const flow = this.flow ?? new Flow(found.segment?.sourcePort ?? 0, found.segment?.destinationPort ?? 0, true);
    this.flow = flow;
    const syn = ((found.segment?.flags ?? 0) & SYN) !== 0;
    flow.learn(packet.tcp, found, syn);
    const relative = flow.bases(syn);
    const reason = difference(packet.tcp, packet.ip, found, relative, ecr => ecr);
    if (reason !== undefined) throw new Mismatch(`${reason} differs`, shown, describe(found, relative));
  }

  private awaitPacket(packet: ScriptPacket, limit: Instant): Sighting | undefined {
    this.settle();
    for (;;) {
      const found = this.take(packet);
      if (found !== undefined) return packet.kind === 'tcp' ? this.gather(packet.tcp, found, limit) : found;
      if (!this.world.clock.step(limit)) return undefined;
      this.pollBlocked();
    }
  }

  /** The next packet of the flow; others are passed over. */
  private take(packet: ScriptPacket): Sighting | undefined {
    const { sent } = this.world.link;
    while (sent.length > 0) {
      const found = sent[0];
      if (packet.kind === 'tcp' && found.segment !== undefined) {
        if (this.belongs(packet.tcp, found)) return sent.shift();
      } else if (packet.kind === 'udp' && found.protocol === PROTOCOL.udp) {
        this.udpPorts = {
          local: udp.f.sourcePort.get(found.bytes, 0),
          remote: udp.f.destinationPort.get(found.bytes, 0),
        };
        return sent.shift();
      } else if (packet.kind === 'icmp' && (found.protocol === PROTOCOL.icmp || found.protocol === 58)) {
        return sent.shift();
      }
      sent.shift();
    }
    return undefined;
  }

  private belongs(script: ScriptSegment, found: Sighting): boolean {
    const { segment } = found;
    if (segment === undefined) return false;
    if (this.flow?.owns(found)) return true;
    // The SYN of another connection, which the script goes on with.
    const opening = isOpening(segment.flags) && isOpening(script.flags);
    if (!opening && this.flow !== undefined) return false;
    this.flow = new Flow(segment.sourcePort, segment.destinationPort, true);
    return true;
  }

  /** What a script line shows as one may have been sent as several segments of the same size. */
  private gather(script: ScriptSegment, first: Sighting, limit: Instant): Sighting {
    let whole = first;
    const size = first.segment?.length ?? 0;
    if (this.options.strictSegments || size === 0) return whole;
    while ((whole.segment?.length ?? 0) < script.length) {
      const { sent } = this.world.link;
      while (sent.length > 0 && !this.flow?.owns(sent[0])) sent.shift();
      const [next] = sent;
      if (next === undefined) {
        // A paced flight takes its time, which is within that of the line.
        if (!this.world.clock.step(Math.min(limit, first.at + this.options.tolerance))) return whole;
        this.pollBlocked();
        continue;
      }
      const more = joined(whole, next, size);
      if (more === undefined || (more.segment?.length ?? 0) > script.length) return whole;
      sent.shift();
      whole = more;
    }
    return whole;
  }
}

const seconds = (time: Duration): string => `${(time / 1e9).toFixed(6)} s`;

export const DEFAULT_TOLERANCE: Duration = us(4000);
