/** ICMPv6 (RFC 4443): echo, errors to send, and errors received, which are handed to the transport they are about. */
import type { Context } from '../trace/events.ts';
import { decodeIcmpv6, encodeIcmpv6, ICMPV6, type Icmpv6Message, icmpv6Name, isIcmpv6Error } from '../wire/icmpv6.ts';
import { type Ipv6Address, ipv6At, isMulticast6 } from '../wire/ip-address.ts';
import { checkIpv6, decodeIpv6, ipv6, NEXT_HEADER, upperLayerOf } from '../wire/ipv6.ts';
import { Malformed } from '../wire/reader.ts';
import { type EchoListener, EchoListeners, type EchoPort, type EchoRequest } from './echo.ts';
import { ErrorLimit } from './error-limit.ts';
import type {
  ErrorMeaning,
  IncomingDatagram,
  IncomingError,
  InternetLayer,
  ProtocolHandler,
  SendFailure,
} from './types.ts';

/** RFC 4443 §2.4 (c): as much as fits without exceeding the minimum MTU. */
const QUOTE = 1280 - ipv6.size - 8;

export interface Icmpv6Host extends InternetLayer<Ipv6Address> {
  handlerFor(protocol: number): ProtocolHandler<Ipv6Address> | undefined;
  learnPathMtu(destination: Ipv6Address, mtu: number): void;
}

export class Icmpv6Layer implements ProtocolHandler<Ipv6Address>, EchoPort<Ipv6Address> {
  /** What is said on one link alone: neighbour discovery's messages, and multicast listener queries. */
  onLink: (message: Icmpv6Message, datagram: IncomingDatagram<Ipv6Address>) => void = () => {};
  private readonly context: Context;
  private readonly ip: Icmpv6Host;
  private readonly listeners = new EchoListeners<Ipv6Address>();
  readonly limit: ErrorLimit;

  constructor(context: Context, ip: Icmpv6Host) {
    this.context = context;
    this.limit = new ErrorLimit(context);
    this.ip = ip;
    ip.register(NEXT_HEADER.icmpv6, this);
  }

  receive(datagram: IncomingDatagram<Ipv6Address>): void {
    const { bytes, headerStart, start, end } = datagram;
    const message = decodeIcmpv6(bytes, headerStart, start, end);
    if (message instanceof Malformed) return this.context.drop('icmp', message.reason);
    const { type } = message;
    if (type === ICMPV6.echoRequest) return this.answerEcho(datagram, message);
    if (type === ICMPV6.listenerQuery || (type >= ICMPV6.routerSolicitation && type <= ICMPV6.redirect)) {
      return this.onLink(message, datagram);
    }
    if (type === ICMPV6.echoReply) {
      this.note('received', datagram.source, message);
      return this.listeners.reply(datagram.source, message.rest, message.body, datagram.ttl);
    }
    if (isIcmpv6Error(type)) return this.deliverError(datagram, message);
    if (type === ICMPV6.listenerReport) return; // for routers of multicast, of which there is none
    this.context.drop('icmp', 'icmp-unknown-type'); // RFC 4443 §2.4 (b): silently discarded
  }

  /** An error about an echo request of ours. */
  error(error: IncomingError<Ipv6Address>): boolean {
    return this.listeners.error(error, ICMPV6.echoRequest);
  }

  listen(identifier: number, listener: EchoListener<Ipv6Address> | undefined): void {
    this.listeners.set(identifier, listener);
  }

  echo(request: EchoRequest<Ipv6Address>): SendFailure | undefined {
    const { destination, identifier, sequence, data, ttl, dontFragment } = request;
    const source = this.ip.sourceFor(destination);
    if (source === undefined) return { reason: 'no-route' };
    const rest = identifier * 65536 + sequence;
    const packet = encodeIcmpv6({ type: ICMPV6.echoRequest, code: 0, rest, body: data }, source, destination);
    return this.ip.send({ packet, source, destination, protocol: NEXT_HEADER.icmpv6, ttl, dontFragment });
  }

  unreachable(about: IncomingDatagram<Ipv6Address>, code: number): void {
    this.sendError({ type: ICMPV6.unreachable, code, rest: 0 }, about);
  }

  timeExceeded(about: IncomingDatagram<Ipv6Address>, code: number): void {
    this.sendError({ type: ICMPV6.timeExceeded, code, rest: 0 }, about);
  }

  /** RFC 4443 §3.2: the router's answer to what the next link does not take. */
  packetTooBig(about: IncomingDatagram<Ipv6Address>, mtu: number): void {
    this.sendError({ type: ICMPV6.packetTooBig, code: 0, rest: mtu }, about);
  }

  /** RFC 4443 §3.4; `pointer`: the byte where it stands. `evenToMany`: RFC 4443 §2.4 (e.3) excepts it. */
  parameterProblem(about: IncomingDatagram<Ipv6Address>, code: number, pointer: number, evenToMany = false): void {
    this.sendError({ type: ICMPV6.parameterProblem, code, rest: pointer }, about, evenToMany);
  }

  /** RFC 4443 §2.4 (e): never about an error, nor to what went to many. */
  private sendError(
    head: { type: number; code: number; rest: number },
    about: IncomingDatagram<Ipv6Address>,
    evenToMany = head.type === ICMPV6.packetTooBig,
  ): void {
    const isError = about.protocol === NEXT_HEADER.icmpv6 && isIcmpv6Error(about.bytes[about.start]);
    if (isError || (about.toMany && !evenToMany) || isMulticast6(about.source) || about.source === '::') return;
    if (!this.limit.allow()) return;
    const body = about.bytes.subarray(about.headerStart, Math.min(about.end, about.headerStart + QUOTE));
    // RFC 4443 §2.2: from the address that it was for, or else from one of ours on the way back.
    const source = this.ip.isLocal(about.destination) ? about.destination : this.ip.sourceFor(about.source);
    if (source === undefined) return;
    this.note('sent', about.source, { ...head, body }, about.destination);
    this.send({ ...head, body }, source, about.source);
  }

  private answerEcho(datagram: IncomingDatagram<Ipv6Address>, message: Icmpv6Message): void {
    const source = datagram.toMany ? this.ip.sourceFor(datagram.source) : datagram.destination;
    if (source !== undefined) this.send({ ...message, type: ICMPV6.echoReply }, source, datagram.source);
  }

  private send(message: Icmpv6Message, source: Ipv6Address, destination: Ipv6Address): void {
    const packet = encodeIcmpv6(message, source, destination);
    this.ip.send({ packet, source, destination, protocol: NEXT_HEADER.icmpv6 });
  }

  private note(action: 'sent' | 'received', peer: Ipv6Address, message: Icmpv6Message, about?: Ipv6Address): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const name = icmpv6Name(message.type, message.code);
    const event = { kind: 'icmp', time: scheduler.now(), host, action, peer, message: name } as const;
    trace(about === undefined ? event : { ...event, about });
  }

  private deliverError(datagram: IncomingDatagram<Ipv6Address>, message: Icmpv6Message): void {
    this.note('received', datagram.source, message);
    const error = quoted(datagram, message);
    if (error === undefined || !this.ip.isLocal(error.source)) return this.context.drop('icmp', 'icmp-not-ours');
    const believed = this.ip.handlerFor(error.protocol)?.error(error) ?? false;
    if (believed && error.mtu > 0) this.ip.learnPathMtu(error.destination, error.mtu);
  }
}

function quoted(
  datagram: IncomingDatagram<Ipv6Address>,
  message: Icmpv6Message,
): IncomingError<Ipv6Address> | undefined {
  const { body, type, code } = message;
  if (body.length < ipv6.size || (checkIpv6(body, 0, body.length) ?? 'ip-truncated') !== 'ip-truncated')
    return undefined;
  const header = decodeIpv6(body);
  const upper = upperLayerOf(body, 0, body.length);
  if (upper === undefined || body.length < upper.start + 8) return undefined;
  return {
    type,
    code,
    meaning: meaningOf(type, code),
    name: icmpv6Name(type, code),
    mtu: type === ICMPV6.packetTooBig ? message.rest : 0,
    reporter: datagram.source,
    source: ipv6At(body, 8),
    destination: header.destination,
    protocol: upper.protocol,
    transport: body.subarray(upper.start),
  };
}

function meaningOf(type: number, code: number): ErrorMeaning {
  if (type === ICMPV6.packetTooBig) return 'too-big';
  if (type === ICMPV6.timeExceeded) return 'time';
  if (type === ICMPV6.parameterProblem) return code === 1 ? 'protocol' : 'other';
  if (type !== ICMPV6.unreachable) return 'other';
  return (['network', 'prohibited', 'host', 'host', 'port'] as const)[code] ?? 'prohibited';
}
