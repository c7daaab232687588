/**
 * Packetization layer path MTU discovery (RFC 4821, RFC 8899): a larger segment than the present ones is tried now and
 * then; that it arrives is the proof, and no ICMP message is needed. After repeated timeouts the size is taken back.
 */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqGe, seqLe } from '../../base/seq32.ts';
import { SYN } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import type { Sender } from './sender.ts';

/** Timeouts in a row that make a black hole likely (RFC 4821 §7.7). */
const SUSPICIOUS = 3;
/** IP's and TCP's, which count when sizes are compared. */
const HEADERS = 40;
/** RFC 9293 §3.7.1 and RFC 879: no path is thought worse than this, bytes of data. */
const LEAST = 48;

export class PathProbe {
  private readonly c: TcpConnection;
  private enabled: boolean;
  /** Both in bytes of data without timestamps: known to work, and known or thought not to. */
  private low: number;
  private high: number;
  private probe: { size: number; start: Seq; end: Seq } | undefined = undefined;
  private reprobeAt: Instant;

  /** Begins at once where the settings say so, else when a black hole is suspected. */
  constructor(connection: TcpConnection, now: Instant) {
    this.c = connection;
    const { settings, tcb } = connection;
    const { mode, base, beginsWithLink, interval } = settings.mtuProbing;
    this.high = Math.min(tcb.pathMss, tcb.peerMss);
    this.low = Math.min(base, this.high);
    this.enabled = mode === 'on';
    this.reprobeAt = now + interval;
    if (this.enabled && !beginsWithLink) this.apply();
  }

  private apply(): void {
    const { tcb } = this.c;
    tcb.pathMss = Math.min(this.low, this.high);
  }

  /** The size to try next, bytes of data; 0: nothing is to be tried now. */
  next(now: Instant): number {
    const { settings } = this.c;
    if (!this.enabled || this.probe !== undefined) return 0;
    if (this.high - this.low < settings.mtuProbing.threshold) {
      if (now < this.reprobeAt) return 0;
      this.reprobeAt = now + settings.mtuProbing.interval;
      this.high = this.c.localMss;
      if (this.high - this.low < settings.mtuProbing.threshold) return 0;
    }
    return (this.low + this.high) >> 1;
  }

  sent(size: number, start: Seq): void {
    this.probe = { size, start, end: seqAdd(start, size) };
  }

  /** SND.UNA has moved. */
  acknowledged(una: Seq): void {
    const { probe, c } = this;
    if (probe === undefined || !seqGe(una, probe.end)) return;
    // As many bytes as before: a window in segments of another size.
    const { window } = c.sender.recovery;
    window.cwnd = Math.max(1, Math.floor((window.cwnd * (c.tcb.pathMss + HEADERS)) / (probe.size + HEADERS)));
    window.credit = 0;
    this.low = probe.size;
    this.probe = undefined;
    this.apply();
    c.observer?.decided('path-mtu', `segments of ${probe.size} bytes arrive`);
  }

  /** Loss recovery begins at `una`: was it the probe that was lost? Then it was lost for its size. */
  failed(una: Seq): boolean {
    const { probe } = this;
    if (probe === undefined) return false;
    this.probe = undefined;
    if (!seqLe(probe.start, una)) return false;
    this.high = probe.size - 1;
    return true;
  }

  /** The path may take less than it did. */
  backOff(): void {
    const { settings, tcb } = this.c;
    if (!this.enabled) {
      this.enabled = true;
      this.low = Math.min(settings.mtuProbing.base, tcb.pathMss);
    } else {
      this.low = Math.max(LEAST, Math.min(settings.mtuProbing.base, this.low >> 1));
    }
    this.probe = undefined;
    this.apply();
    this.c.observer?.decided('path-mtu', `perhaps a black hole: segments of ${this.low} bytes from now on`);
  }
}

/** RFC 4821 §7.7: after several timeouts in a row. */
export function suspectBlackHole(c: TcpConnection, now: Instant, timeouts: number): void {
  if (c.settings.mtuProbing.mode === 'off' || timeouts < SUSPICIOUS) return;
  c.pathProbe ??= new PathProbe(c, now);
  c.pathProbe.backOff();
}

/** RFC 1191 §6.5: what was too big is sent again at once, in smaller pieces, and not for congestion. */
export function resendSmaller(s: Sender, now: Instant): void {
  const { queue, recovery, tcb } = s;
  // It was a SYN, which is only too big with what rides on it (RFC 7413): again, and by itself.
  if (tcb.state === 'SYN_SENT') {
    if (queue.records.length < 2) return;
    for (const record of queue.records) queue.markLost(record);
    return s.resendSyn(now, SYN, true);
  }
  const { mss } = tcb;
  let any = false;
  for (const record of [...queue.records]) {
    if (record.sacked || Math.min(record.mss, record.dataLength) <= mss) continue;
    if (record.resent) queue.unmarkResent(record);
    queue.markLost(record);
    queue.resize(record, mss);
    any = true;
  }
  if (any && recovery.state !== 'loss') recovery.lostForSize();
  if (any) s.recovery.resend(s, now);
}
