/**
 * The sending side of FreeBSD 14's TCP written once more, in its own terms and in bytes, as far as loss recovery and the
 * congestion window go: what the freebsd profile is held against (bsd-sender.test.ts). Sequence numbers are relative,
 * the first byte of data being 1, and do not wrap; every write is of whole segments; no timestamps.
 */

import { type Block, BsdHoles, type SackChange } from './bsd-holes.ts';

export interface BsdOptions {
  mss: number;
  sack: boolean;
  prr: boolean;
  window: number;
  control: 'newreno' | 'cubic';
  /** Milliseconds. */
  now: () => number;
}

const THRESHOLD = 3;
const ABC_L = 2;
const NO_SSTHRESH = 65535 << 14;
/** cc_cubic.h: 0.7 and (1 + 0.7) / 2, of 256. */
const CUBIC_BETA = 179;
const CUBIC_FC = 217;

export class BsdSender {
  sent: string[] = [];
  cwnd: number;
  ssthresh = NO_SSTHRESH;
  una = 1;
  nxt = 1;
  max = 1;
  private written = 1;
  private dupacks = 0;
  private recover = 0;
  private fast = false;
  /** The window has been reduced for an ECN echo. */
  private cong = false;
  private limited = 0;
  private bytesAcked = 0;
  private timeouts = 0;
  /** The segment whose round trip is measured. */
  private timed: number | undefined;
  private timedAt = 0;
  private srtt = 0;
  private ackNow = false;
  private readonly board: BsdHoles;
  private delivered = 0;
  private prrDelivered = 0;
  private prrOut = 0;
  private recoverFs = 0;
  // CUBIC.
  private wMax = 0;
  private reducedBefore = false;
  private k = 0;
  private epoch = 0;
  private samples = 1;
  private slow = false;
  /** Milliseconds. */
  private minRtt = 0;
  private meanRtt = 0;
  private sumOfRtts = 0;
  private countOfRtts = 0;
  private afterTimeout = false;
  private readonly o: BsdOptions;

  constructor(options: BsdOptions) {
    this.o = options;
    this.board = new BsdHoles(options.mss);
    this.cwnd = Math.min(10 * options.mss, Math.max(2 * options.mss, 14600));
  }

  write(length: number): void {
    this.written += length;
    this.output();
  }

  /** The retransmission timer. */
  timeout(): void {
    this.timeouts++;
    this.timed = undefined;
    this.board.timedOut(this.timeouts > 1);
    this.nxt = this.una;
    this.recover = this.max;
    this.ackNow = true;
    this.dupacks = 0;
    this.bytesAcked = 0;
    this.fast = false;
    this.cong = false;
    const { mss } = this.o;
    if (this.o.control === 'newreno') {
      this.ssthresh = Math.max(Math.floor(Math.min(this.o.window, this.cwnd) / 2 / mss), 2) * mss;
    } else {
      this.ssthresh = Math.max(Math.floor((this.cwnd * CUBIC_BETA) / 256), 2 * mss);
      this.reducedBefore = true;
      this.afterTimeout = true;
    }
    this.cwnd = mss;
    this.output();
  }

  acknowledge(ack: number, sack: readonly Block[], echo = false): void {
    const { mss } = this.o;
    if (ack > this.max || ack < this.una) return;
    let change: SackChange = 'none';
    this.delivered = 0;
    if (this.isSackRecovery(sack)) {
      change = this.board.update(this.una, ack, this.max, this.recover, sack);
      this.delivered = this.board.delivered;
      this.findLostRetransmission();
    }
    if (echo) this.takeEcho(ack);
    if (ack === this.una) {
      if (this.isSackRecovery(sack) && change === 'none') {
        // Nothing new.
      } else if (this.max === this.una) {
        this.dupacks = 0;
      } else if (++this.dupacks > THRESHOLD || this.fast) {
        this.duplicateInRecovery(sack, change);
        return;
      } else if (this.dupacks === THRESHOLD || (this.o.sack && this.board.sackedBytes > (THRESHOLD - 1) * mss)) {
        if (this.enterRecovery(ack, sack)) return;
      } else {
        this.limitedTransmit();
        return;
      }
      if (this.ackNow) this.output();
      return;
    }
    this.dupacks = 0;
    if (
      this.isSackRecovery(sack) &&
      ((this.timeouts === 0 && change !== 'none') || (this.timeouts > 0 && change === 'new loss')) &&
      this.nxt === this.max
    ) {
      this.dupacks++;
      if (!this.fast && this.board.sackedBytes > (THRESHOLD - 1) * mss) this.enterRecovery(ack, sack);
    }
    if (ack < this.recover && this.fast) {
      this.partialAck(ack, sack, change);
    } else if (ack < this.recover && this.cong && this.o.prr) {
      this.delivered = ack - this.una;
      this.prrAck(sack, 'change');
      this.output();
    }
    if (this.timed !== undefined && ack > this.timed) {
      this.timed = undefined;
      this.timeouts = 0;
      this.samples++;
      const rtt = this.o.now() - this.timedAt;
      this.srtt = this.srtt === 0 ? rtt : this.srtt * 0.875 + rtt * 0.125;
    }
    this.advance(ack);
    this.output();
  }

  get pipe(): number {
    const { board } = this;
    return Math.max(this.max - this.una + board.resentBytes - board.sackedBytes - board.lostBytes, 0);
  }

  private isSackRecovery(sack: readonly Block[]): boolean {
    return this.o.sack && (sack.length > 0 || this.board.holes.length > 0);
  }

  /** tcp_sack_lost_retransmission: something sent after recovery began has arrived, the first hole, sent again, has not. */
  private findLostRetransmission(): void {
    if (!this.fast || !this.board.restartLost(this.recover)) return;
    this.cwnd = this.ssthresh;
    this.fast = false;
    this.signalLoss();
    this.cwnd = this.o.mss;
    this.recoverFs = this.max - this.una - this.recoverFs;
  }

  // --- recovery

  private takeEcho(ack: number): void {
    if ((this.fast || this.cong) && ack < this.recover) return;
    this.fast = false;
    this.recover = this.max + 1;
    this.lower();
    this.cwnd = this.ssthresh;
    this.cong = true;
    this.prrDelivered = 0;
    this.prrOut = 0;
    this.recoverFs = 0;
  }

  private signalLoss(): void {
    if (!this.fast) this.recover = this.max;
    this.lower();
    this.fast = true;
    this.cong = false;
  }

  private lower(): void {
    const { mss } = this.o;
    if (this.o.control === 'newreno') {
      this.ssthresh = Math.max(Math.floor(this.cwnd / 2 / mss), 2) * mss;
    } else {
      let cwnd = this.cwnd;
      if (cwnd < this.wMax) cwnd = (cwnd * CUBIC_FC) >> 8;
      this.wMax = this.reducedBefore ? cwnd : (cwnd * CUBIC_BETA) >> 8;
      this.ssthresh = Math.max(this.reducedBefore ? (cwnd * CUBIC_BETA) >> 8 : cwnd >> 1, 2 * mss);
      this.reducedBefore = true;
      this.k = this.timeToMax();
      this.epoch = this.o.now();
    }
  }

  /** True: the segment has been dealt with. */
  private enterRecovery(ack: number, sack: readonly Block[]): boolean {
    const { mss } = this.o;
    this.dupacks = THRESHOLD;
    const onxt = this.nxt;
    if (this.isSackRecovery(sack) ? this.fast : ack <= this.recover) {
      this.dupacks = 0;
      return false;
    }
    this.signalLoss();
    this.timed = undefined;
    if (this.o.prr) {
      this.prrDelivered = this.isSackRecovery(sack) ? Math.min(this.max - ack, (this.limited + 1) * mss) : mss;
      this.prrOut = 0;
      this.recoverFs = Math.max(1, this.nxt - this.una);
    }
    const limited = this.limited;
    this.limited = 0;
    if (this.isSackRecovery(sack)) {
      this.cwnd = mss;
      this.output();
      return ack === this.una;
    }
    this.nxt = ack;
    this.cwnd = mss;
    this.output();
    this.cwnd = this.ssthresh + mss * (this.dupacks - limited);
    this.nxt = Math.max(onxt, this.nxt);
    return true;
  }

  private duplicateInRecovery(sack: readonly Block[], change: SackChange): void {
    const { mss, prr } = this.o;
    if (prr && this.fast && this.o.sack) {
      this.prrAck(sack, change);
    } else if (this.isSackRecovery(sack) && this.fast) {
      if (this.pipe < this.ssthresh) {
        this.cwnd = Math.min(this.cwnd + Math.max(mss, Math.min(2 * mss, this.delivered)), this.ssthresh);
      }
    } else {
      this.cwnd += mss;
    }
    this.output();
  }

  private prrAck(sack: readonly Block[], change: SackChange): void {
    const { mss } = this.o;
    const bySack = this.isSackRecovery(sack) || !this.fast;
    const delivered = bySack ? this.delivered : this.prrDelivered < THRESHOLD * mss + this.recover - this.una ? mss : 0;
    const pipe = bySack ? this.pipe : Math.max(0, this.max - this.una - this.dupacks * mss);
    this.prrDelivered += delivered;
    let count: number;
    if (pipe >= this.ssthresh) {
      if (this.recoverFs === 0) this.recoverFs = Math.max(1, this.nxt - this.una);
      count = Math.ceil((this.prrDelivered * this.ssthresh) / this.recoverFs) - this.prrOut + mss - 1;
    } else {
      const more = this.prrDelivered - this.prrOut;
      const limit = change === 'new loss' || delivered === 0 ? more : Math.max(more, delivered) + mss;
      count = Math.min(this.ssthresh - pipe, limit);
    }
    count = Math.floor(Math.max(count, 0) / mss);
    if (!this.fast) this.cwnd = pipe - delivered + count * mss;
    else if (bySack) this.cwnd = this.nxt - this.recover + this.board.resentBytes + count * mss;
    else this.cwnd = this.max - this.una + count * mss;
    this.cwnd = Math.max(mss, this.cwnd);
  }

  private partialAck(ack: number, sack: readonly Block[], change: SackChange): void {
    const { mss } = this.o;
    this.timed = undefined;
    if (!this.o.sack) return this.newRenoPartialAck(ack);
    if (this.o.prr && sack.length > 0) {
      this.prrAck(sack, change);
      this.ackNow = true;
      this.output();
      return;
    }
    const segments = ack - this.una >= 2 * mss ? 2 : 1;
    if (this.nxt === this.max) this.cwnd = this.board.resentBytes + (this.nxt - this.recover) + segments * mss;
    this.cwnd = Math.min(this.cwnd, this.ssthresh);
    this.ackNow = true;
    // RFC 6675 §4 NextSeg (4), the rescue retransmission: of the last segment, where nothing is left to say of the rest.
    const high = Math.min(this.max, this.recover);
    if (ack < high && this.board.holes.length === 0 && this.delivered > 0) this.board.rescue(ack, high);
    this.output();
  }

  private newRenoPartialAck(ack: number): void {
    const { mss } = this.o;
    const onxt = this.nxt;
    const ocwnd = this.cwnd;
    this.nxt = ack;
    this.cwnd = mss + (ack - this.una);
    this.ackNow = true;
    this.output();
    this.cwnd = Math.max(ocwnd - (ack - this.una), 0) + mss;
    this.nxt = Math.max(onxt, this.nxt);
  }

  private limitedTransmit(): void {
    const { mss } = this.o;
    const cwnd = this.cwnd;
    const oldMax = this.max;
    if (this.dupacks === 1) this.limited = 0;
    if (this.nxt === this.max && this.timeouts === 0) this.cwnd = this.nxt - this.una;
    this.cwnd += (this.dupacks - this.limited) * mss;
    if (this.written > this.nxt || this.ackNow) this.output();
    const sent = this.max - oldMax;
    if (sent > mss) this.limited = 2;
    else if (sent > 0) this.limited++;
    this.cwnd = cwnd;
  }

  private advance(ack: number): void {
    const { mss } = this.o;
    const acked = ack - this.una;
    const limited = this.cwnd <= this.o.window;
    let whole = false;
    if (this.cwnd > this.ssthresh) {
      this.bytesAcked += acked;
      if (this.bytesAcked >= this.cwnd) {
        this.bytesAcked -= this.cwnd;
        whole = true;
      }
    } else {
      this.bytesAcked = 0;
    }
    const reducing = this.fast || this.cong;
    if (!reducing && limited) this.grow(acked, whole);
    this.una = ack;
    if (reducing && ack >= this.recover) {
      const { pipe } = this;
      if (!this.fast) this.cong = false;
      else if (pipe < this.ssthresh) this.cwnd = Math.max(pipe, mss) + mss;
      else this.cwnd = this.o.control === 'cubic' ? Math.max((this.wMax * CUBIC_BETA) >> 8, 2 * mss) : this.ssthresh;
      this.fast = false;
      this.bytesAcked = 0;
      this.prrDelivered = 0;
      this.prrOut = 0;
      if (this.countOfRtts > 0) this.meanRtt = this.sumOfRtts / this.countOfRtts;
      this.sumOfRtts = 0;
      this.countOfRtts = 0;
    }
    if (this.o.sack) this.recover = Math.max(this.recover, this.una);
    this.nxt = Math.max(this.nxt, this.una);
  }

  private grow(acked: number, whole: boolean): void {
    const { mss } = this.o;
    if (this.samples >= 8) this.recordRtt();
    const isSlow = this.cwnd <= this.ssthresh || (this.o.control === 'cubic' && this.samples < 8);
    if (isSlow) {
      this.slow = true;
      this.cwnd += Math.min(acked, (this.nxt === this.max ? ABC_L : 1) * mss);
      return;
    }
    const reno = this.cwnd + (whole ? mss : 0);
    if (this.o.control === 'newreno') {
      this.cwnd = reno;
      return;
    }
    if (this.slow) {
      this.slow = false;
      if (this.afterTimeout) this.wMax = this.cwnd;
      this.k = this.afterTimeout ? 0 : this.timeToMax();
      this.afterTimeout = false;
      this.epoch = this.o.now();
    }
    const t = (this.o.now() - this.epoch + this.meanRtt) / 1000 - this.k;
    this.cwnd = Math.max(this.cwnd, reno, Math.floor((102 / 256) * t ** 3) * mss + this.wMax);
    if (this.reducedBefore || this.wMax >= this.cwnd) return;
    this.wMax = this.cwnd;
    this.k = this.timeToMax();
  }

  private recordRtt(): void {
    if (this.minRtt === 0 || this.srtt < this.minRtt) {
      this.minRtt = this.srtt;
      this.meanRtt = Math.max(this.meanRtt, this.srtt);
    }
    this.sumOfRtts += this.srtt;
    this.countOfRtts++;
  }

  private timeToMax(): number {
    return Math.cbrt((this.wMax / this.o.mss) * (77 / 102));
  }

  // --- tcp_output

  private output(): void {
    for (;;) {
      const idle = this.max === this.una;
      if (this.o.sack && this.nxt < this.max) this.nxt = this.board.skipSacked(this.nxt);
      const sendwin = Math.min(this.o.window, this.cwnd);
      const hole = this.o.sack && this.fast ? this.board.next() : undefined;
      let len = 0;
      let again = false;
      if (hole !== undefined) {
        const room = Math.max(sendwin - this.board.resentBytes, 0);
        if (hole.end > this.recover) len = hole.rxmit >= this.recover ? 0 : Math.min(this.recover - hole.rxmit, room);
        else len = Math.min(hole.end - hole.rxmit, room);
        again = len > 0;
      }
      const start = again && hole !== undefined ? hole.rxmit : this.nxt;
      if (!again) len = this.newLength(sendwin);
      const more = again || len > this.o.mss;
      len = Math.min(Math.max(len, 0), this.o.mss);
      if (!this.sends(len, start, idle, again)) {
        if (this.ackNow) this.sent.push('ack');
        this.ackNow = false;
        return;
      }
      this.ackNow = false;
      this.sent.push(`${start}:${start + len}`);
      if (this.fast || this.cong) this.prrOut += len;
      if (again && hole !== undefined) {
        hole.rxmit += len;
        if (hole.rxmit >= hole.end) hole.rxmit = Math.max(hole.rxmit, this.recover);
        this.board.resentBytes += len;
      } else {
        this.nxt += len;
        if (this.nxt > this.max && this.timed === undefined) {
          this.timed = start;
          this.timedAt = this.o.now();
        }
        this.max = Math.max(this.max, this.nxt);
      }
      if (!more) return;
    }
  }

  private newLength(sendwin: number): number {
    const off = this.nxt - this.una;
    const available = this.written - this.una;
    if (this.board.resentBytes === 0 || this.nxt < this.max || !this.fast) return Math.min(available, sendwin) - off;
    const len = Math.min(available - off, this.o.window - off);
    return Math.min(len, Math.max(0, this.cwnd - Math.max(0, this.nxt - this.recover) - this.board.resentBytes));
  }

  /** Against silly windows. */
  private sends(len: number, start: number, idle: boolean, resends: boolean): boolean {
    if (len === 0) return false;
    if (len >= this.o.mss) return true;
    if (idle && start + len >= this.written) return true;
    return len >= this.o.window / 2 || start < this.max || resends;
  }
}
