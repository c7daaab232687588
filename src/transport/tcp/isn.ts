/** Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 §5.4): unpredictable from outside, never going back. */
import type { Instant } from '../../base/instant.ts';
import type { Random } from '../../base/random.ts';
import { DrawnKey, type SipKey, type SipResult, sipHash } from '../../base/siphash.ts';
import { addressWords, type IpAddress, isIpv6 } from '../../wire/ip-address.ts';

export interface FourTuple {
  localAddress: IpAddress;
  localPort: number;
  remoteAddress: IpAddress;
  remotePort: number;
}

/** F of a connection: one half for its sequence numbers, the other for its timestamps; neither tells of the other. */
export type Secret = SipResult;

export class SequenceNumbers {
  private readonly key: SipKey;

  constructor(random: Random) {
    this.key = new DrawnKey(random, 'isn key');
  }

  /** F(localip, localport, remoteip, remoteport, secretkey), reckoned once for both uses. */
  secretOf(ends: FourTuple): Secret {
    return sipHash(this.key, words(ends));
  }

  /** RFC 6528 §3: ISN = M + F(...), M ticking every 4 microseconds. */
  initial(now: Instant, secret: Secret): number {
    return (Math.floor(now / 4000) + secret.low) | 0;
  }

  /** Added to the millisecond clock of a connection's timestamps. */
  timestampOffset(secret: Secret): number {
    return secret.high;
  }
}

function words({ localAddress, localPort, remoteAddress, remotePort }: FourTuple): number[] {
  const ports = (localPort << 16) | remotePort;
  if (!isIpv6(localAddress) && !isIpv6(remoteAddress)) return [localAddress | 0, remoteAddress | 0, ports];
  return [...addressWords(localAddress), ...addressWords(remoteAddress), ports];
}
