/**
 * RACK (RFC 8985): a segment is lost when one that was sent after it has been delivered, and the time that reordering
 * may take has passed since. It holds for retransmissions as well, which counting duplicate ACKs does not.
 */
import type { Duration, Instant } from '../../base/instant.ts';
import { type Seq, seqGt } from '../../base/seq32.ts';
import type { SendQueue } from './send-queue.ts';
import type { SendRecord } from './send-record.ts';

/** §6.2 step 4: recoveries for which an enlarged window is kept (RACK.reo_wnd_persist). */
const PERSIST = 16;

export class Rack {
  /** RACK.xmit_ts and RACK.end_seq: the latest transmission that is known to have been delivered. */
  private sentAt: Instant = 0;
  private endSeq: Seq = 0;
  /** RACK.rtt */
  rtt: Duration = 0;
  /** Something was delivered since losses were last looked for. */
  advanced = false;
  reorderingSeen = false;
  /** RACK.dsack_round: a D-SACK has come that the window is to grow for. */
  dsackSeen = false;
  private multiplier = 1;
  private persist = 0;
  private lastDelivered = 0;

  /** §6.2 steps 1 and 2. */
  delivered(now: Instant, record: SendRecord, minRtt: Duration): void {
    const rtt = now - record.sentAt;
    // A retransmission acknowledged sooner than any round trip took: it was the original that arrived.
    if (record.everResent && rtt < minRtt) return;
    this.advanced = true;
    this.rtt = rtt;
    if (isAfter(record.sentAt, record.end, this.sentAt, this.endSeq)) {
      this.sentAt = record.sentAt;
      this.endSeq = record.end;
    }
  }

  /** §6.2 step 4: the reordering window. `recovering` or with as many SACKed as DupThresh, and no reordering seen: none. */
  window(queue: SendQueue, recovering: boolean, reordering: number, minRtt: Duration, srtt: Duration): Duration {
    if (!this.reorderingSeen && (recovering || queue.sacked >= reordering)) return 0;
    return minRtt === Number.POSITIVE_INFINITY ? 0 : Math.min((this.multiplier * minRtt) / 4, srtt);
  }

  /** Grows with every round trip in which a D-SACK told of a retransmission that was not needed. */
  adapt(priorDelivered: number, delivered: number): void {
    if (priorDelivered < this.lastDelivered) this.dsackSeen = false;
    if (this.dsackSeen) {
      this.multiplier = Math.min(this.multiplier + 1, 255);
      this.dsackSeen = false;
      this.lastDelivered = delivered;
      this.persist = PERSIST;
    } else if (this.persist === 0) {
      this.multiplier = 1;
    }
  }

  recoveryEnded(): void {
    if (this.persist > 0) this.persist--;
  }

  recoveryUndone(): void {
    this.persist = Math.min(PERSIST, this.persist + 1);
  }

  /** §6.2 step 5: marks what is lost; answers how long to wait for the others, 0 for not at all. */
  detect(now: Instant, queue: SendQueue, window: Duration): Duration {
    let wait = 0;
    let record = queue.oldestTransmission;
    while (record !== undefined) {
      const { later } = record;
      if (!(record.lost && !record.resent)) {
        if (!isAfter(this.sentAt, this.endSeq, record.sentAt, record.end)) break;
        const left = this.remaining(now, record, window);
        if (left <= 0) {
          queue.markLost(record);
          queue.untime(record);
        } else {
          wait = Math.max(wait, left);
        }
      }
      record = later;
    }
    return wait;
  }

  remaining(now: Instant, record: SendRecord, window: Duration): Duration {
    return record.sentAt + this.rtt + window - now;
  }
}

/** §6.2 RACK_sent_after. */
const isAfter = (t1: Instant, seq1: Seq, t2: Instant, seq2: Seq): boolean =>
  t1 > t2 || (t1 === t2 && seqGt(seq1, seq2));
