/** Both versions as one layer to the transports: the address says which of them it is. */
import { type IpAddress, isIpv6 } from '../wire/ip-address.ts';
import type { Ipv4Layer } from './ipv4.ts';
import type { Ipv6Layer } from './ipv6.ts';
import type { Flow, IncomingDatagram, InternetLayer, OutgoingDatagram, ProtocolHandler, SendFailure } from './types.ts';

export class DualStack implements InternetLayer {
  private readonly v4: InternetLayer;
  private readonly v6: InternetLayer;

  constructor(v4: Ipv4Layer, v6: Ipv6Layer) {
    this.v4 = v4 as unknown as InternetLayer;
    this.v6 = v6 as unknown as InternetLayer;
  }

  flow(source: IpAddress, destination: IpAddress, protocol: number): Flow {
    return this.layerOf(destination).flow(source, destination, protocol);
  }

  send(datagram: OutgoingDatagram): SendFailure | undefined {
    return this.layerOf(datagram.destination).send(datagram);
  }

  sourceFor(destination: IpAddress): IpAddress | undefined {
    return this.layerOf(destination).sourceFor(destination);
  }

  addressesSum(source: IpAddress, destination: IpAddress): number {
    return this.layerOf(source).addressesSum(source, destination);
  }

  isLocal(address: IpAddress): boolean {
    return this.layerOf(address).isLocal(address);
  }

  isBroadcast(address: IpAddress): boolean {
    return this.layerOf(address).isBroadcast(address);
  }

  mtuFor(destination: IpAddress): number {
    return this.layerOf(destination).mtuFor(destination);
  }

  linkMtuFor(destination: IpAddress): number {
    return this.layerOf(destination).linkMtuFor(destination);
  }

  register(protocol: number, handler: ProtocolHandler): void {
    this.v4.register(protocol, handler);
    this.v6.register(protocol, handler);
  }

  portUnreachable(datagram: IncomingDatagram): void {
    this.layerOf(datagram.destination).portUnreachable(datagram);
  }

  join(group: IpAddress, interfaceName?: string): void {
    this.layerOf(group).join(group, interfaceName);
  }

  leave(group: IpAddress, interfaceName?: string): void {
    this.layerOf(group).leave(group, interfaceName);
  }

  private layerOf(address: IpAddress): InternetLayer {
    return isIpv6(address) ? this.v6 : this.v4;
  }
}
