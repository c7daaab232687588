/** What a SYN tells (RFC 9293 §3.10.7.2, §3.10.7.3), and what begins when both ends know of each other. */
import type { Instant } from '../../base/instant.ts';
import { ACK, type Segment } from '../../wire/tcp.ts';
import { wholeSegments } from './bsd-window.ts';
import type { TcpConnection } from './connection.ts';
import { beginKeepAlive } from './keep-alive.ts';
import { PathProbe } from './path-probe.ts';
import { TIMESTAMPS_LENGTH } from './tcb.ts';

/** RFC 9293 §3.7.1: "MUST assume a default send MSS of 536 (576 - 40) for IPv4 or 1220 (1280 - 60) for IPv6". */
export const mssOf = ({ observer, settings }: TcpConnection, syn: Segment): number =>
  syn.mss >= 0 ? Math.max(syn.mss, settings.leastSegment) : (observer?.defaultMss ?? settings.defaultMss.ipv4);

/** None but the MSS go with a SYN of ours: the user, or that it was lost so often, says so. */
export function isPlain({ settings, state, sender }: TcpConnection): boolean {
  return settings.noOptions || (state === 'SYN_SENT' && sender.recovery.timeouts >= settings.plainSynAfter);
}

/** The options of a SYN (RFC 7323 §1.3: each is in use only when both SYNs carry it). */
export function agree(c: TcpConnection, syn: Segment): void {
  const { tcb, settings, receiver } = c;
  const sends = !isPlain(c);
  const offered = mssOf(c, syn);
  tcb.peerMss = settings.maxSegment > 0 ? Math.min(offered, settings.maxSegment) : offered;
  tcb.timestampsOn = sends && settings.timestamps && syn.hasTimestamps;
  tcb.sackOn = sends && settings.sack && syn.sackPermitted;
  tcb.scalingOn = sends && settings.windowScaling && syn.windowScale >= 0;
  tcb.sndScale = tcb.scalingOn ? Math.min(syn.windowScale, 14) : 0; // RFC 7323 §2.3: more than 14 counts as 14
  tcb.rcvScale = tcb.scalingOn ? receiver.scale : 0;
  if (tcb.timestampsOn) tcb.tsRecent = syn.tsVal;
}

export function takeWindowOfSyn({ tcb, settings }: TcpConnection, syn: Segment): void {
  tcb.sndWnd = syn.window;
  tcb.setLargestWindow(syn.window, settings.halvesTinyWindows);
  tcb.sndWl1 = syn.seq;
  // A SYN without an ACK acknowledges nothing of ours yet: whatever comes is newer.
  tcb.sndWl2 = syn.flags & ACK ? syn.ack : tcb.iss;
}

/** Both ends know of each other: estimates begin. */
export function established(c: TcpConnection, now: Instant): void {
  const { tcb, receiver, sender, settings } = c;
  const fullSize = Math.max(88, Math.min(536, tcb.mss, receiver.window.capacity >> 1));
  const agreed = Math.min(tcb.peerMss, c.advertisedMss);
  const own = c.advertisedMss - (tcb.timestampsOn ? TIMESTAMPS_LENGTH : 0);
  const isBsd = settings.windowRule === 'freebsd';
  if (isBsd) sender.capacity = wholeSegments(sender.capacity, agreed);
  receiver.established(isBsd ? agreed : own, fullSize);
  sender.established(now, c.passive);
  receiver.lastDataAt = now;
  // What was limited so far were the answers of a request.
  if (c.passive) c.challengeLimit = undefined;
  if (settings.mtuProbing.mode === 'on') c.pathProbe = new PathProbe(c, now);
  beginKeepAlive(c, now);
}
