/** What an acceptable acknowledgement does to the sending half (RFC 9293 §3.10.7.4, fifth; RFC 5681, RFC 6298, RFC 8985). */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqDiff, seqGt, seqLe, seqLt } from '../../base/seq32.ts';
import { FIN, type Segment, SYN } from '../../wire/tcp.ts';
import { AckNews } from './ack-news.ts';
import { growWindow, growWindowAsBsd, showPath } from './congest.ts';
import { aceOf } from './ecn-field.ts';
import { LIMIT } from './limits.ts';
import { removeRenoSacks } from './loss-marking.ts';
import { noteFilledHole } from './reordering.ts';
import { takeSackBlocks } from './sack.ts';
import type { SendRecord } from './send-record.ts';
import type { Sender } from './sender.ts';
import { armUserTimeout } from './user-timeout.ts';
import { takeWhole, wholeAcknowledged } from './whole-ack.ts';

/** Scratch, filled in and read within one call: an acknowledgement is dealt with before the next one comes. */
const NEWS = new AckNews();

/**
 * `segment.ack` lies from SND.UNA to SND.MAX. `windowUpdated`: SND.WND was updated from this segment; `ece`: it tells of
 * a mark of the network's.
 */
export function acknowledge(s: Sender, now: Instant, segment: Segment, windowUpdated: boolean, ece: boolean): void {
  const whole = ece ? undefined : wholeAcknowledged(s, segment);
  if (whole !== undefined) takeWhole(s, now, whole);
  else acknowledgeSome(s, now, segment, windowUpdated, ece);
}

function acknowledgeSome(s: Sender, now: Instant, segment: Segment, windowUpdated: boolean, ece: boolean): void {
  const { tcb, queue, recovery } = s;
  const { ack } = segment;
  const priorUna = tcb.sndUna;
  const wasEmpty = queue.isEmpty;
  if (s.prober !== undefined) s.prober.unanswered = 0;
  s.lastAckAt = now;
  // Of one who only receives: each of his segments repeats the acknowledgement.
  if (wasEmpty && ack === priorUna && segment.sack.length === 0 && recovery.tlpHighSeq === undefined) {
    if (s.host.accurateEcn !== undefined) readMarks(s, NEWS.begin(tcb.sndNxt), segment, 0);
    return reviewWindow(s, now);
  }
  const news = NEWS.begin(tcb.sndNxt);
  const priorDelivered = recovery.rate.delivered;
  const priorLost = queue.everLost;
  news.priorPipe = queue.pipe;
  const priorHighest = tcb.sackOn ? queue.highestSacked(priorUna) : priorUna;
  news.advanced = seqGt(ack, priorUna);
  news.hasData = segment.sequenceLength > 0;
  news.windowUpdated = windowUpdated;
  news.ece = ece;
  news.blocks = segment.sack;
  if (seqGt(ack, tcb.sndNxt)) s.prober?.accept();
  if (news.advanced) {
    recovery.timeouts = 0;
    s.advance(ack);
  }
  if (tcb.sackOn && segment.sack.length > 0) takeSackBlocks(recovery, now, news, segment.sack, ack, priorUna);
  if (news.sackDelivered > 0) recovery.countDelivered(news.sackDelivered, news.ece);
  if (wasEmpty) {
    if (news.duplicateReported) recovery.judge(now, news, priorUna, 0);
    reviewWindow(s, now);
    if (recovery.tlpHighSeq !== undefined) recovery.judgeProbe(ack, news);
    return;
  }
  removeAcknowledged(s, now, news, priorHighest);
  readMarks(s, news, segment, recovery.rate.delivered - priorDelivered);
  recovery.rack.adapt(news.priorDelivered, recovery.rate.delivered);
  if (recovery.tlpHighSeq !== undefined) recovery.judgeProbe(ack, news);
  let resend: ReturnType<typeof recovery.judge> = 'nothing';
  if (recovery.isConcerned(news)) {
    const duplicate = !news.advanced && !news.notDuplicate && !news.duplicateReported;
    resend = recovery.judge(now, news, priorUna, duplicate ? 1 : 0);
  }
  if (news.rearm) s.setTransmitTimer(now);
  finish(s, now, news, recovery.rate.delivered - priorDelivered, queue.everLost - priorLost, seqDiff(ack, priorUna));
  if (news.advanced) armUserTimeout(s, now, true);
  sendAfter(s, now, resend);
}

/** RFC 9768 §3.2.2: what AccECN's counters say of `delivered` segments; of an acknowledgement that is surely not an old one. */
function readMarks(s: Sender, news: AckNews, segment: Segment, delivered: number): void {
  const accurate = s.host.accurateEcn;
  if (accurate === undefined || news.synAcked || !(news.progress || s.tcb.tsAdvanced)) return;
  const marks = accurate.feedback.read(aceOf(segment.flags), segment.accEcn, delivered, news.bytes, s.tcb.mss);
  news.ece = marks > 0;
}

/** Nothing is in flight: may what waits be sent now? */
function reviewWindow(s: Sender, now: Instant): void {
  const { head } = s.queue;
  if (head !== undefined) s.useProber().review(now, head);
}

/** An acknowledgement older than SND.UNA may still carry SACK blocks. */
export function acknowledgeOld(s: Sender, now: Instant, segment: Segment): void {
  const { tcb, recovery } = s;
  if (!tcb.sackOn || segment.sack.length === 0) return;
  const news = NEWS.begin(tcb.sndNxt);
  news.hasData = segment.sequenceLength > 0;
  news.blocks = segment.sack;
  takeSackBlocks(recovery, now, news, segment.sack, segment.ack, tcb.sndUna);
  if (news.sackDelivered > 0) recovery.countDelivered(news.sackDelivered, false);
  // BSD takes what it tells, and does not count it as a duplicate.
  if (recovery.judgesAll) return;
  sendAfter(s, now, recovery.judge(now, news, tcb.sndUna, 0));
}

/** Takes out of flight what is acknowledged, and measures by it. */
function removeAcknowledged(s: Sender, now: Instant, news: AckNews, priorHighest: Seq): void {
  const { tcb, queue, recovery } = s;
  const priorSacked = queue.sacked;
  let segments = 0;
  let firstSent: Instant | undefined;
  let lastSent: Instant | undefined;
  let lowest: Seq | undefined;
  let lastResent: Instant = 0;
  for (;;) {
    const record = queue.takeAcknowledged(tcb.sndUna);
    if (record === undefined) break;
    segments += record.segments;
    if (!record.sacked) news.bytes += record.dataLength;
    if (record.everResent) {
      // The SYN+ACK of a passive open says nothing of the data that goes with it (RFC 7413).
      if (!s.host.passive || (record.flags & SYN) === 0) news.resentAcked = true;
      lastResent = Math.max(lastResent, record.sentAt);
    } else if (!record.sacked) {
      firstSent ??= record.sentAt;
      lastSent = record.sentAt;
      if (lowest === undefined || seqLt(record.seq, lowest)) lowest = record.seq;
      if (seqLe(record.end, recovery.highSeq)) news.originalArrived = true;
    }
    if (!record.sacked && tcb.sackOn) countDelivered(s, now, record, news);
    recovery.rate.recordDelivered(record, news);
    if (record.flags & SYN) news.synAcked = true;
    if (record.dataLength > 0 || record.flags & FIN) news.dataAcked = true;
  }
  s.host.pathProbe?.acknowledged(tcb.sndUna);
  if (queue.isEmpty) s.limits.stop(now, LIMIT.busy, false);
  if (queue.first?.sacked) news.reneging = true;
  const clear = !news.resentAcked;
  const measured = measure(s, now, news, clear ? firstSent : undefined, clear ? lastSent : undefined, lastResent);
  if (news.acked) {
    news.rearm = true;
    if (!tcb.sackOn) {
      removeRenoSacks(recovery, segments, news.ece);
      if (news.resentAcked) news.originalArrived = false;
    } else if (
      lowest !== undefined &&
      seqLt(lowest, priorHighest) &&
      (priorSacked > 0 || s.host.settings.partsAreReordering)
    ) {
      noteFilledHole(recovery, lowest, queue.highestSacked(tcb.sndUna));
    }
  } else if (measured && news.firstSacked !== undefined && queue.first !== undefined) {
    // Of what was sent before the head was sent (again). Of what was sent since it would put the timer off for ever.
    if (news.firstSacked < queue.first.sentAt) news.rearm = true;
  }
}

function countDelivered(s: Sender, now: Instant, record: SendRecord, news: AckNews): void {
  const { recovery, tcb } = s;
  recovery.countDelivered(record.segments, news.ece);
  // The SYN+ACK of a passive open was sent by what stands for it until then.
  if (s.host.passive && record.flags & SYN) return;
  const spurious = record.everResent && recovery.echoIsBefore(tcb.timestamp(record.sentAt));
  if (!spurious) recovery.rack.delivered(now, record, s.rtt.min);
}

/**
 * RFC 6298 §3, Karn's algorithm: what was sent more than once gives no sample, unless a timestamp tells which of its
 * transmissions was answered (RFC 7323 §4.1).
 */
function measure(
  s: Sender,
  now: Instant,
  news: AckNews,
  first: Instant | undefined,
  last: Instant | undefined,
  lastResent: Instant,
): boolean {
  const { tcb, rtt } = s;
  const timed = s.recovery.timedTrip(now, news);
  if (timed !== undefined) return measureTimed(s, now, timed);
  let sample: number | undefined = first === undefined ? undefined : now - first;
  let latest: number | undefined = last === undefined ? undefined : now - last;
  if (news.firstSacked !== undefined && news.lastSacked !== undefined) {
    sample ??= now - news.firstSacked;
    latest = now - news.lastSacked;
  }
  if (sample === undefined && news.acked && tcb.timestampsOn) {
    sample = sampleOfEcho(s, now, lastResent);
    latest = sample ?? latest;
  }
  rtt.latest = latest;
  if (sample === undefined) return false;
  rtt.noteMinimum(now, latest ?? sample, s.host.settings.minRttWindow);
  s.sampleRtt(sample);
  return true;
}

/** BSD times one segment at a time, where there are no timestamps. */
function measureTimed(s: Sender, now: Instant, timed: number | 'none'): boolean {
  s.rtt.latest = timed === 'none' ? undefined : timed;
  if (timed === 'none') return false;
  s.rtt.noteMinimum(now, timed, s.host.settings.minRttWindow);
  s.sampleRtt(timed);
  return true;
}

/** By the timestamp that came back; undefined: it says nothing. */
function sampleOfEcho(s: Sender, now: Instant, lastResent: Instant): number | undefined {
  const { tcb } = s;
  const { lastEcho = 0 } = tcb;
  // The echo of an earlier transmission would count the time until the acknowledgement that was not lost.
  const ofLast = s.host.settings.rtoRule === 'windowed' || !s.recovery.echoIsBefore(tcb.timestamp(lastResent));
  if (lastEcho === 0 || !ofLast) return undefined;
  const elapsed = seqDiff(tcb.timestamp(now), lastEcho);
  return elapsed >= 0 ? Math.max(elapsed, 1) * 1e6 : undefined;
}

/** Congestion control, once loss recovery knows where it stands. */
function finish(s: Sender, now: Instant, news: AckNews, delivered: number, newlyLost: number, acked: number): void {
  const { recovery, tcb, rtt } = s;
  const { congestion, rate } = recovery;
  rate.finish(now, news, delivered, tcb.mss, rtt.min === Number.POSITIVE_INFINITY ? 0 : rtt.min);
  // The SYN of a passive open says nothing of how data fares.
  const tells = news.progress && tcb.state !== 'SYN_RCVD';
  showPath(s, now, news, tells, delivered, newlyLost, news.priorPipe);
  if (congestion.ownWindow) return;
  if (recovery.inReduction) {
    recovery.reduce(delivered, newlyLost, news.advanced);
  } else {
    // With much reordering the window grows whatever the order in which data arrives.
    const grows = recovery.reordering > s.host.settings.reordering ? news.progress : news.dataAcked;
    if (!grows) return;
    if (recovery.judgesAll) growWindowAsBsd(s, now, acked);
    else growWindow(s, now, delivered);
  }
}

function sendAfter(s: Sender, now: Instant, resend: 'nothing' | 'lost' | 'new'): void {
  if (resend === 'nothing' || s.tcb.state === 'SYN_SENT') return;
  if (resend === 'new') {
    s.transmitter.push(now, 'off');
    if (seqGt(s.tcb.sndNxt, s.recovery.highSeq)) return;
    s.recovery.giveUpFrto();
  }
  s.recovery.resend(s, now);
}
