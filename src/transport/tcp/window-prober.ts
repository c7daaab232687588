/** Asking for a window when the other end offers none (RFC 9293 §3.8.6.1): the persist timer and its probes. */
import { type Duration, type Instant, ms } from '../../base/instant.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqLt, seqMin } from '../../base/seq32.ts';
import { ACK, FIN, PSH } from '../../wire/tcp.ts';
import { DUE } from './deadlines.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import { withinUserTimeout } from './user-timeout.ts';

/** How often a link that was full is tried again. */
export const RESOURCE_INTERVAL: Duration = ms(500);

export class WindowProber {
  /** Probes since the other end was last heard of. */
  unanswered = 0;
  /** When the first of them went out. */
  since: Instant | undefined = undefined;
  private readonly s: Sender;

  constructor(sender: Sender) {
    this.s = sender;
  }

  /** The window has closed: the timeout of the moment, whatever it was backed off. For BSD a count begins anew. */
  begin(now: Instant): void {
    const { host, rtt } = this.s;
    if (host.settings.probeRule === 'bsd') rtt.backoffs = 0;
    this.arm(now, 0);
  }

  /** Probes and retransmissions are backed off by one count: it is the same silence. */
  private arm(now: Instant, backoffs = this.s.rtt.backoffs): void {
    const { rtt } = this.s;
    const { probeRule, minProbeInterval, maxProbeInterval, rtoSlop } = this.s.host.settings;
    const interval = probeRule === 'rto' ? rtt.backedOff(backoffs) : rtt.persistence * 2 ** backoffs + rtoSlop;
    const due = now + Math.min(Math.max(interval, minProbeInterval), maxProbeInterval);
    this.s.host.deadlines.setTransmit(DUE.persist, withinUserTimeout(this.s, now, due));
  }

  /** An acknowledgement came while nothing is in flight: is there a window now for `head`? */
  review(now: Instant, head: SendRecord): void {
    const needed = seqMin(head.end, seqAdd(head.seq, this.s.currentMss));
    const open = this.s.host.settings.fillsSmallWindow
      ? this.s.tcb.sndWnd > 0
      : !seqGt(needed, this.s.tcb.sndWndEnd) || !seqGt(head.end, this.s.tcb.sndWndEnd);
    const fits = !seqGt(head.end, this.s.tcb.sndWndEnd);
    if (fits || (open && this.s.host.settings.anyWindowEndsBackoff)) this.s.rtt.backoffs = 0;
    if (open) {
      this.since = undefined;
      this.s.host.deadlines.clear(DUE.persist);
    } else if (this.s.host.settings.probeRule === 'rto' || !this.s.host.deadlines.isSet(DUE.persist)) {
      this.arm(now);
    }
  }

  /** RFC 9293 §3.8.6.1. */
  probe(now: Instant): void {
    const { tcb, host } = this.s;
    const { head } = this.s.queue;
    if (head === undefined || !this.s.queue.isEmpty) return;
    host.observer?.decided('zero-window-probe', 'the other end offers no window');
    this.since ??= now;
    if (this.s.isRefused) {
      // It is our own link that takes nothing: no reason to ask less often.
      this.unanswered++;
      host.deadlines.setTransmit(DUE.persist, withinUserTimeout(this.s, now, now + RESOURCE_INTERVAL));
      return;
    }
    if (seqLt(head.seq, tcb.sndWndEnd) && !host.settings.fillsSmallWindow) {
      // A small window: what fits in it serves as a probe.
      const room = seqDiff(tcb.sndWndEnd, head.seq);
      const length = Math.min(room, this.s.currentMss);
      head.flags |= PSH;
      if (head.dataLength > length || head.length > room) {
        this.s.queue.split(head, length, this.s.currentMss);
        head.flags |= PSH;
      }
      this.s.transmitter.sendForced(now, head);
    } else if (tcb.sndWnd > 0) {
      this.s.transmitter.override = true;
      this.s.transmitter.push(now, 'off');
    } else if (host.settings.probesWithData) {
      this.withData(now, head);
    } else {
      // Urgent data behind a closed window is announced all the same (RFC 9293 §3.8.6.1 has probes carry what they can).
      if (host.isUrgent) this.s.outbox.push(host.build(now, ACK, tcb.sndUna));
      // SEG.SEQ = SND.UNA - 1: unacceptable, so it must be answered, and it takes nothing of the stream.
      this.s.outbox.push(host.build(now, ACK, seqAdd(tcb.sndUna, -1)));
    }
    if (this.s.queue.isEmpty && this.s.queue.head !== undefined) {
      this.unanswered++;
      this.s.rtt.backoffs = Math.min(this.s.rtt.backoffs + 1, host.settings.retries);
      this.arm(now);
    } else {
      this.s.rtt.backoffs = 0;
      this.unanswered = 0;
      this.since = undefined;
    }
  }

  /** "MUST include at least one octet of new data": it counts as sent once it is acknowledged. */
  private withData(now: Instant, head: SendRecord): void {
    const { tcb, host } = this.s;
    const fin = head.dataLength === 0;
    const last = head.dataLength <= 1;
    const segment = host.build(now, ACK | (fin ? FIN : 0) | (last ? head.flags & PSH : 0), head.seq);
    segment.length = fin ? 0 : 1;
    segment.retransmission = seqGt(tcb.sndMax, tcb.sndNxt);
    tcb.sndMax = seqAdd(tcb.sndNxt, 1);
    this.s.outbox.push(segment);
  }

  /** The byte of a probe was taken after all. */
  accept(): void {
    const { tcb, queue } = this.s;
    const { head } = queue;
    if (head === undefined) return;
    head.seq = seqAdd(head.seq, 1);
    if (seqGe(head.seq, head.end)) {
      queue.sendHead();
      queue.takeAcknowledged(head.end);
      queue.out = 0;
    } else {
      head.recount(head.mss);
    }
    tcb.sndNxt = tcb.sndMax;
  }
}
