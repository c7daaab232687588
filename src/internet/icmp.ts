/** ICMP (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3): answering echo, sending errors, and handing received ones on. */
import type { Context } from '../trace/events.ts';
import { formatIpv4, type Ipv4Address, isLoopback, isMulticast } from '../wire/address.ts';
import { decodeIcmp, encodeIcmp, ICMP, type IcmpMessage, icmpName, isIcmpError, UNREACHABLE } from '../wire/icmp.ts';
import { decodeIpv4, ipv4, ipv4HeaderLength, PROTOCOL } from '../wire/ipv4.ts';
import { Malformed } from '../wire/reader.ts';
import { type EchoListener, EchoListeners, type EchoPort, type EchoRequest } from './echo.ts';
import { ErrorLimit } from './error-limit.ts';
import { nextHopMtu } from './path-mtu.ts';
import type {
  ErrorMeaning,
  IncomingDatagram,
  IncomingError,
  InternetLayer,
  ProtocolHandler,
  SendFailure,
} from './types.ts';

/** RFC 1812 §4.3.2.3: an error quotes as much as fits without the whole exceeding 576 bytes. */
const QUOTE = 576 - ipv4.size - 8;

/** What ICMP needs of the layer that it is part of. */
export interface IcmpHost extends InternetLayer<Ipv4Address> {
  handlerFor(protocol: number): ProtocolHandler<Ipv4Address> | undefined;
  learnPathMtu(destination: Ipv4Address, mtu: number): void;
  redirected(destination: Ipv4Address, gateway: Ipv4Address, reporter: Ipv4Address): void;
}

export class IcmpLayer implements ProtocolHandler<Ipv4Address>, EchoPort<Ipv4Address> {
  private readonly context: Context;
  private readonly ip: IcmpHost;
  private readonly listeners = new EchoListeners<Ipv4Address>();
  private readonly limit: ErrorLimit;

  constructor(context: Context, ip: IcmpHost) {
    this.context = context;
    this.limit = new ErrorLimit(context);
    this.ip = ip;
    ip.register(PROTOCOL.icmp, this);
  }

  listen(identifier: number, listener: EchoListener<Ipv4Address> | undefined): void {
    this.listeners.set(identifier, listener);
  }

  echo(request: EchoRequest<Ipv4Address>): SendFailure | undefined {
    const { destination, identifier, sequence, data, ttl, dontFragment } = request;
    const source = this.ip.sourceFor(destination);
    if (source === undefined) return { reason: 'no-route' };
    const packet = encodeIcmp({ type: ICMP.echoRequest, code: 0, rest: identifier * 65536 + sequence, body: data });
    return this.ip.send({ packet, source, destination, protocol: PROTOCOL.icmp, ttl, dontFragment });
  }

  receive(datagram: IncomingDatagram<Ipv4Address>): void {
    const message = decodeIcmp(datagram.bytes, datagram.start, datagram.end);
    if (message instanceof Malformed) return this.context.drop('icmp', message.reason);
    if (message.type !== ICMP.echoRequest) this.note('received', datagram.source, message);
    if (message.type === ICMP.echoRequest) this.answerEcho(datagram, message);
    else if (message.type === ICMP.echoReply) this.echoReply(datagram, message);
    else if (message.type === ICMP.redirect) this.redirect(datagram, message);
    else if (isIcmpError(message.type)) this.deliverError(datagram, message);
    else this.context.drop('icmp', 'icmp-unknown-type'); // RFC 1122 §3.2.2: silently discarded
  }

  /** An error about an echo request of ours. */
  error(error: IncomingError<Ipv4Address>): boolean {
    return this.listeners.error(error, ICMP.echoRequest);
  }

  /**
   * Sends an error about the datagram whose IP header is at `start`. RFC 1122 §3.2.2 and RFC 1812 §4.3.2.7: never
   * about an ICMP error, a fragment but the first, a datagram that went to many, or one from no single host.
   */
  sendError(
    type: number,
    code: number,
    rest: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    toMany = false,
  ): void {
    const header = decodeIpv4(bytes, start);
    const dataStart = start + ipv4HeaderLength(bytes, start);
    const aboutError = header.protocol === PROTOCOL.icmp && isIcmpError(bytes[dataStart]);
    const toGroup = toMany || isMulticast(header.destination) || this.ip.isBroadcast(header.destination);
    const fromNobody =
      header.source === 0 ||
      isMulticast(header.source) ||
      this.ip.isBroadcast(header.source) ||
      (isLoopback(header.source) && !isLoopback(header.destination));
    if (aboutError || header.fragmentOffset > 0 || toGroup || fromNobody || !this.limit.allow()) return;
    const source = this.ip.sourceFor(header.source);
    if (source === undefined) return;
    const body = bytes.subarray(start, Math.min(end, start + QUOTE));
    const message = { type, code, rest, body };
    this.note('sent', header.source, message, header.destination);
    this.ip.send({
      packet: encodeIcmp(message),
      source,
      destination: header.source,
      protocol: PROTOCOL.icmp,
      trafficClass: 0xc0,
    });
  }

  private answerEcho(datagram: IncomingDatagram<Ipv4Address>, message: IcmpMessage): void {
    // RFC 1122 §3.2.2.6: a request to a broadcast or multicast address may be discarded; it is the smurf's amplifier.
    if (datagram.toMany) return this.context.drop('icmp', 'icmp-echo-to-many');
    const packet = encodeIcmp({ ...message, type: ICMP.echoReply });
    this.ip.send({
      packet,
      source: datagram.destination,
      destination: datagram.source,
      protocol: PROTOCOL.icmp,
      trafficClass: datagram.trafficClass,
    });
  }

  private echoReply(datagram: IncomingDatagram<Ipv4Address>, message: IcmpMessage): void {
    this.listeners.reply(datagram.source, message.rest, message.body, datagram.ttl);
  }

  private deliverError(datagram: IncomingDatagram<Ipv4Address>, message: IcmpMessage): void {
    const error = this.quoted(datagram, message);
    if (error === undefined || !this.ip.isLocal(error.source)) return this.context.drop('icmp', 'icmp-not-ours');
    const believed = this.ip.handlerFor(error.protocol)?.error(error) ?? false;
    if (believed && error.mtu > 0) this.ip.learnPathMtu(error.destination, error.mtu);
  }

  private redirect(datagram: IncomingDatagram<Ipv4Address>, message: IcmpMessage): void {
    const error = this.quoted(datagram, message);
    if (error !== undefined && this.ip.isLocal(error.source)) {
      this.ip.redirected(error.destination, message.rest, datagram.source);
    }
  }

  /** The datagram inside an error: its whole IP header and at least eight bytes behind it, or it is of no use. */
  private quoted(
    datagram: IncomingDatagram<Ipv4Address>,
    message: IcmpMessage,
  ): IncomingError<Ipv4Address> | undefined {
    const { body } = message;
    const headerLength = body.length >= ipv4.size ? ipv4HeaderLength(body, 0) : 0;
    if (headerLength < ipv4.size || body.length < headerLength + 8 || body[0] >> 4 !== 4) return undefined;
    const header = decodeIpv4(body);
    const needsFragmenting = message.type === ICMP.unreachable && message.code === UNREACHABLE.fragmentationNeeded;
    return {
      type: message.type,
      code: message.code,
      meaning: meaningOf(message.type, message.code),
      name: icmpName(message.type, message.code),
      mtu: needsFragmenting ? nextHopMtu(message.rest & 0xffff, ipv4.f.totalLength.get(body, 0)) : 0,
      reporter: datagram.source,
      source: header.source,
      destination: header.destination,
      protocol: header.protocol,
      transport: body.subarray(headerLength),
    };
  }

  private note(action: 'sent' | 'received', peer: Ipv4Address, message: IcmpMessage, about?: Ipv4Address): void {
    const { trace, host, scheduler } = this.context;
    if (trace === undefined) return;
    const event = {
      kind: 'icmp' as const,
      time: scheduler.now(),
      host,
      action,
      peer: formatIpv4(peer),
      message: icmpName(message.type, message.code),
    };
    trace(about === undefined ? event : { ...event, about: formatIpv4(about) });
  }
}

const UNREACHABLE_MEANINGS: readonly ErrorMeaning[] = ['network', 'host', 'protocol', 'port', 'too-big'];

function meaningOf(type: number, code: number): ErrorMeaning {
  if (type === ICMP.unreachable) {
    if (code === 6 || code === 11) return 'network';
    return UNREACHABLE_MEANINGS[code] ?? (code === 9 || code === 10 || code === 13 ? 'prohibited' : 'host');
  }
  return type === ICMP.timeExceeded ? 'time' : 'other';
}
