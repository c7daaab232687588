/**
 * BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): a model of the path, its bottleneck's bandwidth and
 * its round-trip time, instead of loss. Data is paced at that bandwidth, and about two of the product of both are out.
 */
import { type Duration, type Instant, ms, seconds } from '../../../base/instant.ts';
import { AckAggregation } from './ack-aggregation.ts';
import { MaxFilter } from './max-filter.ts';
import type { CongestionControl, PathSample, Window } from './types.ts';

/** §4.1.1.3: 2/ln(2), by which the rate doubles every round trip, and what undoes it. */
const HIGH_GAIN = 2.885;
const DRAIN_GAIN = 1 / HIGH_GAIN;
const WINDOW_GAIN = 2;
/** §4.3.4.2: one round trip faster, one slower to drain what that queued, six that only watch. */
const CYCLE = [5 / 4, 3 / 4, 1, 1, 1, 1, 1, 1];
/** §4.3.2.2: the pipe is full when three rounds have not brought a quarter more. */
const FULL_GROWTH = 1.25;
const FULL_ROUNDS = 3;
/** §4.1.1.2, §4.1.2.2: over how long the two parameters are looked for. */
const BANDWIDTH_ROUNDS = 10;
const RTT_WINDOW: Duration = seconds(10);
/** §4.3.5: so little is out for so long that the queue is empty. */
const PROBE_RTT_TIME: Duration = ms(200);
const LEAST_WINDOW = 4;
/** A little less than the bandwidth, so that a queue does not stand. */
const PACING_MARGIN = 0.99;
/** Before the first round trip is known. */
const ASSUMED_RTT: Duration = ms(1);

type Mode = 'startup' | 'drain' | 'probe-bandwidth' | 'probe-rtt';

export class Bbr implements CongestionControl {
  readonly name = 'bbr';
  readonly ownWindow = true;
  private mode: Mode = 'startup';
  /** BtlBw, bytes per second, and RTprop. */
  private readonly bandwidth = new MaxFilter(BANDWIDTH_ROUNDS);
  private minRtt: Duration = Number.POSITIVE_INFINITY;
  private minRttAt: Instant = 0;
  private rate = 0;
  private seenRtt = false;
  // Rounds: one is over when something is acknowledged that was sent after it began.
  private rounds = 0;
  private roundEnd = 0;
  private roundBegins = false;
  private fullBandwidth = 0;
  private fullRounds = 0;
  private isFull = false;
  private phase = 0;
  private phaseAt: Instant = 0;
  private probeRttDone: Instant | undefined = undefined;
  private probeRttRound = false;
  private idleRestart = false;
  /** The window before loss or PROBE_RTT took from it. */
  private priorWindow = 0;
  private conserves = false;
  private troubled = false;
  private readonly aggregation = new AckAggregation();

  established(now: Instant, window: Window, mss: number, rtt: Duration | undefined): void {
    this.minRtt = rtt ?? this.minRtt;
    this.minRttAt = now;
    this.beginRate(window, mss, rtt);
  }

  /** §4.2.1: until something is delivered, as if the window went out in a round trip. */
  private beginRate(window: Window, mss: number, rtt: Duration | undefined): void {
    this.seenRtt = rtt !== undefined;
    this.rate = (HIGH_GAIN * window.cwnd * mss * 1e9) / (rtt ?? ASSUMED_RTT);
  }

  sample(window: Window, sample: PathSample): void {
    this.updateBandwidth(sample);
    if (this.roundBegins) this.aggregation.roundBegins(this.isFull);
    this.aggregation.acknowledged(sample.now, sample.segments, (this.bandwidth.value * 1e-9) / sample.mss, window.cwnd);
    this.updatePhase(sample);
    this.noteFullPipe(sample);
    this.noteDrained(window, sample);
    this.updateMinRtt(window, sample);
    this.updateRate(window, sample);
    this.updateWindow(window, sample);
  }

  /** §4.1.1.3, §4.1.1.5: the largest of what was delivered in a round trip, unless the application was the limit. */
  private updateBandwidth(sample: PathSample): void {
    this.roundBegins = false;
    if (sample.rate <= 0) return;
    if (sample.priorDelivered >= this.roundEnd) {
      this.roundEnd = sample.delivered;
      this.rounds++;
      this.roundBegins = true;
      this.conserves = false;
    }
    if (!sample.rateAppLimited || sample.rate >= this.bandwidth.value) this.bandwidth.update(sample.rate, this.rounds);
  }

  /** Segments: the product of bandwidth and delay, times `gain`, with room for bursts that are cut and acknowledged together. */
  private target(gain: number, { mss }: PathSample): number {
    if (!Number.isFinite(this.minRtt)) return LEAST_WINDOW;
    const product = Math.ceil((this.bandwidth.value * this.minRtt * 1e-9 * gain) / mss);
    const burst = Math.max(2, Math.ceil(Math.min(this.rate / 1024, 65535) / mss));
    const even = (product + 3 * burst + 1) & ~1;
    return this.mode === 'probe-bandwidth' && this.phase === 0 ? even + 2 : even;
  }

  private get pacingGain(): number {
    switch (this.mode) {
      case 'startup':
        return HIGH_GAIN;
      case 'drain':
        return DRAIN_GAIN;
      case 'probe-bandwidth':
        return CYCLE[this.phase];
      default:
        return 1;
    }
  }

  private get windowGain(): number {
    if (this.mode === 'probe-bandwidth') return WINDOW_GAIN;
    return this.mode === 'probe-rtt' ? 1 : HIGH_GAIN;
  }

  /** §4.3.4.3: a phase lasts a round trip; probing until it has filled what it wants to, draining until that is gone. */
  private updatePhase(sample: PathSample): void {
    if (this.mode !== 'probe-bandwidth') return;
    const over = sample.now - this.phaseAt > this.minRtt;
    const gain = CYCLE[this.phase];
    const advances =
      gain > 1
        ? over && (sample.lost > 0 || sample.priorInFlight >= this.target(gain, sample))
        : over || (gain < 1 && sample.priorInFlight <= this.target(1, sample));
    if (advances) this.enterPhase(sample.now, (this.phase + 1) % CYCLE.length);
  }

  private enterPhase(now: Instant, phase: number): void {
    this.phase = phase;
    this.phaseAt = now;
  }

  /** §4.3.2.2. */
  private noteFullPipe(sample: PathSample): void {
    if (this.isFull || !this.roundBegins || sample.rateAppLimited) return;
    if (this.bandwidth.value >= this.fullBandwidth * FULL_GROWTH) {
      this.fullBandwidth = this.bandwidth.value;
      this.fullRounds = 0;
    } else this.isFull = ++this.fullRounds >= FULL_ROUNDS;
  }

  /** §4.3.3: what startup has queued is drained before the cycle begins. */
  private noteDrained(window: Window, sample: PathSample): void {
    if (this.mode === 'startup' && this.isFull) {
      this.mode = 'drain';
      window.ssthresh = this.target(1, sample);
    }
    if (this.mode === 'drain' && sample.inFlight <= this.target(1, sample)) this.probeBandwidth(sample);
  }

  /** §4.3.4.2: in any phase but the one that drains; which, the connection's own numbers decide, as chance would. */
  private probeBandwidth({ now, una }: PathSample): void {
    this.mode = 'probe-bandwidth';
    const chance = (una >>> 0) % (CYCLE.length - 1);
    this.enterPhase(now, (CYCLE.length - chance) % CYCLE.length);
  }

  /** §4.1.2, §4.3.5: the least round trip of ten seconds; where there was none, one is looked for with an empty queue. */
  private updateMinRtt(window: Window, sample: PathSample): void {
    const { now, rtt } = sample;
    const expired = now > this.minRttAt + RTT_WINDOW;
    if (rtt !== undefined && (rtt < this.minRtt || expired)) {
      this.minRtt = rtt;
      this.minRttAt = now;
    }
    if (expired && !this.idleRestart && this.mode !== 'probe-rtt' && this.rounds > 0) {
      this.mode = 'probe-rtt';
      this.saveWindow(window);
      this.probeRttDone = undefined;
    }
    if (this.mode === 'probe-rtt') this.probeRtt(window, sample);
    if (sample.segments > 0) this.idleRestart = false;
  }

  private probeRtt(window: Window, sample: PathSample): void {
    const { now } = sample;
    if (this.probeRttDone === undefined) {
      if (sample.inFlight > LEAST_WINDOW) return;
      this.probeRttDone = now + PROBE_RTT_TIME;
      this.probeRttRound = false;
      this.roundEnd = sample.delivered;
      return;
    }
    this.probeRttRound ||= this.roundBegins;
    if (!this.probeRttRound || now <= this.probeRttDone) return;
    this.minRttAt = now;
    window.cwnd = Math.max(window.cwnd, this.priorWindow);
    if (this.isFull) this.probeBandwidth(sample);
    else this.mode = 'startup';
  }

  /** §4.2.1: never slower than before as long as the pipe is not full. */
  private updateRate(window: Window, sample: PathSample): void {
    if (!this.seenRtt) this.beginRate(window, sample.mss, sample.rtt);
    const rate = this.bandwidth.value * this.pacingGain * PACING_MARGIN;
    if (rate > 0 && (this.isFull || rate > this.rate)) this.rate = rate;
  }

  /** §4.2.3. */
  private updateWindow(window: Window, sample: PathSample): void {
    const { segments } = sample;
    if (segments > 0 && !this.modulatesForLoss(window, sample)) {
      const extra = this.isFull ? this.aggregation.extra((this.bandwidth.value * 0.1) / sample.mss) : 0;
      const target = this.target(this.windowGain, sample) + extra;
      if (this.isFull) window.cwnd = Math.min(window.cwnd + segments, target);
      else if (window.cwnd < target || sample.delivered < 10) window.cwnd += segments;
      window.cwnd = Math.max(window.cwnd, LEAST_WINDOW);
    }
    if (this.mode === 'probe-rtt') window.cwnd = Math.min(window.cwnd, LEAST_WINDOW);
  }

  /** §4.2.3.4: one round of packet conservation, then as if nothing had been. True: that is all for the window. */
  private modulatesForLoss(window: Window, { lost, inFlight, segments, delivered, recovering }: PathSample): boolean {
    if (lost > 0) window.cwnd = Math.max(window.cwnd - lost, 1);
    if (recovering === 'fast' && !this.troubled) {
      this.conserves = true;
      this.roundEnd = delivered;
      window.cwnd = inFlight + segments;
    } else if (recovering === 'no' && this.troubled) {
      this.conserves = false;
      window.cwnd = Math.max(window.cwnd, this.priorWindow);
    }
    this.troubled = recovering !== 'no';
    if (!this.conserves) return false;
    window.cwnd = Math.max(window.cwnd, inFlight + segments);
    return true;
  }

  private saveWindow(window: Window): void {
    if (!this.troubled && this.mode !== 'probe-rtt') this.priorWindow = window.cwnd;
    else this.priorWindow = Math.max(this.priorWindow, window.cwnd);
  }

  /** Loss is no sign of congestion by itself: ssthresh stays, and the window is remembered. */
  reduce(window: Window): number {
    this.saveWindow(window);
    return window.ssthresh;
  }

  grow(): void {}

  /** The pipe may not have been full. */
  undo(window: Window): number {
    this.fullBandwidth = 0;
    this.fullRounds = 0;
    return window.cwnd;
  }

  /** A timeout ends a round. */
  timedOut(): void {
    this.troubled = true;
    this.fullBandwidth = 0;
    this.roundBegins = true;
  }

  /** §4.3.4.4: after idleness at the bandwidth itself, without a burst and without probing. */
  restart(now: Instant): void {
    this.idleRestart = true;
    this.aggregation.restart(now);
    if (this.mode === 'probe-bandwidth') this.rate = this.bandwidth.value * PACING_MARGIN;
  }

  pacingRate(): number {
    return this.rate > 0 ? this.rate : Number.POSITIVE_INFINITY;
  }
}

export const bbr = (): CongestionControl => new Bbr();
