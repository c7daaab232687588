/** The retransmission timer has expired (RFC 6298 §5): of data, or of a SYN or SYN+ACK that nobody has answered in time. */
import type { Duration, Instant } from '../../base/instant.ts';
import { ACK, SYN } from '../../wire/tcp.ts';
import { NO_SSTHRESH } from './congestion/types.ts';
import { DUE } from './deadlines.ts';
import type { Sender } from './sender.ts';
import { withinUserTimeout } from './user-timeout.ts';
import { RESOURCE_INTERVAL } from './window-prober.ts';

/** Fewer segments than these are a thin stream; and how often its timeout stays as it is. */
const THIN = 4;
const THIN_TIMEOUTS = 6;

/** R2 has been checked (timers.ts). */
export function retransmitTimedOut(s: Sender, now: Instant): void {
  const { recovery, rtt, host, queue } = s;
  const { first } = queue;
  if (first !== undefined && (first.flags & SYN) !== 0) {
    if (synTimedOut(s, now)) return;
  } else {
    recovery.enterLoss(now);
    // Behind a closed window they are probes, as long as somebody waits (timers.ts).
    if (host.tcb.sndWnd > 0 || host.orphaned) recovery.timeouts++;
    // A link that is full says nothing of the path: no reason to wait longer.
    if (s.isRefused) return setTimer(s, now, RESOURCE_INTERVAL);
    recovery.resendFirst(s, now);
    if (isThin(s)) rtt.reset();
    else rtt.backOff();
  }
  setTimer(s, now, rtt.rto);
}

/** So little is out that no duplicate ACKs can tell of a loss: waiting ever longer would only be waiting (Linux). */
function isThin({ host, queue, recovery }: Sender): boolean {
  const isInitial = recovery.window.ssthresh >= NO_SSTHRESH;
  return host.settings.thinLinearTimeouts && queue.out < THIN && !isInitial && recovery.timeouts <= THIN_TIMEOUTS;
}

function setTimer(s: Sender, now: Instant, timeout: Duration): void {
  s.host.deadlines.setTransmit(DUE.retransmit, withinUserTimeout(s, now, now + timeout));
}

/** Sends it again. True: the timer is set, by a rule of its own. */
function synTimedOut(s: Sender, now: Instant): boolean {
  const { recovery, host } = s;
  const { tcb, settings } = host;
  const isSyn = tcb.state === 'SYN_SENT';
  // Of a SYN+ACK the second timeout says that data sent early is lost as well.
  const isLoss = host.passive ? host.sendsEarly && recovery.timeouts === 1 : settings.synTimeoutIsLoss;
  if (isLoss) recovery.enterLoss(now);
  host.accurateEcn?.synAckSent(true);
  // RFC 9768 §3.1.4.1: AccECN is asked for once more; RFC 3168 §6.1.1.1: what had no answer may have been dropped for it.
  const asks = host.synEcnAgain(recovery.timeouts);
  const keepsBack = host.keepsSynAckBack;
  recovery.timeouts++;
  if (!keepsBack) s.resendSyn(now, isSyn ? SYN | asks : SYN | ACK | host.synAckEcn, true);
  recovery.retransmitStamp ??= tcb.timestamp(now);
  if (!isSyn && host.passive) {
    host.deadlines.setTransmit(DUE.retransmit, now + s.synAckTimeout);
    return true;
  }
  if (!isSyn || recovery.timeouts > settings.synLinearTimeouts) s.rtt.backOff();
  return false;
}
