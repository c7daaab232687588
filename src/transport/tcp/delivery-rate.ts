/** How fast data reaches the other end (draft-ietf-ccwg-bbr §4.5): a sample for every acknowledgement. */
import type { Instant } from '../../base/instant.ts';
import type { AckNews } from './ack-news.ts';
import type { SendRecord } from './send-record.ts';

/** The latest of what an acknowledgement delivered (AckNews, or the record itself), as it was when it was sent. */
export interface Delivered {
  readonly appLimited: boolean;
  /** Segments delivered until then. */
  readonly priorDelivered: number;
}

const NOTHING: Delivered = { appLimited: false, priorDelivered: 0 };

/** Sent when the world began: there is nothing to reckon with. */
const isUntold = ({ sentAt, firstSentAt, deliveredAt }: SendRecord): boolean =>
  deliveredAt === 0 && firstSentAt === 0 && sentAt === 0;

export class DeliveryRate {
  /** Segments delivered so far; with an ECN echo among them. */
  delivered = 0;
  deliveredMarked = 0;
  private deliveredAt: Instant = 0;
  private firstSentAt: Instant = 0;
  /** The application had no more to send: the segment count up to which samples say little. */
  private appLimitedUntil = 0;
  /** What the last acknowledgement said, bytes per second; 0: nothing. */
  latest = 0;
  /** The latest sample, bytes per second; 0 before the first. */
  sampled = 0;
  sampledAppLimited = false;

  /** A record is about to be sent. */
  sending(now: Instant, record: SendRecord, nothingInFlight: boolean): void {
    if (nothingInFlight) {
      this.firstSentAt = now;
      this.deliveredAt = now;
    }
    record.priorDelivered = this.delivered;
    record.deliveredAt = this.deliveredAt;
    record.firstSentAt = this.firstSentAt;
    record.appLimited = this.appLimitedUntil > 0;
  }

  recordDelivered(record: SendRecord, news: AckNews): void {
    if (isUntold(record)) return;
    if (news.priorDeliveredAt !== 0 && record.priorDelivered <= news.priorDelivered) return;
    news.priorDelivered = record.priorDelivered;
    news.priorDeliveredAt = record.deliveredAt;
    news.appLimited = record.appLimited;
    news.sendInterval = record.sentAt - record.firstSentAt;
    this.firstSentAt = record.sentAt;
  }

  /** The acknowledgement is dealt with: the sample, in bytes per second. */
  finish(now: Instant, news: AckNews, newly: number, mss: number, minRtt: number): void {
    this.latest = 0;
    if (newly > 0) this.deliveredAt = now;
    this.sample(now, news.priorDelivered, news.priorDeliveredAt, news.sendInterval, mss, minRtt);
  }

  /** Both of them for an acknowledgement of this record and no other; answers what the sample is of. */
  deliveredAlone(now: Instant, record: SendRecord, mss: number, minRtt: number): Delivered {
    this.latest = 0;
    this.deliveredAt = now;
    if (isUntold(record)) return NOTHING;
    const sendInterval = record.sentAt - record.firstSentAt;
    this.firstSentAt = record.sentAt;
    this.sample(now, record.priorDelivered, record.deliveredAt, sendInterval, mss, minRtt);
    return record;
  }

  private sample(
    now: Instant,
    priorDelivered: number,
    priorDeliveredAt: Instant,
    sendInterval: number,
    mss: number,
    minRtt: number,
  ): void {
    if (priorDeliveredAt === 0 && sendInterval === 0) return;
    const segments = this.delivered - priorDelivered;
    const interval = Math.max(sendInterval, now - priorDeliveredAt);
    if (interval <= 0 || interval < minRtt) return;
    const rate = (segments * mss * 1e9) / interval;
    this.latest = rate;
    const limited = this.appLimitedUntil > 0;
    if (!limited || rate >= this.sampled) {
      this.sampled = rate;
      this.sampledAppLimited = limited;
    }
    if (this.delivered > this.appLimitedUntil) this.appLimitedUntil = 0;
  }

  /** Nothing waits to be sent although the window has room. */
  applicationLimited(inFlight: number): void {
    this.appLimitedUntil = Math.max(this.delivered + inFlight, 1);
  }

  get isAppLimited(): boolean {
    return this.appLimitedUntil > 0;
  }
}
