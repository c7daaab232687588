/** Tail loss probes (RFC 8985 §7): what was sent last is sent again, or something new, before the RTO would. */
import type { Instant } from '../../base/instant.ts';
import { seqDiff } from '../../base/seq32.ts';
import { DUE } from './deadlines.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';

/** §7.2: schedules the probe; false when there is to be none. `fresh`: the RTO would start now. */
export function scheduleProbe(s: Sender, now: Instant, fresh: boolean): boolean {
  const { queue, recovery, rtt, host, tcb } = s;
  const { settings, deadlines } = host;
  const calm = recovery.state === 'open' || recovery.state === 'cwr';
  if (!settings.tailLossProbe || queue.out === 0 || !tcb.sackOn || !calm || tcb.state === 'SYN_RCVD') return false;
  let timeout = settings.initialRto;
  if (rtt.srtt !== undefined) {
    // "PTO = 2 * SRTT", and with one segment in flight the delay of its acknowledgement.
    timeout = 2 * rtt.srtt + (queue.out === 1 ? settings.probeSlack : settings.timerSlack);
  }
  const untilRto = fresh ? rtt.rto : s.retransmitDue(now) - now;
  if (untilRto > 0) timeout = Math.min(timeout, untilRto);
  deadlines.setTransmit(DUE.probe, now + timeout);
  return true;
}

/** §7.3: new data if there is some, else the last segment again. */
export function sendProbe(s: Sender, now: Instant): void {
  const { queue, tcb, recovery } = s;
  const sent = recovery.tlpHighSeq === undefined && probe(s, now);
  if (sent) {
    recovery.tlpHighSeq = tcb.sndNxt;
    s.host.observer?.decided('tail-loss-probe', 'the last acknowledgements are overdue');
    s.rearmRetransmit(now);
  } else if (!queue.isEmpty) {
    s.host.deadlines.setTransmit(DUE.retransmit, Math.max(s.retransmitDue(now), now + 1));
  }
}

function probe(s: Sender, now: Instant): boolean {
  const { queue, tcb, recovery, transmitter } = s;
  recovery.tlpRetransmitted = false;
  const { head } = queue;
  const mss = s.currentMss;
  if (head !== undefined && seqDiff(tcb.sndWndEnd, head.seq) >= Math.min(head.dataLength, mss)) {
    const out = queue.out;
    transmitter.sendAsProbe(now);
    return queue.out > out;
  }
  let last = queue.last;
  if (last === undefined) return false;
  const before = (last.segments - 1) * mss;
  if (last.segments > 1 && last.dataLength > before) {
    queue.split(last, before, mss);
    last = queue.last as SendRecord;
  }
  if (!transmitter.retransmit(now, last, 1)) return false;
  recovery.tlpRetransmitted = true;
  return true;
}
