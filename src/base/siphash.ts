/**
 * SipHash-2-4 (Aumasson, Bernstein 2012) in 32-bit halves: the keyed function F of initial sequence numbers
 * (RFC 6528 §3), of timestamp offsets (RFC 7323 §5.4) and of SYN cookies.
 */
import type { Random } from './random.ts';

export interface SipKey {
  readonly words: Uint32Array; // four words: k0 low, k0 high, k1 low, k1 high
}

/** A key from a stream of its own, drawn when it is first used. */
export class DrawnKey implements SipKey {
  private readonly random: Random;
  private readonly label: string;
  private drawn: Uint32Array | undefined = undefined;

  constructor(random: Random, label: string) {
    this.random = random;
    this.label = label;
  }

  get words(): Uint32Array {
    if (this.drawn === undefined) {
      const stream = this.random.fork(this.label);
      this.drawn = Uint32Array.of(stream.u32(), stream.u32(), stream.u32(), stream.u32());
    }
    return this.drawn;
  }
}

/** Two 32-bit halves of the 64-bit result. */
export interface SipResult {
  low: number;
  high: number;
}

/** Hashes a message of 32-bit words. v0 to v3 are kept as halves, in variables: an array of them takes three times as long. */
export function sipHash(key: SipKey, message: readonly number[]): SipResult {
  const k = key.words;
  let [v0, w0, v1, w1] = [0x70736575 ^ k[0], 0x736f6d65 ^ k[1], 0x6e646f6d ^ k[2], 0x646f7261 ^ k[3]];
  let [v2, w2, v3, w3] = [0x6e657261 ^ k[0], 0x6c796765 ^ k[1], 0x79746573 ^ k[2], 0x74656462 ^ k[3]];
  const { length } = message;
  const whole = length >> 1;
  // Two rounds for each block, of which the last holds the length in bytes in its top byte, and four behind them.
  for (let n = 0; n < 2 * (whole + 1) + 4; n++) {
    const block = n >> 1;
    const low = block < whole ? message[2 * block] : length % 2 === 0 ? 0 : message[length - 1];
    const high = block < whole ? message[2 * block + 1] : ((length * 4) & 0xff) << 24;
    if (block <= whole && n % 2 === 0) {
      v3 ^= low;
      w3 ^= high;
    }
    if (n === 2 * (whole + 1)) v2 ^= 0xff;
    let sum = (v0 >>> 0) + (v1 >>> 0);
    w0 = (w0 + w1 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    v0 = sum | 0;
    let was = v1;
    v1 = (was << 13) | (w1 >>> 19);
    w1 = (w1 << 13) | (was >>> 19);
    v1 ^= v0;
    w1 ^= w0;
    was = v0;
    v0 = w0;
    w0 = was;
    sum = (v2 >>> 0) + (v3 >>> 0);
    w2 = (w2 + w3 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    v2 = sum | 0;
    was = v3;
    v3 = (was << 16) | (w3 >>> 16);
    w3 = (w3 << 16) | (was >>> 16);
    v3 ^= v2;
    w3 ^= w2;
    sum = (v0 >>> 0) + (v3 >>> 0);
    w0 = (w0 + w3 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    v0 = sum | 0;
    was = v3;
    v3 = (was << 21) | (w3 >>> 11);
    w3 = (w3 << 21) | (was >>> 11);
    v3 ^= v0;
    w3 ^= w0;
    sum = (v2 >>> 0) + (v1 >>> 0);
    w2 = (w2 + w1 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    v2 = sum | 0;
    was = v1;
    v1 = (was << 17) | (w1 >>> 15);
    w1 = (w1 << 17) | (was >>> 15);
    v1 ^= v2;
    w1 ^= w2;
    was = v2;
    v2 = w2;
    w2 = was;
    if (block <= whole && n % 2 === 1) {
      v0 ^= low;
      w0 ^= high;
    }
  }
  return { low: (v0 ^ v1 ^ v2 ^ v3) >>> 0, high: (w0 ^ w1 ^ w2 ^ w3) >>> 0 };
}
