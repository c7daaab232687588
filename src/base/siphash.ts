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
  private drawn: Uint32Array | undefined;

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

/** v0..v3 as (low, high) pairs: written and read within one call. */
const SCRATCH = new Int32Array(8);

/** Hashes a message of 32-bit words. */
export function sipHash(key: SipKey, message: readonly number[]): SipResult {
  const k = key.words;
  const v = SCRATCH;
  v[0] = 0x70736575 ^ k[0];
  v[1] = 0x736f6d65 ^ k[1];
  v[2] = 0x6e646f6d ^ k[2];
  v[3] = 0x646f7261 ^ k[3];
  v[4] = 0x6e657261 ^ k[0];
  v[5] = 0x6c796765 ^ k[1];
  v[6] = 0x79746573 ^ k[2];
  v[7] = 0x74656462 ^ k[3];
  const { length } = message;
  for (let i = 0; i + 1 < length; i += 2) block(v, message[i], message[i + 1]);
  // The last block holds the length in bytes in its top byte.
  block(v, length % 2 === 0 ? 0 : message[length - 1], ((length * 4) & 0xff) << 24);
  v[4] ^= 0xff;
  for (let i = 0; i < 4; i++) round(v);
  return { low: (v[0] ^ v[2] ^ v[4] ^ v[6]) >>> 0, high: (v[1] ^ v[3] ^ v[5] ^ v[7]) >>> 0 };
}

function block(v: Int32Array, low: number, high: number): void {
  v[6] ^= low;
  v[7] ^= high;
  round(v);
  round(v);
  v[0] ^= low;
  v[1] ^= high;
}

function round(v: Int32Array): void {
  add(v, 0, 2);
  rotate(v, 2, 13);
  xor(v, 2, 0);
  swap(v, 0);
  add(v, 4, 6);
  rotate(v, 6, 16);
  xor(v, 6, 4);
  add(v, 0, 6);
  rotate(v, 6, 21);
  xor(v, 6, 0);
  add(v, 4, 2);
  rotate(v, 2, 17);
  xor(v, 2, 4);
  swap(v, 4);
}

function add(v: Int32Array, a: number, b: number): void {
  const low = (v[a] >>> 0) + (v[b] >>> 0);
  v[a] = low;
  v[a + 1] = v[a + 1] + v[b + 1] + (low > 0xffffffff ? 1 : 0);
}

function xor(v: Int32Array, a: number, b: number): void {
  v[a] ^= v[b];
  v[a + 1] ^= v[b + 1];
}

function rotate(v: Int32Array, a: number, bits: number): void {
  const low = v[a];
  const high = v[a + 1];
  v[a] = (low << bits) | (high >>> (32 - bits));
  v[a + 1] = (high << bits) | (low >>> (32 - bits));
}

function swap(v: Int32Array, a: number): void {
  const low = v[a];
  v[a] = v[a + 1];
  v[a + 1] = low;
}
