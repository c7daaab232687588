/** Whose rule a connection has for when it acknowledges. */
import { type AckPolicy, FixedDelay } from './ack-policy.ts';
import { AdaptiveDelay } from './adaptive-delay.ts';
import { BsdDelay } from './bsd-delay.ts';
import { DEFAULT_MSS } from './tcb.ts';
import type { TcpSettings } from './types.ts';

/** `mss`: of our link. */
export function newAckPolicy({ ackRule, delayedAck }: TcpSettings, mss: number): AckPolicy {
  switch (ackRule) {
    case 'adaptive':
      return new AdaptiveDelay(DEFAULT_MSS, mss);
    case 'bsd':
      return new BsdDelay(delayedAck, mss);
    default:
      return new FixedDelay(delayedAck, DEFAULT_MSS);
  }
}
