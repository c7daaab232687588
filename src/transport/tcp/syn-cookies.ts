/**
 * SYN cookies (RFC 4987 §3.6): under a flood a SYN is answered without remembering it. What must be known when the ACK
 * comes is in the initial sequence number: 5 bits of time, 3 of MSS, 24 of keyed hash. With timestamps, the low bits of
 * TSval carry the window scale and SACK as well.
 */
import { type Instant, seconds } from '../../base/instant.ts';
import type { Random } from '../../base/random.ts';
import { seqAdd } from '../../base/seq32.ts';
import { DrawnKey, type SipKey, sipHash } from '../../base/siphash.ts';
import { addressWords, isIpv6 } from '../../wire/ip-address.ts';
import { Segment, SYN } from '../../wire/tcp.ts';
import type { FourTuple } from './isn.ts';

/** Common values, the largest not above the peer's is taken. IPv6 has jumbo frames among them, as Linux does. */
const MSS_TABLES = {
  ipv4: [216, 536, 1024, 1300, 1360, 1400, 1440, 1460],
  ipv6: [536, 1024, 1220, 1360, 1400, 1420, 1440, 8940],
} as const;
const PERIOD = seconds(64);
/** Periods for which a cookie is good: one to two minutes. */
const MAX_AGE = 2;
const NO_SCALE = 15;
const OPTION_BITS = 5;

/** Makes cookies and knows them again. */
export interface CookieJar {
  /** A window scale and SACK are kept without timestamps. */
  readonly holdsOptions: boolean;
  /** The initial sequence number with which to answer `syn`; `defaultMss`: of one who tells none. */
  make(now: Instant, ends: FourTuple, syn: Segment, defaultMss: number): number;
  /** TSval of that answer. */
  timestamp(clock: number, syn: Segment): number;
  /** The SYN that `ack` must have answered, or undefined when its cookie is not ours or too old. */
  check(now: Instant, ends: FourTuple, ack: Segment): Segment | undefined;
}

export class SynCookies implements CookieJar {
  readonly holdsOptions = false;
  private readonly key: SipKey;

  constructor(random: Random) {
    this.key = new DrawnKey(random, 'syn cookie key');
  }

  make(now: Instant, ends: FourTuple, syn: Segment, defaultMss: number): number {
    const period = Math.floor(now / PERIOD);
    const index = nearest(tableFor(ends), syn.mss >= 0 ? syn.mss : defaultMss);
    return ((period & 31) << 27) | (index << 24) | this.hash(ends, syn.seq, period, index) | 0;
  }

  /** TSval with what no sequence number has room for: the peer's window scale and whether it permits SACK. */
  timestamp(clock: number, syn: Segment): number {
    const scale = syn.windowScale >= 0 ? Math.min(syn.windowScale, 14) : NO_SCALE;
    const bits = scale | (syn.sackPermitted ? 16 : 0);
    let value = ((clock >>> OPTION_BITS) << OPTION_BITS) | bits;
    // Never ahead of the clock: what follows on this connection must not look older.
    if (value >>> 0 > clock >>> 0) value -= 1 << OPTION_BITS;
    return value | 0;
  }

  check(now: Instant, ends: FourTuple, ack: Segment): Segment | undefined {
    const cookie = seqAdd(ack.ack, -1);
    const seq = seqAdd(ack.seq, -1);
    const index = (cookie >>> 24) & 7;
    const current = Math.floor(now / PERIOD);
    const age = (current - (cookie >>> 27)) & 31;
    if (age >= MAX_AGE || (cookie & 0xffffff) !== this.hash(ends, seq, current - age, index)) return undefined;
    return remembered(ack, tableFor(ends)[index]);
  }

  private hash(ends: FourTuple, seq: number, period: number, index: number): number {
    return sipHash(this.key, [...wordsOf(ends), seq, period * 8 + index]).low & 0xffffff;
  }
}

/** Four addresses and ports, as a hash takes them. */
export const wordsOf = ({ localAddress, localPort, remoteAddress, remotePort }: FourTuple): number[] => [
  ...addressWords(localAddress),
  ...addressWords(remoteAddress),
  localPort * 65536 + remotePort,
];

const tableFor = ({ remoteAddress }: FourTuple): readonly number[] =>
  isIpv6(remoteAddress) ? MSS_TABLES.ipv6 : MSS_TABLES.ipv4;

/** The place of the largest that is not above `wanted`, or the first. */
export const nearest = (values: readonly number[], wanted: number): number =>
  Math.max(
    0,
    values.findLastIndex(value => value <= wanted),
  );

/** As much of the SYN as its acknowledgement tells again, and the MSS that the cookie has kept. */
export function synBefore(ack: Segment, mss: number): Segment {
  const syn = new Segment();
  syn.flags = SYN;
  syn.seq = seqAdd(ack.seq, -1);
  syn.mss = mss;
  syn.window = ack.window;
  syn.hasTimestamps = ack.hasTimestamps;
  syn.tsVal = ack.tsVal;
  return syn;
}

function remembered(ack: Segment, mss: number): Segment {
  const syn = synBefore(ack, mss);
  if (!ack.hasTimestamps) return syn;
  const bits = ack.tsEcr & 31;
  syn.sackPermitted = (bits & 16) !== 0;
  syn.windowScale = (bits & 15) === NO_SCALE ? -1 : bits & 15;
  return syn;
}
