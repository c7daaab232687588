/** A UDP socket as a process sees it. */
import type { Host } from '../host/host.ts';
import type { UdpSocket } from '../transport/udp/layer.ts';
import type { IpAddress } from '../wire/ip-address.ts';
import { POLL, type Waitable } from './events.ts';
import { type Attempt, failed, type Result } from './results.ts';

export class DatagramFile implements Waitable {
  readonly watchers = new Set<(mask: number) => void>();
  nonBlocking = false;
  private readonly host: Host;
  private socket: UdpSocket | undefined = undefined;
  private peer: { address: IpAddress; port: number } | undefined = undefined;
  private readonly queue: Uint8Array[] = [];
  private error: string | undefined = undefined;

  constructor(host: Host) {
    this.host = host;
  }

  bind(port: number): Result<number> {
    const socket = this.host.udp.open(port);
    if (socket === undefined) return failed('EADDRINUSE');
    this.socket = socket;
    socket.onMessage = ({ bytes }) => {
      this.queue.push(bytes);
      for (const watcher of this.watchers) watcher(POLL.in | POLL.rdNorm);
    };
    socket.onError = () => {
      this.error = 'ECONNREFUSED';
    };
    return 0;
  }

  connect(address: IpAddress, port: number): Result<number> {
    if (this.socket === undefined) this.bind(0);
    this.peer = { address, port };
    return 0;
  }

  send(length: number, to = this.peer): Result<number> {
    if (this.error !== undefined) return this.takeError();
    if (to === undefined) return failed('EDESTADDRREQ');
    if (this.socket === undefined) this.bind(0);
    const failure = this.socket?.send(new Uint8Array(length), to.address, to.port);
    return failure === undefined ? length : failed(failure.reason === 'too-big' ? 'EMSGSIZE' : 'ENETUNREACH');
  }

  receive(most: number): Attempt<Uint8Array> {
    return () => {
      if (this.error !== undefined) return this.takeError();
      const bytes = this.queue.shift();
      if (bytes !== undefined) return bytes.subarray(0, most);
      return this.nonBlocking ? failed('EAGAIN') : undefined;
    };
  }

  private takeError(): { errno: string } {
    const { error } = this;
    this.error = undefined;
    return failed(error ?? 'EIO');
  }

  poll(): number {
    return POLL.out | POLL.wrNorm | (this.queue.length > 0 ? POLL.in | POLL.rdNorm : 0);
  }

  close(): void {
    this.socket?.close();
  }
}
