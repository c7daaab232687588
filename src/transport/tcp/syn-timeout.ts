/** A SYN or a SYN+ACK that nobody has answered in time (RFC 6298 §5.7, RFC 9293 §3.8.3). */
import type { Instant } from '../../base/instant.ts';
import { ACK, SYN } from '../../wire/tcp.ts';
import { DUE } from './deadlines.ts';
import type { Sender } from './sender.ts';

/** Sends it again. True: the timer is set, by a rule of its own. */
export function synTimedOut(s: Sender, now: Instant): boolean {
  const { recovery, host } = s;
  const { tcb, settings } = host;
  const isSyn = tcb.state === 'SYN_SENT';
  // Of a SYN+ACK the second timeout says that data sent early is lost as well.
  const isLoss = host.passive ? host.sendsEarly && recovery.timeouts === 1 : settings.segmentRule === 'linux';
  if (isLoss) recovery.enterLoss(now);
  if (!host.keepsSynAckBack) s.resendSyn(now, isSyn ? SYN : SYN | ACK | host.synAckEcn, true);
  recovery.retransmitStamp ??= tcb.timestamp(now);
  recovery.timeouts++;
  if (!isSyn && host.passive) {
    host.deadlines.setTransmit(DUE.retransmit, now + s.synAckTimeout);
    return true;
  }
  if (!isSyn || recovery.timeouts > settings.synLinearTimeouts) s.rtt.backOff();
  return false;
}
