/** Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 §5.4): unpredictable from outside, never going back. */
import type { Instant } from '../../base/instant.ts';
import type { Random } from '../../base/random.ts';
import { DrawnKey, type SipKey, sipHash } from '../../base/siphash.ts';
import { addressWords, type IpAddress, isIpv6 } from '../../wire/ip-address.ts';

export interface FourTuple {
  localAddress: IpAddress;
  localPort: number;
  remoteAddress: IpAddress;
  remotePort: number;
}

export class SequenceNumbers {
  private readonly isnKey: SipKey;
  private readonly timestampKey: SipKey;

  constructor(random: Random) {
    this.isnKey = new DrawnKey(random, 'isn key');
    this.timestampKey = new DrawnKey(random, 'timestamp key');
  }

  /** RFC 6528 §3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey), M ticking every 4 microseconds. */
  initial(now: Instant, ends: FourTuple): number {
    const m = Math.floor(now / 4000);
    return (m + sipHash(this.isnKey, words(ends)).low) | 0;
  }

  /** Added to the millisecond clock of a connection's timestamps. */
  timestampOffset(ends: FourTuple): number {
    return sipHash(this.timestampKey, words(ends)).low;
  }
}

function words({ localAddress, localPort, remoteAddress, remotePort }: FourTuple): number[] {
  const ports = (localPort << 16) | remotePort;
  if (!isIpv6(localAddress) && !isIpv6(remoteAddress)) return [localAddress | 0, remoteAddress | 0, ports];
  return [...addressWords(localAddress), ...addressWords(remoteAddress), ports];
}
