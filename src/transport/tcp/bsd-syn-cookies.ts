/**
 * SYN cookies as BSD makes them (RFC 4987 §3.6): 24 bits of keyed hash, and 8 that say which of two secrets it is, the
 * MSS, the window scale and whether SACK is permitted, each as near as a few bits come. Nothing depends on timestamps.
 */
import { type Instant, seconds } from '../../base/instant.ts';
import type { Random } from '../../base/random.ts';
import { seqAdd } from '../../base/seq32.ts';
import { DrawnKey, type SipKey, sipHash } from '../../base/siphash.ts';
import type { Segment } from '../../wire/tcp.ts';
import type { FourTuple } from './isn.ts';
import { type CookieJar, nearest, synBefore, wordsOf } from './syn-cookies.ts';

const SIZES = [216, 536, 1200, 1360, 1400, 1440, 1452, 1460];
/** The first stands for a SYN without the option. */
const SCALES = [-1, 0, 1, 2, 4, 6, 7, 8];
/** How long a secret is the newer one of the two. */
const PERIOD = seconds(15);
const SACK_BIT = 2;
const MAX_AGE = 2;

export class BsdSynCookies implements CookieJar {
  readonly holdsOptions = true;
  private readonly key: SipKey;

  constructor(random: Random) {
    this.key = new DrawnKey(random, 'syn cookie key');
  }

  make(now: Instant, ends: FourTuple, syn: Segment, defaultMss: number): number {
    const period = Math.floor(now / PERIOD);
    const size = nearest(SIZES, syn.mss >= 0 ? syn.mss : defaultMss);
    const scale = nearest(SCALES, syn.windowScale);
    const flags = (size << 5) | (scale << 2) | (syn.sackPermitted ? SACK_BIT : 0) | (period & 1);
    return this.cookie(ends, syn.seq, period, flags);
  }

  /** It says nothing but the time. */
  timestamp(clock: number): number {
    return clock;
  }

  check(now: Instant, ends: FourTuple, ack: Segment): Segment | undefined {
    const cookie = seqAdd(ack.ack, -1);
    const seq = seqAdd(ack.seq, -1);
    const current = Math.floor(now / PERIOD);
    for (let period = current; period > current - MAX_AGE; period--) {
      const flags = (cookie ^ (this.hash(ends, seq, period) >>> 24)) & 0xff;
      const isOfPeriod = (flags & 1) === (period & 1);
      if (isOfPeriod && this.cookie(ends, seq, period, flags) === cookie) return remembered(ack, flags);
    }
    return undefined;
  }

  private cookie(ends: FourTuple, seq: number, period: number, flags: number): number {
    const hash = this.hash(ends, seq, period);
    // Anyone may know the flags: they are hidden, and part of what is hashed.
    const sealed = sipHash(this.key, [hash, flags]).low;
    return (sealed & ~0xff) | ((flags ^ (hash >>> 24)) & 0xff);
  }

  private hash(ends: FourTuple, seq: number, period: number): number {
    return sipHash(this.key, [...wordsOf(ends), seq, period]).low;
  }
}

function remembered(ack: Segment, flags: number): Segment {
  const syn = synBefore(ack, SIZES[flags >> 5]);
  syn.windowScale = SCALES[(flags >> 2) & 7];
  syn.sackPermitted = (flags & SACK_BIT) !== 0;
  return syn;
}
