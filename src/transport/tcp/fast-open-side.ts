/**
 * TCP Fast Open of one connection (RFC 7413): as a client, data rides on the SYN when a cookie is known; as a server,
 * data of a SYN with a good cookie is delivered before the handshake is complete.
 */
import type { Instant } from '../../base/instant.ts';
import { seqGt } from '../../base/seq32.ts';
import { PSH, type Segment, SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { mssOf } from './handshake.ts';

const NO_COOKIE = new Uint8Array(0);
/** What other options may take of the first segment. */
const OPTION_ROOM = 40;

export interface ClientFastOpen {
  /** Undefined: the cookie is to be asked for. */
  cookie: Uint8Array | undefined;
  experimental: boolean;
  /** The MSS that the server had told of, without headers. */
  mss: number;
  /** Data may go without a cookie. */
  withoutCookie: boolean;
}

/** What the SYN+ACK said about it: for the host's cache. */
export interface FastOpenOutcome {
  cookie: Uint8Array | undefined;
  mss: number;
  experimental: boolean;
  synLost: boolean;
}

export class FastOpenSide {
  /** Set before `open`: the user writes before he is connected. */
  client: ClientFastOpen | undefined = undefined;
  /** Set by the listener before `accept`: the SYN's cookie is good; and the cookie to give out, if any. */
  accepted = false;
  grant: { cookie: Uint8Array; experimental: boolean } | undefined = undefined;
  /** Told once the SYN+ACK has come. */
  onOutcome: ((outcome: FastOpenOutcome) => void) | undefined = undefined;
  /** The data of a SYN was acknowledged with it: ours, or the other end's. */
  dataAcknowledged = false;
  /** Why data did not go with the SYN, or was not taken (tcp(7), tcpi_fastopen_client_fail). */
  failure: 'none' | 'no-cookie' | 'data-not-acknowledged' | 'syn-resent' = 'none';
  private sentData = false;
  private synsSent = 0;
  private readonly c: TcpConnection;

  constructor(connection: TcpConnection) {
    this.c = connection;
  }

  /** Bytes that the SYN may carry. */
  get room(): number {
    const { client, c } = this;
    if (client === undefined || (client.cookie === undefined && !client.withoutCookie)) return 0;
    return Math.max(0, Math.min(client.mss, c.tcb.pathMss) - OPTION_ROOM);
  }

  /** The option on a SYN or SYN+ACK. */
  offer(segment: Segment, answer: boolean): void {
    this.synsSent++;
    if (answer) {
      // A SYN+ACK that is sent again does without: it may be what was lost for.
      if (this.synsSent > 1) return;
      segment.fastOpen = this.grant?.cookie;
      segment.fastOpenExperimental = this.grant?.experimental ?? false;
      return;
    }
    const { client } = this;
    // Only the first SYN has it: what lost the first may be what does not like the option (§4.1.3.1).
    if (client === undefined || this.synsSent > 1) return;
    if (client.cookie === undefined && client.withoutCookie) return;
    segment.fastOpen = client.cookie ?? NO_COOKIE;
    segment.fastOpenExperimental = client.experimental;
  }

  /** Puts what the user has written already on the SYN that waits in the outbox. */
  sendEarlyData(now: Instant): void {
    const { c } = this;
    const { sender, tcb } = c;
    const syn = sender.outbox.peek();
    const { head } = sender.queue;
    const room = this.room;
    if (this.client !== undefined && room === 0) this.failure = 'no-cookie';
    if (head === undefined || room <= 0 || syn === undefined || !syn.has(SYN)) return;
    if (head.dataLength > room) sender.queue.split(head, room, room);
    head.recount(Math.max(room, head.dataLength));
    head.flags |= PSH;
    sender.recovery.rate.sending(now, head, false);
    sender.queue.sendHead();
    sender.queue.transmitted(head, now);
    syn.length = head.dataLength;
    tcb.sndNxt = head.end;
    tcb.sndMax = head.end;
    sender.dataSegmentsSent++;
    sender.sentBytes += head.dataLength;
    this.sentData = true;
  }

  /** The server's side: data of the SYN. */
  synArrived(now: Instant, syn: Segment): void {
    const { c } = this;
    if (!this.accepted || syn.length === 0) return;
    c.receiver.takeEarly(now, syn.payload as Uint8Array);
    this.dataAcknowledged = true;
  }

  /** The client's side: the SYN+ACK. `acknowledged`: SND.UNA behind it. */
  synAckArrived(now: Instant, answer: Segment): void {
    const { c, client } = this;
    if (client === undefined) return;
    const { sender } = c;
    const resent = this.synsSent > 1;
    const lostData = this.sentData && !sender.queue.isEmpty;
    const cookie = answer.fastOpen !== undefined && answer.fastOpen.length > 0 ? answer.fastOpen : undefined;
    const unanswered = cookie === undefined && client.cookie === undefined && !client.withoutCookie && !resent;
    this.onOutcome?.({
      cookie,
      mss: mssOf(c, answer),
      // Nothing came back for the one option number: the other is tried next time.
      experimental: unanswered ? !client.experimental : answer.fastOpenExperimental || client.experimental,
      synLost: resent && cookie === undefined && lostData,
    });
    this.dataAcknowledged = this.sentData && !lostData;
    // The SYN and its data are one segment.
    if (this.dataAcknowledged && sender.recovery.rate.delivered > 1) sender.recovery.rate.delivered--;
    if (!lostData && answer.length > 0) this.takeAnswer(now, answer);
    if (lostData) this.failure = resent ? 'syn-resent' : 'data-not-acknowledged';
    if (!lostData) return;
    // §4.2.1: what was not acknowledged is sent again at once, as ordinary data.
    for (const record of [...sender.queue.records]) sender.queue.markLost(record);
    sender.recovery.lostForSize();
    sender.recovery.resend(sender, now);
  }

  /** A server may answer with data at once (RFC 7413 §3.1). */
  private takeAnswer(now: Instant, answer: Segment): void {
    const { c } = this;
    c.receiver.takeEarly(now, answer.payload as Uint8Array);
    c.receiver.ackNow = true;
    c.emit({ type: 'readable' });
  }

  /** Everything that the SYN carried, acknowledged or not, is behind SND.UNA. */
  get isSettled(): boolean {
    return !this.sentData || !seqGt(this.c.tcb.sndNxt, this.c.tcb.sndUna);
  }
}
