/** Both versions as one layer to the transports: the address says which of them it is. */
import { type IpAddress, isIpv6 } from '../wire/ip-address.ts';
import type { Ipv4Layer } from './ipv4.ts';
import type { Ipv6Layer } from './ipv6.ts';
import type { IncomingDatagram, InternetLayer, OutgoingDatagram, ProtocolHandler, SendFailure } from './types.ts';

export class DualStack implements InternetLayer {
  private readonly v4: InternetLayer;
  private readonly v6: InternetLayer;

  constructor(v4: Ipv4Layer, v6: Ipv6Layer) {
    this.v4 = v4 as unknown as InternetLayer;
    this.v6 = v6 as unknown as InternetLayer;
  }

  send(datagram: OutgoingDatagram): SendFailure | undefined {
    return this.of(datagram.destination).send(datagram);
  }

  sourceFor(destination: IpAddress): IpAddress | undefined {
    return this.of(destination).sourceFor(destination);
  }

  addressesSum(source: IpAddress, destination: IpAddress): number {
    return this.of(source).addressesSum(source, destination);
  }

  isLocal(address: IpAddress): boolean {
    return this.of(address).isLocal(address);
  }

  isBroadcast(address: IpAddress): boolean {
    return this.of(address).isBroadcast(address);
  }

  mtuFor(destination: IpAddress): number {
    return this.of(destination).mtuFor(destination);
  }

  linkMtuFor(destination: IpAddress): number {
    return this.of(destination).linkMtuFor(destination);
  }

  offloads(destination: IpAddress): boolean {
    return this.of(destination).offloads(destination);
  }

  refuses(destination: IpAddress): boolean {
    return this.of(destination).refuses(destination);
  }

  register(protocol: number, handler: ProtocolHandler): void {
    this.v4.register(protocol, handler);
    this.v6.register(protocol, handler);
  }

  portUnreachable(datagram: IncomingDatagram): void {
    this.of(datagram.destination).portUnreachable(datagram);
  }

  join(group: IpAddress, interfaceName?: string): void {
    this.of(group).join(group, interfaceName);
  }

  leave(group: IpAddress, interfaceName?: string): void {
    this.of(group).leave(group, interfaceName);
  }

  private of(address: IpAddress): InternetLayer {
    return isIpv6(address) ? this.v6 : this.v4;
  }
}
