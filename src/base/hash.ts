/** For hash tables over numbers, where no adversary chooses them: every bit of the four moves about half of the result's. */
export function hash4(a: number, b: number, c: number, d: number): number {
  // Odd constants of murmur3 and xxHash, then murmur3's way of mixing the end.
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  return h >>> 0;
}
