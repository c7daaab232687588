/** UDP of one host (RFC 768, RFC 1122 §4.1): sockets by port, ICMP errors to the socket that they concern. */
import { DYNAMIC_PORTS, pickPort } from '../../base/ports.ts';
import type {
  IncomingDatagram,
  IncomingError,
  InternetLayer,
  ProtocolHandler,
  SendFailure,
} from '../../internet/types.ts';
import type { Context } from '../../trace/events.ts';
import { IPV4_ANY } from '../../wire/address.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import { PROTOCOL } from '../../wire/ipv4.ts';
import { HEADROOM, Packet } from '../../wire/packet.ts';
import { checkUdp, prependUdp, udp } from '../../wire/udp.ts';

export interface UdpArrival {
  from: IpAddress;
  fromPort: number;
  /** The address that it was sent to: a server answers from there. */
  to: IpAddress;
  bytes: Uint8Array;
}

export interface UdpSendOptions {
  source?: IpAddress;
  ttl?: number;
  dontFragment?: boolean;
  broadcast?: boolean;
  interfaceName?: string;
}

export class UdpSocket {
  readonly port: number;
  readonly address: IpAddress | undefined;
  onMessage: (message: UdpArrival) => void = () => {};
  /** An ICMP error about a datagram that this socket had sent. */
  onError: (error: IncomingError, remotePort: number) => void = () => {};
  private readonly layer: UdpLayer;

  constructor(layer: UdpLayer, port: number, address: IpAddress | undefined) {
    this.layer = layer;
    this.port = port;
    this.address = address;
  }

  send(bytes: Uint8Array, to: IpAddress, port: number, options: UdpSendOptions = {}): SendFailure | undefined {
    return this.layer.send(this, bytes, to, port, options);
  }

  close(): void {
    this.layer.close(this);
  }
}

export class UdpLayer implements ProtocolHandler {
  private readonly context: Context;
  private readonly ip: InternetLayer;
  private readonly sockets = new Map<number, UdpSocket[]>();

  constructor(context: Context, ip: InternetLayer) {
    this.context = context;
    this.ip = ip;
    ip.register(PROTOCOL.udp, this);
  }

  /** Port 0: a random one (RFC 6056). Undefined when there is none, or it is taken. */
  open(port = 0, address?: IpAddress): UdpSocket | undefined {
    const chosen = port === 0 ? pickPort(this.context.random, DYNAMIC_PORTS, p => !this.sockets.has(p)) : port;
    if (chosen === undefined) return undefined;
    const there = this.sockets.get(chosen) ?? [];
    if (there.some(s => s.address === undefined || address === undefined || s.address === address)) return undefined;
    const socket = new UdpSocket(this, chosen, address);
    this.sockets.set(chosen, [...there, socket]);
    return socket;
  }

  send(
    socket: UdpSocket,
    bytes: Uint8Array,
    to: IpAddress,
    port: number,
    options: UdpSendOptions,
  ): SendFailure | undefined {
    const source =
      options.source ?? socket.address ?? this.ip.sourceFor(to) ?? (options.broadcast ? IPV4_ANY : undefined);
    if (source === undefined) return { reason: 'no-route' };
    if (bytes.length > 65535 - udp.size - 20) return { reason: 'too-big', mtu: 65535 };
    const packet = Packet.of(bytes, HEADROOM + udp.size, this.context.slab);
    prependUdp(packet, { sourcePort: socket.port, destinationPort: port }, this.ip.addressesSum(source, to));
    const { ttl, dontFragment, broadcast, interfaceName } = options;
    return this.ip.send({
      packet,
      source,
      destination: to,
      protocol: PROTOCOL.udp,
      ttl,
      dontFragment,
      broadcast,
      interfaceName,
    });
  }

  close(socket: UdpSocket): void {
    const left = (this.sockets.get(socket.port) ?? []).filter(other => other !== socket);
    if (left.length > 0) this.sockets.set(socket.port, left);
    else this.sockets.delete(socket.port);
  }

  receive(datagram: IncomingDatagram): void {
    const { bytes, headerStart, start, end, source, destination } = datagram;
    const fault = checkUdp(datagram.packet.memory, headerStart, start, end);
    if (fault !== undefined) return this.context.drop('udp', fault);
    const socket = this.find(destination, udp.f.destinationPort.get(bytes, start));
    if (socket === undefined) {
      this.context.drop('udp', 'udp-no-port');
      // RFC 1122 §4.1.3.1: "SHOULD send an ICMP Port Unreachable message".
      return this.ip.portUnreachable(datagram);
    }
    socket.onMessage({
      from: source,
      fromPort: udp.f.sourcePort.get(bytes, start),
      to: destination,
      bytes: bytes.subarray(start + udp.size, start + udp.f.length.get(bytes, start)),
    });
  }

  error(error: IncomingError): boolean {
    const socket = this.find(error.source, udp.f.sourcePort.get(error.transport, 0));
    socket?.onError(error, udp.f.destinationPort.get(error.transport, 0));
    return socket !== undefined;
  }

  private find(address: IpAddress, port: number): UdpSocket | undefined {
    const there = this.sockets.get(port);
    return there?.find(s => s.address === address) ?? there?.find(s => s.address === undefined);
  }
}
