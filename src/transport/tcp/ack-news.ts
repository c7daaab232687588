/** What one acknowledgement told: filled in by the scoreboard, read by loss recovery and congestion control. */
import type { Instant } from '../../base/instant.ts';
import type { SeqRange } from '../../base/ranges.ts';
import type { Seq } from '../../base/seq32.ts';

const NO_BLOCKS: readonly SeqRange[] = [];

export class AckNews {
  /** SND.UNA moved. */
  advanced = false;
  dataAcked = false;
  synAcked = false;
  /** Something that was sent again is acknowledged. */
  resentAcked = false;
  /** Something was newly SACKed. */
  sacked = false;
  /** Something sent before recovery, and only once, was acknowledged or SACKed (RFC 5682 §3.1 step 3). */
  originalArrived = false;
  /** The other end echoes a congestion mark. */
  ece = false;
  /** It carries a D-SACK; one that is about a tail loss probe. */
  duplicateReported = false;
  probeDuplicated = false;
  hasData = false;
  windowUpdated = false;
  /** What is first in flight now had been SACKed: the receiver has thrown it away (RFC 2018 §8). */
  reneging = false;
  /** The retransmission timer is to be set anew. */
  rearm = false;
  /** A retransmission was found lost. */
  resentLost = false;
  /** Transmission times of what was newly SACKed and sent once: the first and the last of them. */
  firstSacked: Instant | undefined = undefined;
  lastSacked: Instant | undefined = undefined;
  /** The lowest that was newly SACKed, once sent, below the highest SACKed: reordering. */
  reordered: Seq = 0;
  /** Segments delivered out of order. */
  sackDelivered = 0;
  /** Bytes of data delivered, in order or not. */
  bytes = 0;
  /** SACK blocks, as they came. */
  blocks = NO_BLOCKS;
  /** Segments in flight before it. */
  priorPipe = 0;
  /** The latest transmission that is acknowledged was of a sender with nothing more to send. */
  appLimited = false;
  /** Delivery rate (draft-ietf-ccwg-bbr §4.5.2): of the latest transmission that is acknowledged. */
  priorDelivered = 0;
  priorDeliveredAt: Instant = 0;
  sendInterval = 0;

  /** As new, for the next acknowledgement: one object serves for all of them. */
  begin(nxt: Seq): this {
    this.advanced = false;
    this.dataAcked = false;
    this.synAcked = false;
    this.resentAcked = false;
    this.sacked = false;
    this.originalArrived = false;
    this.ece = false;
    this.duplicateReported = false;
    this.probeDuplicated = false;
    this.hasData = false;
    this.windowUpdated = false;
    this.reneging = false;
    this.rearm = false;
    this.resentLost = false;
    this.firstSacked = undefined;
    this.lastSacked = undefined;
    this.reordered = nxt;
    this.sackDelivered = 0;
    this.bytes = 0;
    this.blocks = NO_BLOCKS;
    this.appLimited = false;
    this.priorDelivered = 0;
    this.priorDeliveredAt = 0;
    this.sendInterval = 0;
    return this;
  }

  get hasSack(): boolean {
    return this.blocks.length > 0;
  }

  get acked(): boolean {
    return this.dataAcked || this.synAcked;
  }

  /** RFC 5681 §2: what a duplicate ACK is not. */
  get notDuplicate(): boolean {
    return this.hasData || this.windowUpdated || this.acked;
  }

  get alert(): boolean {
    return this.sacked || this.ece || this.duplicateReported;
  }

  get progress(): boolean {
    return this.acked || this.sacked;
  }
}
