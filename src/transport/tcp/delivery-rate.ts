/** How fast data reaches the other end (draft-ietf-ccwg-bbr §4.5): a sample for every acknowledgement. */
import type { Instant } from '../../base/instant.ts';
import type { AckNews } from './ack-news.ts';
import type { SendRecord } from './send-record.ts';

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
    record.delivered = this.delivered;
    record.deliveredAt = this.deliveredAt;
    record.firstSentAt = this.firstSentAt;
    record.appLimited = this.appLimitedUntil > 0;
  }

  recordDelivered(record: SendRecord, news: AckNews): void {
    if (record.deliveredAt === 0 && record.firstSentAt === 0 && record.sentAt === 0) return;
    if (news.priorDeliveredAt !== 0 && record.delivered <= news.priorDelivered) return;
    news.priorDelivered = record.delivered;
    news.priorDeliveredAt = record.deliveredAt;
    news.appLimited = record.appLimited;
    news.sendInterval = record.sentAt - record.firstSentAt;
    this.firstSentAt = record.sentAt;
  }

  /** The acknowledgement is dealt with: the sample, in bytes per second. */
  finish(now: Instant, news: AckNews, newly: number, mss: number, minRtt: number): void {
    this.latest = 0;
    if (newly > 0) this.deliveredAt = now;
    if (news.priorDeliveredAt === 0 && news.sendInterval === 0) return;
    const segments = this.delivered - news.priorDelivered;
    const interval = Math.max(news.sendInterval, now - news.priorDeliveredAt);
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
