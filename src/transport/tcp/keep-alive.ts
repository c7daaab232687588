/** Keep-alives (RFC 9293 §3.8.4): whether an idle connection still has another end. */
import { type Instant, NEVER } from '../../base/instant.ts';
import { seqAdd } from '../../base/seq32.ts';
import { ACK } from '../../wire/tcp.ts';
import type { TcpConnection } from './connection.ts';
import { DUE } from './deadlines.ts';
import { giveUp } from './give-up.ts';
import { isSynchronized } from './state.ts';
import type { KeepAlive } from './types.ts';

/** Something was sent or heard. */
export function refreshKeepAlive(c: TcpConnection, now: Instant): void {
  if (c.settings.keepAlive !== undefined) refresh(c, now, c.settings.keepAlive);
}

function refresh({ state, deadlines }: TcpConnection, now: Instant, { idle }: KeepAlive): void {
  if (isSynchronized(state) && state !== 'TIME_WAIT') deadlines.set(DUE.keepAlive, now + idle);
}

/** SO_KEEPALIVE and its times were changed. */
export function keepAliveChanged(c: TcpConnection, now: Instant): void {
  const { keepAlive } = c.settings;
  if (!isSynchronized(c.state)) return;
  if (keepAlive === undefined) c.deadlines.clear(DUE.keepAlive);
  else c.deadlines.set(DUE.keepAlive, Math.max(now, c.lastHeardAt + keepAlive.idle));
}

/** Until there is a connection to keep alive, the timer says how long it may take to come about. */
export function limitConnecting({ settings, deadlines }: TcpConnection, now: Instant): void {
  if (settings.connectTimeout !== undefined) deadlines.set(DUE.keepAlive, now + settings.connectTimeout);
}

/** The handshake is over. */
export function beginKeepAlive(c: TcpConnection, now: Instant): void {
  c.deadlines.clear(DUE.keepAlive);
  refreshKeepAlive(c, now);
}

/** RFC 9293 §3.8.4: off by default, an answered probe costs nothing, an unanswered one is not yet the end. */
export function keepAliveTimedOut(c: TcpConnection, now: Instant): void {
  const { settings, deadlines, sender } = c;
  if (!isSynchronized(c.state)) {
    if (c.state === 'SYN_RCVD') c.sendReset(now);
    return c.fail('ETIMEDOUT', 'not connected in time');
  }
  if (settings.keepAlive === undefined) return;
  const { idle, interval, count } = settings.keepAlive;
  // Something is on its way: the retransmission timer watches already.
  if (!sender.queue.isEmpty || sender.queue.head !== undefined) {
    deadlines.set(DUE.keepAlive, now + idle);
    return;
  }
  const patience = settings.userTimeout;
  const over = patience !== undefined ? now - c.lastHeardAt >= patience && c.keepAlivesUnanswered > 0 : false;
  if (over || (patience === undefined && c.keepAlivesUnanswered >= count)) {
    if (!settings.resetsOnTimeout) c.sendReset(now);
    return giveUp(c, now, 'no answer to keep-alive probes');
  }
  c.keepAlivesUnanswered++;
  c.observer?.decided('keep-alive', `idle; probe ${c.keepAlivesUnanswered} of ${count}`);
  // SEG.SEQ = SND.NXT - 1: unacceptable, so it must be answered.
  c.send(c.build(now, ACK, seqAdd(c.tcb.sndNxt, -1)));
  if (interval !== NEVER) deadlines.set(DUE.keepAlive, now + interval);
}
