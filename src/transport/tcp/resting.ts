/**
 * A connection in TIME_WAIT stays for 2 MSL (RFC 9293 §3.6.1), and as a rule nothing comes for it any more. When its user
 * has gone as well, the host keeps only this of it, a tenth, and makes it again for the segment that does come: a
 * client that is busy has tens of thousands of them.
 */
import type { Instant } from '../../base/instant.ts';
import type { Scheduler } from '../../base/scheduler.ts';
import type { IpAddress } from '../../wire/ip-address.ts';
import type { TcpConnection } from './connection.ts';
import { ConnectionTable, type Tabled } from './connection-table.ts';
import { DUE } from './deadlines.ts';
import type { TcpEndpoint } from './endpoint.ts';
import type { Tcb } from './tcb.ts';
import type { TcpSettings } from './types.ts';

export class Resting implements Tabled<Resting> {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  readonly settings: TcpSettings;
  readonly tcb: Tcb;
  /** When the 2 MSL are over. */
  readonly until: Instant;
  alike: Resting | undefined = undefined;
  /** It was woken, or its time is over. */
  isGone = false;

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

/** Those of one host, and one timer for all of them: they come to an end in the order in which they began. */
export class RestingPlace {
  readonly table = new ConnectionTable<Resting>();
  private readonly scheduler: Scheduler;
  /** One that has rested long enough. */
  private readonly over: (resting: Resting) => void;
  private waiting: Resting[] = [];
  private head = 0;
  private armed = false;

  constructor(scheduler: Scheduler, over: (resting: Resting) => void) {
    this.scheduler = scheduler;
    this.over = over;
  }

  add(resting: Resting): void {
    this.table.add(resting);
    const last = this.waiting.length > this.head ? this.waiting[this.waiting.length - 1] : undefined;
    if (last !== undefined && resting.until < last.until) {
      // Its 2 MSL are shorter than those of the others.
      this.scheduler.at(resting.until, () => this.end(resting));
      return;
    }
    this.waiting.push(resting);
    if (!this.armed) this.arm();
  }

  remove(resting: Resting): void {
    resting.isGone = true;
    this.table.remove(resting);
  }

  private arm(): void {
    this.armed = true;
    this.scheduler.at(this.waiting[this.head].until, () => this.fire());
  }

  private fire(): void {
    const now = this.scheduler.now();
    this.armed = false;
    const { waiting } = this;
    while (this.head < waiting.length && (waiting[this.head].isGone || waiting[this.head].until <= now)) {
      this.end(waiting[this.head++]);
    }
    if (this.head * 2 > waiting.length) {
      this.waiting = waiting.slice(this.head);
      this.head = 0;
    }
    if (this.head < this.waiting.length && !this.armed) this.arm();
  }

  private end(resting: Resting): void {
    if (!resting.isGone) this.over(resting);
  }
}
