/**
 * Out-of-band data as BSD's sockets have it, and Linux: the last byte of urgent data is taken out of the stream and read
 * by itself (MSG_OOB), unless SO_OOBINLINE leaves it there; a read of the stream stops at it (RFC 6093 §3.3).
 */
import { type Seq, seqAdd, seqDiff, seqGt } from '../base/seq32.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import { failed, type Result } from './results.ts';

export class UrgentMark {
  /** SO_OOBINLINE. */
  inline = false;
  /** Where the urgent byte stands in the stream; undefined: there is none, or it was passed. */
  private at: Seq | undefined = undefined;
  private taken = false;

  /** `up` is RCV.UP, behind the byte. */
  move(up: Seq | undefined): void {
    this.at = up === undefined ? undefined : seqAdd(up, -1);
    this.taken = false;
  }

  /** Bytes before the mark; undefined without one. */
  private distance({ connection }: TcpEndpoint): number | undefined {
    if (this.at === undefined) return undefined;
    const distance = seqDiff(this.at, connection.receiver.readSeq);
    return distance < 0 ? undefined : distance;
  }

  /** How many of `most` bytes one read may take; `stops`: nothing at the mark itself, where the byte is skipped otherwise. */
  before(endpoint: TcpEndpoint, most: number, stops: boolean): number {
    const distance = this.distance(endpoint);
    if (distance === undefined) return most;
    if (distance > 0) return Math.min(most, distance);
    if (stops) return 0;
    if (this.inline) return most;
    if (endpoint.read(1) === undefined) return 0;
    this.at = undefined;
    return most;
  }

  /** After a read: a mark that lies behind is no longer one. */
  passed({ connection }: TcpEndpoint): void {
    if (this.at !== undefined && seqGt(connection.receiver.readSeq, this.at)) this.at = undefined;
  }

  /** POLLPRI: the byte has come, and was not taken. */
  isHere(endpoint: TcpEndpoint): boolean {
    const distance = this.distance(endpoint);
    return distance !== undefined && !this.taken && distance < endpoint.connection.receiver.readable;
  }

  /** SIOCATMARK: the next read would begin at the mark. */
  isNext(endpoint: TcpEndpoint): boolean {
    return this.distance(endpoint) === 0;
  }

  /** Bytes that are worth a read: the urgent one by itself is not. */
  readable(endpoint: TcpEndpoint): number {
    const { readable } = endpoint.connection.receiver;
    return this.distance(endpoint) === 0 && !this.inline ? readable - 1 : readable;
  }

  /** SIOCINQ: bytes up to the mark. */
  ahead(endpoint: TcpEndpoint): number {
    const { readable } = endpoint.connection.receiver;
    const distance = this.distance(endpoint);
    return distance === undefined || this.inline || distance >= readable ? readable : distance;
  }

  take(endpoint: TcpEndpoint, peek: boolean, gone: boolean): Result<Uint8Array> {
    const distance = this.distance(endpoint);
    if (this.inline || distance === undefined || this.taken) return failed('EINVAL');
    const { receiver } = endpoint.connection;
    if (distance < receiver.readable) {
      if (!peek) this.taken = true;
      return receiver.peek(distance + 1).slice(distance);
    }
    return gone || receiver.finReceived ? new Uint8Array(0) : failed('EAGAIN');
  }
}
