/** TCP of one host: which segment belongs to whom, opening and listening, and the answer to segments that are nobody's. */

import { finishChecksum } from '../../base/checksum.ts';
import { type Instant, seconds } from '../../base/instant.ts';
import { DYNAMIC_PORTS, pickPort } from '../../base/ports.ts';
import { seqAdd, seqGe, seqGt, seqLt } from '../../base/seq32.ts';
import type {
  ErrorMeaning,
  IncomingDatagram,
  IncomingError,
  InternetLayer,
  ProtocolHandler,
} from '../../internet/types.ts';
import type { Context } from '../../trace/events.ts';
import { addressesSumIn, formatEnd, formatIp, type IpAddress } from '../../wire/ip-address.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { Packet } from '../../wire/packet.ts';
import { ACK, FIN, prependTcp, RST, readTcp, Segment, SYN, tcp } from '../../wire/tcp.ts';
import { tcpOptionsLength } from '../../wire/tcp-options.ts';
import { BsdSynCookies } from './bsd-syn-cookies.ts';
import { ConnectionTable } from './connection-table.ts';
import { defaultMssFor, type EndpointOwner, headersTo, TcpEndpoint, traceSegment, writeChecksum } from './endpoint.ts';
import { FastOpenCache, FastOpenCookies } from './fast-open.ts';
import { type FourTuple, SequenceNumbers } from './isn.ts';
import { type ListenerHost, type ListenOptions, type SynCookieMode, TcpListener } from './listener.ts';
import { newWindowPolicy, windowShift } from './receive-window.ts';
import { Resting, RestingPlace } from './resting.ts';
import type { State } from './state.ts';
import { type CookieJar, SynCookies } from './syn-cookies.ts';
import { isHalfOpen } from './syn-received.ts';
import type { KeepAlive, TcpErrorCode, TcpSettings } from './types.ts';

export interface ConnectOptions {
  remoteAddress: IpAddress;
  remotePort: number;
  localAddress?: IpAddress;
  localPort?: number;
  settings?: Partial<TcpSettings>;
}

export type ConnectFailure = 'no-route' | 'no-port' | 'in-use';

/** What an ICMP error is for the user, and whether it ends a handshake. */
function judge(meaning: ErrorMeaning, rule: TcpSettings['handshakeErrors']): { code: TcpErrorCode; ends: boolean } {
  if (rule === 'none') return { code: 'EHOSTUNREACH', ends: false };
  const hard = meaning === 'protocol' || meaning === 'port' || (rule === 'bsd' && meaning === 'prohibited');
  if (hard) return { code: 'ECONNREFUSED', ends: true };
  const code = meaning === 'network' && rule !== 'bsd' ? 'ENETUNREACH' : 'EHOSTUNREACH';
  return { code, ends: rule === 'all' || (rule === 'bsd' && meaning === 'time') };
}

/** RFC 1122 §4.2.3.6: no sooner than after two hours. */
const KEEP_ALIVE: KeepAlive = { idle: seconds(7200), interval: seconds(75), count: 9 };

export class TcpLayer implements ProtocolHandler, ListenerHost, EndpointOwner {
  /** What connections begin with; a change holds for those to come. */
  settings: TcpSettings;
  private readonly context: Context;
  private readonly ip: InternetLayer;
  private readonly numbers: SequenceNumbers;
  private readonly cookies: CookieJar;
  synCookies: SynCookieMode = 'when-full';
  /** Every listener takes Fast Open, asked for or not. */
  fastOpenAllListeners = false;
  /** With what SO_KEEPALIVE begins (RFC 9293 §3.8.4: idle for no less than two hours). */
  keepAliveDefaults: KeepAlive;
  readonly fastOpenCookies: FastOpenCookies;
  readonly fastOpenCache = new FastOpenCache();
  private readonly endpoints = new ConnectionTable<TcpEndpoint>();
  private readonly resting: RestingPlace;
  private readonly listeners = new Map<number, TcpListener[]>();
  private spare: Segment | undefined = undefined;
  /** When the batch that is arriving began: a real clock costs something to read. */
  private batchedAt: Instant | undefined = undefined;
  /** Connections that have taken segments of the batch and will go on behind it. */
  private readonly waiting: TcpEndpoint[] = [];
  /** That of the segment no connection was there for. */
  private arrivedClass = 0;

  constructor(context: Context, ip: InternetLayer, settings: TcpSettings) {
    this.context = context;
    this.ip = ip;
    this.settings = settings;
    this.keepAliveDefaults = settings.keepAlive ?? KEEP_ALIVE;
    this.numbers = new SequenceNumbers(context.random);
    this.cookies = settings.synCookie === 'bsd' ? new BsdSynCookies(context.random) : new SynCookies(context.random);
    this.fastOpenCookies = new FastOpenCookies(context.random, settings.fastOpenCookie);
    this.resting = new RestingPlace(context.scheduler, resting => this.rested(resting));
    ip.register(PROTOCOL.tcp, this);
  }

  private get now(): Instant {
    return this.context.scheduler.now();
  }

  /** Every connection, TIME_WAIT included. */
  connections(): TcpEndpoint[] {
    for (const resting of this.resting.table.all()) this.wake(resting);
    return this.endpoints.all();
  }

  /** How many of them there are. */
  get size(): number {
    return this.endpoints.size + this.resting.table.size;
  }

  connect(options: ConnectOptions): TcpEndpoint | ConnectFailure {
    const { remoteAddress, remotePort } = options;
    const localAddress = options.localAddress ?? this.ip.sourceFor(remoteAddress);
    if (localAddress === undefined) return 'no-route';
    const isTaken = (port: number): boolean => this.has(localAddress, port, remoteAddress, remotePort);
    const isFree = (port: number): boolean => !this.listeners.has(port) && !isTaken(port);
    const localPort = options.localPort ?? pickPort(this.context.random, DYNAMIC_PORTS, isFree);
    if (localPort === undefined) return 'no-port';
    if (options.localPort !== undefined && isTaken(localPort)) return 'in-use';
    return this.add({ localAddress, localPort, remoteAddress, remotePort }, this.settingsWith(options.settings));
  }

  isListening(port: number): boolean {
    return this.listeners.has(port);
  }

  /** Undefined when the port is taken. */
  listen(options: ListenOptions): TcpListener | undefined {
    const port =
      options.port === 0 ? pickPort(this.context.random, DYNAMIC_PORTS, p => !this.listeners.has(p)) : options.port;
    if (port === undefined) return undefined;
    const there = this.listeners.get(port) ?? [];
    const clash = there.some(
      l => l.address === undefined || options.address === undefined || l.address === options.address,
    );
    if (clash) return undefined;
    const listener = new TcpListener(this, { ...options, port });
    this.listeners.set(port, [...there, listener]);
    return listener;
  }

  // --- the network

  receive(datagram: IncomingDatagram): void {
    const { packet, start, end } = datagram;
    // RFC 9293 §3.9.2.3 (MUST-57): a SYN to a broadcast or multicast address is silently discarded.
    if (datagram.toMany) return this.context.drop('tcp', 'tcp-to-many');
    if (packet.unit === 0) {
      const sum = addressesSumIn(packet.memory, datagram.headerStart) + PROTOCOL.tcp + (end - start);
      if (finishChecksum(packet.sum(start, end, sum)) !== 0) return this.context.drop('tcp', 'tcp-checksum');
    }
    // The same object each time, unless one segment leads to the next before it is dealt with.
    const segment = this.spare ?? new Segment();
    this.spare = undefined;
    segment.reset();
    const fault = readTcp(segment, packet.memory, start, end);
    if (fault !== undefined) this.context.drop('tcp', fault.reason);
    else {
      if (segment.length > 0) segment.payload = packet.part(end - segment.length, end);
      this.segmentArrives(datagram, segment);
    }
    segment.payload = undefined;
    this.spare = segment;
  }

  private segmentArrives({ source, destination, trafficClass, packet }: IncomingDatagram, segment: Segment): void {
    segment.ecn = trafficClass & 3;
    if (segment.length > packet.unit) segment.unit = packet.unit;
    const { destinationPort: localPort, sourcePort: remotePort } = segment;
    if (this.settings.dropsSynFin === 'always' && (segment.flags & (SYN | FIN)) === (SYN | FIN)) {
      return this.context.drop('tcp', 'syn-fin');
    }
    const endpoint = this.find(destination, localPort, source, remotePort);
    if (endpoint !== undefined && !(endpoint.state === 'TIME_WAIT' && this.mayReopen(endpoint, segment))) {
      if (endpoint.segmentArrives(segment, this.batchedAt ?? this.now, this.batchedAt !== undefined)) {
        this.waiting.push(endpoint);
      }
      return;
    }
    this.arrivedClass = trafficClass;
    this.unclaimed({ localAddress: destination, localPort, remoteAddress: source, remotePort }, segment);
  }

  /** Step by step for all who waited, not one after the other: the code of a step stays in the processor's cache. */
  batch(begins: boolean): void {
    const { waiting, now } = this;
    this.batchedAt = begins ? now : undefined;
    if (begins) return;
    for (const endpoint of waiting) endpoint.settle(now);
    for (const endpoint of waiting) endpoint.tell();
    for (const endpoint of waiting) endpoint.run();
    waiting.length = 0;
  }

  /** RFC 9293 §3.6.1 (MAY-2), RFC 6191: a SYN that is newer than all before it may take over a connection in TIME_WAIT. */
  private mayReopen(endpoint: TcpEndpoint, segment: Segment): boolean {
    if (!segment.has(SYN) || segment.has(ACK | RST)) return false;
    const { tcb, settings } = endpoint.connection;
    const newerTime =
      settings.reopensByTimestamp && tcb.timestampsOn && segment.hasTimestamps && seqGt(segment.tsVal, tcb.tsRecent);
    if (!newerTime && !seqGt(segment.seq, tcb.rcvNxt)) return false;
    const listens = this.listenerFor(endpoint.localAddress, endpoint.localPort) !== undefined;
    if (!listens && !settings.reopensUnlistened) return false;
    endpoint.connection.finish('a new SYN reopens the connection');
    endpoint.run();
    return true;
  }

  /** RFC 9293 §3.10.7.1 and §3.10.7.2: CLOSED and LISTEN. */
  private unclaimed(ends: FourTuple, segment: Segment): void {
    if (segment.has(RST)) return;
    const listener = this.listenerFor(ends.localAddress, ends.localPort);
    if (listener !== undefined) {
      // "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state."
      if (segment.has(ACK)) {
        if (!segment.has(SYN) && listener.ackArrives(ends, segment)) return;
      } else if (segment.has(SYN)) {
        if (segment.has(FIN) && this.settings.dropsSynFin !== 'never') return;
        return listener.synArrives(ends, segment);
      } else {
        return;
      }
    }
    const { answersUnclaimed } = this.settings;
    const isQuiet = answersUnclaimed === 'none' || (answersUnclaimed === 'all-but-syn' && segment.has(SYN));
    if (listener === undefined && isQuiet) return this.context.drop('tcp', 'unclaimed');
    const why = listener === undefined ? `nothing listens on port ${ends.localPort}` : 'no connection has it';
    this.note(ends, 'reset', why);
    this.sendReset(ends, segment, listener === undefined ? 'CLOSED' : 'LISTEN');
  }

  /** "<SEQ=SEG.ACK><CTL=RST>" for a segment with an ACK, else "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>". */
  private sendReset(ends: FourTuple, about: Segment, state: State): void {
    const reset = new Segment();
    if (about.has(ACK)) {
      reset.seq = about.ack;
      reset.flags = RST;
    } else {
      reset.ack = seqAdd(about.seq, about.sequenceLength);
      reset.flags = RST | ACK;
    }
    this.answerBare(ends, about, reset, state);
  }

  /** A segment without a connection behind it, in answer to one. */
  private answerBare(ends: FourTuple, about: Segment, segment: Segment, state: State): void {
    if (this.context.trace !== undefined) {
      traceSegment(this.context, ends, 'in', about, { scale: 0, before: state, after: state });
      traceSegment(this.context, ends, 'out', segment, { scale: 0, before: state, after: state });
    }
    segment.sourcePort = ends.localPort;
    segment.destinationPort = ends.remotePort;
    const length = tcp.size + tcpOptionsLength(segment);
    const flow = this.ip.flow(ends.localAddress, ends.remoteAddress, PROTOCOL.tcp);
    const packet = Packet.withHeadroom(flow.headroom + length, 0, this.context.slab);
    prependTcp(packet, segment, length);
    writeChecksum(packet, flow.addressesSum);
    flow.send(packet, 0, undefined, true);
  }

  /** ICMP errors (RFC 9293 §3.9.2.2, RFC 5927): believed only with a sequence number that is in flight. */
  error(error: IncomingError): boolean {
    const { transport } = error;
    const localPort = tcp.f.sourcePort.get(transport, 0);
    const remotePort = tcp.f.destinationPort.get(transport, 0);
    const endpoint = this.find(error.source, localPort, error.destination, remotePort);
    if (endpoint === undefined) return false;
    const { connection } = endpoint;
    const seq = tcp.f.seq.get(transport, 0);
    const inFlight = seqGe(seq, connection.tcb.sndUna) && seqLt(seq, connection.tcb.sndMax);
    if (!inFlight) {
      this.context.drop('tcp', 'icmp-not-in-flight');
      return false;
    }
    if (error.mtu > 0) this.pathMtuChanged(endpoint, error.mtu);
    else this.unreachable(endpoint, error);
    endpoint.run();
    return true;
  }

  private pathMtuChanged(endpoint: TcpEndpoint, mtu: number): void {
    const { connection, remoteAddress } = endpoint;
    const least = typeof remoteAddress === 'number' ? 552 : 1280;
    if (connection.settings.discoverMtu) {
      connection.pathMssChanged(this.now, Math.max(mtu, least) - headersTo(remoteAddress));
    }
  }

  private unreachable(endpoint: TcpEndpoint, error: IncomingError): void {
    const { connection } = endpoint;
    const why = `${error.name}, says ${formatIp(error.reporter)}`;
    const { code, ends } = judge(error.meaning, connection.settings.handshakeErrors);
    // RFC 5927 §4.1, §5.2: hard errors are soft ones on a connection that is established; RFC 1122 §4.2.3.9: so are the
    // others always ("MUST NOT abort the connection").
    const isHandshake = endpoint.state === 'SYN_SENT' || endpoint.state === 'SYN_RCVD';
    const isRequest = isHalfOpen(connection);
    const { timeouts } = connection.sender.recovery;
    const isHopeless = connection.softError !== undefined && timeouts > connection.settings.softErrorPatience;
    if (isRequest && connection.settings.forgetsRequests) connection.finish(why);
    else if (isHandshake && !isRequest && (ends || isHopeless)) connection.fail(code, why);
    else connection.softError = { code, why };
  }

  // --- for listeners

  acceptSyn(listener: TcpListener, ends: FourTuple, syn: Segment): TcpEndpoint {
    const settings = this.settingsWith(listener.settings);
    const tos = this.arrivedClass & ~3;
    const endpoint = this.add(ends, settings.reflectsTos ? { ...settings, tos } : settings);
    const { scheduler } = this.context;
    this.considerFastOpen(listener, endpoint, syn);
    endpoint.connection.accept(scheduler.now(), syn);
    endpoint.bornOf(syn);
    // Run only after the listener watches it; the scheduler's next turn is soon enough and keeps the order of events.
    scheduler.at(scheduler.now(), () => endpoint.run());
    return endpoint;
  }

  /** RFC 7413 §4.2: is the cookie good, and is one to be given out? */
  private considerFastOpen(listener: TcpListener, endpoint: TcpEndpoint, syn: Segment): void {
    const { connection } = endpoint;
    const { settings } = connection;
    const { localAddress, remoteAddress } = endpoint;
    if (!settings.fastOpen.server || (listener.fastOpenBacklog <= 0 && !this.fastOpenAllListeners)) return;
    const offered = syn.fastOpen;
    const hasRoom = listener.fastOpenPending < (listener.fastOpenBacklog || listener.backlog);
    const cookies = listener.fastOpenCookies ?? this.fastOpenCookies;
    const grant = {
      cookie: cookies.cookieFor(remoteAddress, localAddress),
      experimental: syn.fastOpenExperimental,
    };
    if (settings.fastOpen.serverWithoutCookie && (syn.length > 0 || offered !== undefined)) {
      connection.useFastOpen().accepted = hasRoom;
      return;
    }
    if (offered === undefined) return;
    const verdict = offered.length === 0 ? 'bad' : cookies.check(offered, remoteAddress, localAddress);
    const fastOpen = connection.useFastOpen();
    fastOpen.accepted = hasRoom && verdict !== 'bad';
    if (verdict !== 'good') fastOpen.grant = grant;
  }

  answerWithCookie(listener: TcpListener, ends: FourTuple, syn: Segment): void {
    const settings = this.settingsWith(listener.settings);
    const now = this.now;
    const answer = new Segment();
    answer.flags = SYN | ACK;
    answer.seq = this.cookies.make(now, ends, syn, defaultMssFor(settings, ends.remoteAddress));
    answer.ack = seqAdd(syn.seq, 1);
    answer.mss = this.ip.linkMtuFor(ends.remoteAddress) - headersTo(ends.remoteAddress);
    answer.order = settings.optionOrder;
    answer.window = Math.min(newWindowPolicy(settings, answer.mss).initial(), 65535);
    if (syn.hasTimestamps && settings.timestamps) {
      answer.hasTimestamps = true;
      const clock = (Math.floor(now / 1e6) + this.numbers.timestampOffset(this.numbers.secretOf(ends))) | 0;
      answer.tsVal = this.cookies.timestamp(clock, syn);
      answer.tsEcr = syn.tsVal;
    }
    if (answer.hasTimestamps || this.cookies.holdsOptions) {
      answer.sackPermitted = syn.sackPermitted && settings.sack;
      if (syn.windowScale >= 0 && settings.windowScaling)
        answer.windowScale = windowShift(settings, settings.receiveBuffer);
    }
    this.answerBare(ends, syn, answer, 'LISTEN');
  }

  acceptCookie(listener: TcpListener, ends: FourTuple, ack: Segment): TcpEndpoint | undefined {
    const now = this.now;
    const syn = this.cookies.check(now, ends, ack);
    if (syn === undefined) return undefined;
    const settings = this.settingsWith(listener.settings);
    const endpoint = this.add(ends, settings, seqAdd(ack.ack, -1));
    endpoint.connection.acceptCookie(now, syn);
    return endpoint;
  }

  note(ends: FourTuple, decision: string, why: string): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const local = formatEnd(ends.localAddress, ends.localPort);
    const remote = formatEnd(ends.remoteAddress, ends.remotePort);
    trace({ kind: 'decision', time: scheduler.now(), host, local, remote, decision, why });
  }

  closed(listener: TcpListener): void {
    const left = (this.listeners.get(listener.port) ?? []).filter(other => other !== listener);
    if (left.length > 0) this.listeners.set(listener.port, left);
    else this.listeners.delete(listener.port);
  }

  // --- tables

  private add(ends: FourTuple, settings: TcpSettings, iss?: number): TcpEndpoint {
    const secret = this.numbers.secretOf(ends);
    // Each by name: a spread here costs a tenth of opening a connection.
    const endpoint = new TcpEndpoint(this.context, this.ip, this, {
      localAddress: ends.localAddress,
      localPort: ends.localPort,
      remoteAddress: ends.remoteAddress,
      remotePort: ends.remotePort,
      settings,
      iss: iss ?? this.numbers.initial(this.now, secret),
      tsOffset: this.numbers.timestampOffset(secret),
    });
    this.endpoints.add(endpoint);
    return endpoint;
  }

  /** Connections without settings of their own share the host's, which are never changed but replaced. */
  private settingsWith(own: Partial<TcpSettings> | undefined): TcpSettings {
    return own === undefined ? this.settings : { ...this.settings, ...own };
  }

  private has(localAddress: IpAddress, localPort: number, remoteAddress: IpAddress, remotePort: number): boolean {
    return (
      this.endpoints.find(localAddress, localPort, remoteAddress, remotePort) !== undefined ||
      this.resting.table.find(localAddress, localPort, remoteAddress, remotePort) !== undefined
    );
  }

  /** For a segment that has come: one that rests is woken. */
  private find(
    localAddress: IpAddress,
    localPort: number,
    remoteAddress: IpAddress,
    remotePort: number,
  ): TcpEndpoint | undefined {
    const there = this.endpoints.find(localAddress, localPort, remoteAddress, remotePort);
    if (there !== undefined || this.resting.table.size === 0) return there;
    const resting = this.resting.table.find(localAddress, localPort, remoteAddress, remotePort);
    if (resting === undefined) return undefined;
    const woken = this.wake(resting);
    woken.forget();
    return woken;
  }

  gone(endpoint: TcpEndpoint): void {
    this.endpoints.remove(endpoint);
  }

  rests(endpoint: TcpEndpoint): void {
    this.endpoints.remove(endpoint);
    this.resting.add(new Resting(endpoint));
  }

  /** The 2 MSL are over: nobody needs to be told, or else the connection itself says so. */
  private rested(resting: Resting): void {
    if (this.context.trace === undefined) this.resting.remove(resting);
    else this.wake(resting);
  }

  private wake(resting: Resting): TcpEndpoint {
    this.resting.remove(resting);
    const endpoint = this.add(resting, resting.settings, resting.tcb.iss);
    resting.resume(endpoint.connection);
    endpoint.run();
    return endpoint;
  }

  private listenerFor(address: IpAddress, port: number): TcpListener | undefined {
    const there = this.listeners.get(port);
    return there?.find(l => l.address === address) ?? there?.find(l => l.address === undefined);
  }
}
