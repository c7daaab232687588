/**
 * A connection in TIME_WAIT stays for 2 MSL (RFC 9293 §3.6.1), and as a rule nothing comes for it any more. When its user
 * has gone as well, the host keeps only this of it, a tenth, and makes it again for the segment that does come: a
 * client that is busy has tens of thousands of them.
 */
import type { Instant } from '../../base/instant.ts';
import type { Timer } from '../../base/scheduler.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import type { TcpEndpoint } from './endpoint.ts';
import type { FourTuple } from './isn.ts';
import type { Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';

export class Resting implements FourTuple {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  readonly settings: TcpSettings;
  readonly tcb: Tcb;
  /** When the 2 MSL are over. */
  readonly until: Instant;
  timer: Timer | undefined;

  constructor({ localAddress, localPort, remoteAddress, remotePort, connection }: TcpEndpoint) {
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.settings = connection.settings;
    this.tcb = connection.tcb;
    this.until = connection.deadlines.get(DUE.timeWait);
  }

  /** Makes a new connection what this one was. */
  resume(connection: TcpConnection): void {
    Object.assign(connection.tcb, this.tcb);
    connection.orphaned = true;
    connection.receiver.resumeBehindFin();
    connection.sender.resumeBehindFin();
    connection.deadlines.set(DUE.timeWait, this.until);
  }
}

/** Is there nothing else to it? What it had to say has been said when its driver asks. */
export const mayRest = ({ state, receiver, ecn }: TcpConnection): boolean =>
  state === 'TIME_WAIT' && receiver.readable === 0 && ecn === undefined;
