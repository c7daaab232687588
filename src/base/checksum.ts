/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of the 16-bit words.
 *
 * Sums are kept unfolded in a double while they are made: 2^53 leaves room for 2^37 words. A partial sum may be
 * carried over several pieces as long as every piece but the last has an even length.
 */
import { simdBlocks, simdSummer } from './checksum-simd.ts';

/** Below it, getting into WebAssembly and out again costs more than it saves. */
const SIMD_FROM = 96;
const simd = simdSummer();
/** The same where whole words of the machine can be read, which is quicker. */
export const SIMD_FROM_ALIGNED = simd === undefined ? Number.POSITIVE_INFINITY : 512;
/** In which order the machine has the bytes of a word. */
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Adds the 16-bit words of bytes[start, end) to `sum`; an odd last byte counts as the high byte of a word. */
export function sumWords(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  if (end - start < SIMD_FROM || simd === undefined) return sumPlainly(bytes, start, end, sum);
  let total = sum;
  let at = start;
  while (end - at >= SIMD_FROM) {
    const next = at + simdBlocks(end - at);
    total += swapped(simd(bytes, at, next));
    at = next;
  }
  return sumPlainly(bytes, at, end, total);
}

/** RFC 1071 §2 (B): summed in the other order of bytes, the result has its bytes swapped, and is otherwise the same. */
function swapped(sum: number): number {
  const folded = fold(sum);
  return ((folded & 0xff) << 8) | (folded >>> 8);
}

/** The same, where `words` are those of `bytes` and `start` is a multiple of four. */
export function sumAligned(words: Int32Array, bytes: Uint8Array, start: number, end: number, sum: number): number {
  let at = start >> 2;
  const last = at + (((end - start) >> 3) << 1);
  let high = 0;
  let low = 0;
  for (; at < last; at += 2) {
    const a = words[at];
    const b = words[at + 1];
    high += (a >>> 16) + (b >>> 16);
    low += (a & 0xffff) + (b & 0xffff);
  }
  const whole = isLittleEndian ? swapped(high + low) : high + low;
  return sumPlainly(bytes, last << 2, end, sum + whole);
}

function sumPlainly(bytes: Uint8Array, start: number, end: number, sum: number): number {
  let total = sum;
  let at = start;
  const even = end - ((end - start) & 1);
  // Four words a turn: the additions do not wait for each other, and no check of bounds is paid twice.
  let a = 0;
  let b = 0;
  const quads = start + ((even - start) & ~7);
  for (; at < quads; at += 8) {
    a += (bytes[at] << 8) + bytes[at + 1] + ((bytes[at + 2] << 8) + bytes[at + 3]);
    b += (bytes[at + 4] << 8) + bytes[at + 5] + ((bytes[at + 6] << 8) + bytes[at + 7]);
  }
  for (; at < even; at += 2) total += (bytes[at] << 8) + bytes[at + 1];
  if (at < end) total += bytes[at] << 8;
  return total + a + b;
}

/** The sum of both words of 32 bits. */
export const halves = (bits: number): number => (bits >>> 16) + (bits & 0xffff);

/** To 16 bits, with end-around carry; only a sum of nothing but zeros becomes zero. */
const fold = (sum: number): number => (sum <= 0x7fff_ffff ? foldInteger(sum) : foldLarge(sum));

/** With its halves exchanged the sum has both carries in its upper half. So small that it is inlined wherever it is used. */
const foldInteger = (sum: number): number => (sum + ((sum << 16) | (sum >>> 16))) >>> 16;

function foldLarge(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x10000) + (folded % 0x10000);
  return folded;
}

/** Folds a sum to 16 bits and complements it: the value that goes on the wire. */
export function finishChecksum(sum: number): number {
  return fold(sum) ^ 0xffff;
}

export function internetChecksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return finishChecksum(sumWords(bytes, start, end));
}

/**
 * RFC 1624 eqn. 3: the checksum after a 16-bit word of what it covers changed, HC' = ~(~HC + ~m + m').
 * NAT and TTL use it: a router never sums a payload again, and so never hides damage done to it.
 */
export function adjustChecksum(checksum: number, oldWord: number, newWord: number): number {
  return finishChecksum((checksum ^ 0xffff) + (oldWord ^ 0xffff) + newWord);
}
