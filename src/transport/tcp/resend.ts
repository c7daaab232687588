/** Sends again what is thought lost, as far as the window goes. */
import type { Instant } from '../../base/instant.ts';
import { DUE } from './deadlines.ts';
import type { Sender } from './sender.ts';

export function resendLost(s: Sender, now: Instant): void {
  const { queue, recovery, transmitter } = s;
  let rearm = false;
  for (let at = 0; at < queue.records.length; at++) {
    if (queue.resent >= queue.lost || transmitter.isPaced(now)) break;
    const room = Math.min(recovery.window.cwnd - queue.pipe, transmitter.burst);
    if (room <= 0) break;
    const record = queue.records[at];
    if (!record.lost || record.sacked || record.resent) continue;
    if (!transmitter.resend(now, record, room)) break;
    recovery.noteSent(now, record.segments);
    if (record === queue.first && !s.host.deadlines.isSet(DUE.reordering)) rearm = true;
  }
  if (rearm) s.host.deadlines.setTransmit(DUE.retransmit, now + s.rtt.rto);
}
