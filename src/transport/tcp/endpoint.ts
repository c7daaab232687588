/**
 * The driver of one connection: it joins the machine to the clock and to IP. Every input is followed by `run`, which
 * drains segments, then events, and re-arms the timer; this is the only place where a connection touches either.
 */

import { finishChecksum } from '../../base/checksum.ts';
import { type Instant, NEVER } from '../../base/instant.ts';
import type { Timer } from '../../base/scheduler.ts';
import { seqAdd } from '../../base/seq32.ts';
import type { Flow, InternetLayer, SendFailure } from '../../internet/types.ts';
import type { Context } from '../../trace/events.ts';
import { formatEnd, formatIp, type IpAddress, isIpv6 } from '../../wire/ip-address.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { ONE_SEGMENT, Packet } from '../../wire/packet.ts';
import { CWR, FIN, PSH, prependTcp, RST, type Segment, SYN, tcp } from '../../wire/tcp.ts';
import { tcpOptionsLength } from '../../wire/tcp-options.ts';
import { TcpConnection } from './connection.ts';
import type { Tabled } from './connection-table.ts';
import { type TcpInfo, tcpInfo } from './info.ts';
import type { FourTuple } from './isn.ts';
import { mayRest } from './resting.ts';
import type { WriteOptions } from './sender.ts';
import type { State } from './state.ts';
import type { TcpEvent, TcpObserver, TcpSettings } from './types.ts';

/** IP and TCP headers without options: what an MTU and an MSS differ by (RFC 6691). */
export const headersTo = (address: IpAddress): number => (isIpv6(address) ? 60 : 40);

/** What one at this address may be sent who tells no MSS (RFC 9293 §3.7.1). */
export const defaultMssFor = ({ defaultMss }: TcpSettings, address: IpAddress): number =>
  isIpv6(address) ? defaultMss.ipv6 : defaultMss.ipv4;

/** Who has a connection: told of everything that concerns him. */
export interface EndpointUser {
  tcpEvent(event: TcpEvent): void;
}

/** Nobody will ever listen again. */
const NOBODY: EndpointUser = { tcpEvent() {} };
export const NOBODY_YET: EndpointUser = { tcpEvent() {} };

/** What a layer does for its endpoints. */
export interface EndpointOwner {
  /** It is in CLOSED, and may be forgotten. */
  gone(endpoint: TcpEndpoint): void;
  /** It is in TIME_WAIT, and all that can still happen is that a segment comes for it. */
  rests(endpoint: TcpEndpoint): void;
}

export interface EndpointOptions extends FourTuple {
  settings: TcpSettings;
  iss: number;
  tsOffset: number;
}

export class TcpEndpoint implements TcpObserver, Tabled<TcpEndpoint> {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  readonly connection: TcpConnection;
  alike: TcpEndpoint | undefined = undefined;
  /** Set it before the next turn. */
  user = NOBODY_YET;
  /** SND.UNA has moved to here. */
  onAcknowledged: ((una: number) => void) | undefined = undefined;
  /** SND.NXT is here now, after something was sent. */
  onSent: ((nxt: number) => void) | undefined = undefined;
  private readonly owner: EndpointOwner;
  private readonly context: Context;
  private readonly flow: Flow;
  private timer: Timer | undefined = undefined;
  private running = false;
  private gone = false;
  private waits = false;

  constructor(context: Context, ip: InternetLayer, owner: EndpointOwner, options: EndpointOptions) {
    this.context = context;
    this.owner = owner;
    this.localAddress = options.localAddress;
    this.localPort = options.localPort;
    this.remoteAddress = options.remoteAddress;
    this.remotePort = options.remotePort;
    const headers = headersTo(options.remoteAddress);
    const pathMss = ip.mtuFor(options.remoteAddress) - headers;
    this.flow = ip.flow(options.localAddress, options.remoteAddress, PROTOCOL.tcp);
    this.connection = new TcpConnection({
      settings: options.settings,
      iss: options.iss,
      tsOffset: options.tsOffset,
      // RFC 9293 §3.7.1: what can be received does not depend on the path to the other end.
      localMss: Math.min(ip.linkMtuFor(options.remoteAddress), 65535) - headers,
      pathMss,
      observer: this,
      largeSegments: true,
    });
  }

  get now(): Instant {
    return this.context.scheduler.now();
  }

  /** What there is to know of it now. */
  info(): TcpInfo {
    return tcpInfo(this.connection, this.now);
  }

  get state(): State {
    return this.connection.state;
  }

  // --- user calls

  /** `early`: data for the SYN, with Fast Open. */
  open(early?: Uint8Array): void {
    this.connection.open(this.now, early);
    this.run();
  }

  /** How many bytes were taken. */
  write(bytes: Uint8Array, options?: WriteOptions): number {
    const taken = this.connection.write(this.now, bytes, options);
    this.run();
    return taken;
  }

  read(max?: number): Uint8Array | undefined {
    const bytes = this.connection.read(this.now, max);
    this.run();
    return bytes;
  }

  /** A piece of what is read in one call; `wasRead` follows behind the last. */
  readPiece(max = Number.POSITIVE_INFINITY, now = this.now): Uint8Array | undefined {
    return this.connection.receiver.read(now, max);
  }

  wasRead(something: boolean): void {
    this.connection.wasRead(something);
    this.run();
  }

  close(): void {
    this.connection.close(this.now);
    this.run();
  }

  release(): void {
    this.connection.release(this.now);
    this.run();
  }

  /** Without a word to the other end. */
  drop(why: string): void {
    this.connection.finish(why);
    this.run();
  }

  abort(): void {
    this.connection.abort(this.now);
    this.run();
  }

  // --- the network

  /** `more`: others follow at once. True: the connection is to be told by `settle` when they have come. */
  segmentArrives(segment: Segment, now: Instant, more: boolean): boolean {
    const before = this.state;
    const una = this.connection.tcb.sndUna;
    const waits = this.connection.segmentArrives(now, segment, more);
    if (this.connection.tcb.sndUna !== una) this.onAcknowledged?.(this.connection.tcb.sndUna);
    if (this.context.trace !== undefined) this.trace('in', segment, before);
    if (!waits) {
      this.run(now);
      return false;
    }
    const first = !this.waits;
    this.waits = true;
    return first;
  }

  // The steps of a batch, one after the other for all who waited: `settle`, `tell`, `run`.

  settle(now: Instant): void {
    this.waits = false;
    this.connection.settle(now);
  }

  /** What the user hears first, where nothing is to be sent before. */
  tell(): void {
    if (this.running || this.connection.hasToSend) return;
    const event = this.connection.nextEvent();
    if (event === undefined) return;
    this.running = true;
    this.user.tcpEvent(event);
    this.running = false;
  }

  /** A SYN has made this connection: told like every other segment that arrives. */
  bornOf(syn: Segment): void {
    if (this.context.trace !== undefined) this.trace('in', syn, 'LISTEN');
  }

  /** A clock of the real world costs something to read: `now` is what it said a moment ago. */
  run(now?: Instant): void {
    if (!this.running) this.turn(now ?? this.now);
  }

  private turn(now: Instant): void {
    this.running = true;
    for (;;) {
      const segment = this.connection.nextSegment(now);
      if (segment !== undefined) {
        this.send(segment);
        continue;
      }
      const event = this.connection.nextEvent();
      if (event === undefined) break;
      this.user.tcpEvent(event);
    }
    this.running = false;
    this.onSent?.(this.connection.tcb.sndNxt);
    if (this.gone) return;
    const rests = this.user === NOBODY && mayRest(this.connection);
    if (!rests && this.state !== 'CLOSED') return this.arm();
    this.gone = true;
    this.timer?.cancel();
    if (rests) this.owner.rests(this);
    else this.owner.gone(this);
  }

  /** Nobody looks at it any more: what is left of it is the network's affair. Told behind the last event. */
  forget(): void {
    this.user = NOBODY;
  }

  /** A deadline that moved later leaves the old timer, which looks again when it fires. */
  private arm(): void {
    const { deadline } = this.connection;
    if (deadline >= (this.timer?.when ?? NEVER)) return;
    this.timer?.cancel();
    this.timer = this.context.scheduler.at(deadline, () => this.timerFires());
  }

  private timerFires(): void {
    this.timer = undefined;
    // Also when nothing is due any more: a connection that rests gives back what it needs for its deadlines.
    const { deadline } = this.connection;
    if (deadline <= this.now || deadline === NEVER) this.connection.timeout(this.now);
    this.run();
  }

  private send(segment: Segment): void {
    segment.sourcePort = this.localPort;
    segment.destinationPort = this.remotePort;
    const offload = this.flow.offloads;
    if (segment.unit > 0 && !offload) this.sendPieces(segment);
    else this.sendOne(segment, offload);
  }

  /** Each of them in turn is what `segment` says. */
  private sendPieces(segment: Segment): void {
    const { unit, length, flags } = segment;
    const last = flags & (FIN | PSH);
    segment.flags = flags & ~last;
    segment.length = unit;
    for (let left = length; left > 0; left -= unit) {
      if (left <= unit) {
        segment.length = left;
        segment.flags |= last;
      }
      this.sendOne(segment, false);
      segment.seq = seqAdd(segment.seq, unit);
      if (!this.connection.ecn?.isAccurate) segment.flags &= ~CWR;
    }
  }

  private sendOne(segment: Segment, offload: boolean): void {
    if (this.context.trace !== undefined) this.trace('out', segment, this.state);
    const headerLength = tcp.size + tcpOptionsLength(segment);
    const packet = Packet.withHeadroom(this.flow.headroom + headerLength, segment.length, this.context.slab);
    this.connection.copyPayload(segment, packet.bytes, packet.start);
    prependTcp(packet, segment, headerLength);
    if (offload) packet.unit = segment.unit > 0 ? segment.unit : ONE_SEGMENT;
    const { tos, ttl, discoverMtu } = this.connection.settings;
    writeChecksum(packet, this.flow.addressesSum);
    const failure = this.flow.send(packet, (tos & ~3) | segment.ecn, ttl, discoverMtu);
    if (failure !== undefined) this.notSent(failure, segment);
  }

  private notSent(failure: SendFailure, segment: Segment): void {
    if (failure.reason === 'too-big') {
      this.connection.pathMssChanged(this.now, failure.mtu - headersTo(this.remoteAddress));
    } else if (segment.has(SYN) && !segment.has(RST)) {
      this.connection.fail('ENETUNREACH', `no route to ${formatIp(this.remoteAddress)}`);
    } else {
      this.connection.softError = { code: 'ENETUNREACH', why: `no route to ${formatIp(this.remoteAddress)}` };
    }
  }

  // --- trace

  stateChanged(from: State, to: State, cause: string): void {
    const { trace, host } = this.context;
    trace?.({ kind: 'state', time: this.now, host, ...this.ends, from, to, cause });
  }

  decided(decision: string, why: string): void {
    const { trace, host } = this.context;
    trace?.({ kind: 'decision', time: this.now, host, ...this.ends, decision, why });
  }

  get defaultMss(): number {
    return defaultMssFor(this.connection.settings, this.remoteAddress);
  }

  get isRefused(): boolean {
    return this.flow.refuses;
  }

  dropped(reason: string): void {
    this.context.drop('tcp', reason);
  }

  private get ends(): { local: string; remote: string } {
    return {
      local: formatEnd(this.localAddress, this.localPort),
      remote: formatEnd(this.remoteAddress, this.remotePort),
    };
  }

  private trace(direction: 'in' | 'out', segment: Segment, before: State): void {
    const { tcb } = this.connection;
    const scale = segment.has(SYN) ? 0 : direction === 'in' ? tcb.sndScale : tcb.rcvScale;
    traceSegment(this.context, this, direction, segment, { scale, before, after: this.state });
  }
}

/** Tells the trace of a segment, with a connection behind it or without one. */
export function traceSegment(
  context: Context,
  ends: FourTuple,
  direction: 'in' | 'out',
  segment: Segment,
  { scale, before, after }: { scale: number; before: State; after: State },
): void {
  context.trace?.({
    kind: 'segment',
    time: context.scheduler.now(),
    host: context.host,
    local: formatEnd(ends.localAddress, ends.localPort),
    remote: formatEnd(ends.remoteAddress, ends.remotePort),
    direction,
    seq: segment.seq >>> 0,
    ack: segment.ack >>> 0,
    flags: segment.flags,
    window: segment.window * 2 ** scale,
    length: segment.length,
    retransmission: segment.retransmission,
    options: optionText(segment),
    before,
    after,
  });
}

/** The packet starts with a TCP header whose checksum is still zero. `addressesSum`: the addresses' share of it. */
export function writeChecksum(packet: Packet, addressesSum: number): void {
  const { bytes, start, end, unit } = packet;
  const sum = addressesSum + PROTOCOL.tcp + (end - start);
  // A link that makes the checksum finds the pseudo-header's share in its place.
  const checksum = unit > 0 ? finishChecksum(sum) ^ 0xffff : finishChecksum(packet.sum(start, end, sum));
  tcp.f.checksum.set(bytes, start, checksum);
}

/** In packetdrill's notation. */
export function optionText(segment: Segment): string {
  const options: string[] = [];
  if (segment.mss >= 0) options.push(`mss ${segment.mss}`);
  if (segment.sackPermitted) options.push('sackOK');
  if (segment.hasTimestamps) options.push(`TS val ${segment.tsVal >>> 0} ecr ${segment.tsEcr >>> 0}`);
  if (segment.windowScale >= 0) options.push(`wscale ${segment.windowScale}`);
  if (segment.sack.length > 0)
    options.push(`sack ${segment.sack.map(block => `${block.start >>> 0}:${block.end >>> 0}`).join(' ')}`);
  return options.join(',');
}
