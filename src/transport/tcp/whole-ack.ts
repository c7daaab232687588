/**
 * The acknowledgement of all that is out, where that is one record and nothing is amiss: of those who talk in turns
 * nearly every one is. It is what acknowledge.ts comes to for it, without the questions whose answers are known; a test
 * holds the two against each other.
 */
import type { Instant } from '../../base/instant.ts';
import type { Segment } from '../../wire/tcp.ts';
import { growWindow, showPath } from './congest.ts';
import { LIMIT } from './limits.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import { armUserTimeout } from './user-timeout.ts';

/** The record that it acknowledges; undefined where there is more to be asked. */
export function wholeAcknowledged(s: Sender, segment: Segment): SendRecord | undefined {
  const { tcb, recovery, host } = s;
  const { only } = s.queue;
  if (only === undefined || segment.ack !== only.end || only.end !== tcb.sndMax || only.seq !== tcb.sndUna) {
    return undefined;
  }
  if (!only.isPlain || segment.sack.length > 0 || !tcb.sackOn || recovery.state !== 'open') return undefined;
  if (recovery.judgesAll) return undefined;
  const isQuiet = recovery.tlpHighSeq === undefined && s.prober === undefined;
  return isQuiet && host.accurateEcn === undefined && host.pathProbe === undefined ? only : undefined;
}

export function takeWhole(s: Sender, now: Instant, record: SendRecord): void {
  const { tcb, queue, recovery, rtt, host } = s;
  const { rate, rack } = recovery;
  const { segments } = record;
  const { min } = rtt;
  s.lastAckAt = now;
  recovery.timeouts = 0;
  s.advance(record.end);
  queue.takeOnly();
  rate.delivered += segments;
  rack.delivered(now, record, min);
  s.limits.stop(now, LIMIT.busy, false);
  const sample = now - record.sentAt;
  rtt.latest = sample;
  rtt.noteMinimum(now, sample, host.settings.minRttWindow);
  s.sampleRtt(sample);
  const of = rate.deliveredAlone(now, record, tcb.mss, rtt.min);
  rack.adapt(of.priorDelivered, rate.delivered);
  host.deadlines.clearTransmit();
  showPath(s, now, of, true, segments, 0, segments);
  if (!recovery.congestion.ownWindow) growWindow(s, now, segments);
  armUserTimeout(s, now, true);
}
