/** What happens when a deadline has passed: one function for each purpose. */
import type { Duration, Instant } from '../../base/instant.ts';
import { suspectAsBsd } from './black-hole.ts';
import type { TcpConnection } from './connection.ts';
import { DUE, type Purpose } from './deadlines.ts';
import { giveUp } from './give-up.ts';
import { keepAliveTimedOut } from './keep-alive.ts';
import { suspectBlackHole } from './path-probe.ts';
import { retransmitTimedOut } from './retransmit-timeout.ts';
import { isSynchronized } from './state.ts';
import { sendProbe } from './tail-loss-probe.ts';

export function timedOut(c: TcpConnection, now: Instant, purpose: Purpose): void {
  switch (purpose) {
    case DUE.retransmit:
      return retransmit(c, now);
    case DUE.probe:
      return sendProbe(c.sender, now);
    case DUE.reordering:
      return reordering(c, now);
    case DUE.persist:
      return persist(c, now);
    case DUE.pace:
      c.sender.recovery.resend(c.sender, now);
      return c.sender.transmitter.push(now, 'nagle');
    case DUE.delayedAck:
      c.receiver.policy.timedOut();
      c.receiver.ackNow = true;
      return;
    case DUE.compressedAck:
      c.receiver.ackNow = true;
      return;
    case DUE.keepAlive:
      return keepAliveTimedOut(c, now);
    case DUE.timeWait:
      return c.finish('2 MSL have passed');
    case DUE.finWait2:
      return c.finish('nobody waits for the FIN');
    case DUE.userTimeout:
      return userTimeout(c, now);
    case DUE.linger:
      return c.sender.finAcknowledged ? undefined : c.abort(now, 'the linger time has passed');
  }
}

function retransmit(c: TcpConnection, now: Instant): void {
  const { sender, settings } = c;
  if (sender.queue.isEmpty) return;
  const { recovery, rtt } = sender;
  const shut = c.tcb.sndWnd === 0 && isSynchronized(c.state) && !c.orphaned;
  const limit = limitOf(c);
  if (!shut && isExhausted(c, now, limit)) return giveUp(c, now, `no answer to ${recovery.timeouts + 1} transmissions`);
  // A window that was closed behind what is out: as long as somebody answers, it may stay so (RFC 9293 §3.8.6.1).
  if (shut && now - c.lastHeardAt > 2 * settings.maxRto) return giveUp(c, now, 'no answer while the window is closed');
  c.observer?.decided('rto', `nothing acknowledged for ${Math.round(rtt.rto / 1e6)} ms`);
  if (settings.mtuProbing.mode === 'bsd') suspectAsBsd(c, recovery.timeouts + 1);
  else suspectBlackHole(c, now, recovery.timeouts);
  retransmitTimedOut(sender, now);
}

/** R2: how many retransmissions before the connection is given up. */
function limitOf(c: TcpConnection): number {
  const { settings, state } = c;
  if (state === 'SYN_SENT') return settings.synRetries + settings.synLinearTimeouts;
  if (state === 'SYN_RCVD') {
    const most = settings.synAckRetries + (c.sendsEarly ? 1 : 0);
    return c.ackDeferred ? Math.max(most, settings.deferAccept) : most;
  }
  return c.orphaned ? (settings.orphanRetries ?? settings.retries) : settings.retries;
}

function isExhausted(c: TcpConnection, now: Instant, limit: number): boolean {
  const { settings, sender } = c;
  const { recovery } = sender;
  if (!isSynchronized(c.state) || !settings.retriesAreTime) return recovery.timeouts >= limit;
  const began = recovery.retransmitStamp;
  if (recovery.timeouts === 0 || began === undefined) return false;
  const patience = settings.userTimeout ?? modelTimeout(limit, settings.minRto, settings.maxRto);
  return ((c.tcb.timestamp(now) - began) | 0) * 1e6 >= patience;
}

/** How long so many retransmissions take when the first waits `base` and each further one twice as long. */
function modelTimeout(retries: number, base: Duration, most: Duration): Duration {
  const doublings = Math.floor(Math.log2(most / base));
  if (retries <= doublings) return (2 ** (retries + 1) - 1) * base;
  return (2 ** (doublings + 1) - 1) * base + (retries - doublings) * most;
}

function reordering(c: TcpConnection, now: Instant): void {
  const { sender, deadlines } = c;
  if (sender.recovery.reorderingTimeout(now)) {
    c.observer?.decided('rack', 'what was sent later has arrived, and reordering does not take so long');
    sender.recovery.resend(sender, now);
  }
  // The timer stood in for the RTO: that is reckoned from when the head was sent, not from now.
  const waits = !deadlines.isSet(DUE.retransmit) && !sender.queue.isEmpty;
  if (waits) deadlines.setTransmit(DUE.retransmit, Math.max(sender.retransmitDue(now), now + 1));
}

/** RFC 9293 §3.8.6.1; R2 holds for probes too when nobody answers them. */
function persist(c: TcpConnection, now: Instant): void {
  const { sender, settings } = c;
  if (sender.queue.head === undefined || !sender.queue.isEmpty) return;
  const limit = c.orphaned ? (settings.orphanRetries ?? settings.retries) : settings.retries;
  const prober = sender.useProber();
  const { since } = prober;
  const impatient = settings.userTimeout !== undefined && since !== undefined && now - since >= settings.userTimeout;
  if (impatient || prober.unanswered >= limit) return giveUp(c, now, 'no answer to window probes');
  prober.probe(now);
}

/** RFC 5482: patience is over. Where retransmissions look at it themselves, it only ends what they do not cover. */
function userTimeout(c: TcpConnection, now: Instant): void {
  if (!c.settings.clampsToUserTimeout) return giveUp(c, now, 'USER TIMEOUT');
}
