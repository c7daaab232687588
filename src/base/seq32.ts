/**
 * Sequence numbers modulo 2^32 (RFC 9293 §3.4). Nothing outside this file compares two of them.
 *
 * A number is kept as a signed 32-bit integer, which V8 stores without a box of its own; on the wire it has the same
 * bits, and people are shown it unsigned (`>>> 0`). "Before" means: by less than half the space.
 */
export type Seq = number;

export const seqAdd = (a: Seq, n: number): Seq => (a + n) | 0;

/** The signed distance from b to a: positive when a lies after b. */
export const seqDiff = (a: Seq, b: Seq): number => (a - b) | 0;

export const seqLt = (a: Seq, b: Seq): boolean => ((a - b) | 0) < 0;
export const seqLe = (a: Seq, b: Seq): boolean => ((a - b) | 0) <= 0;
export const seqGt = (a: Seq, b: Seq): boolean => ((a - b) | 0) > 0;
export const seqGe = (a: Seq, b: Seq): boolean => ((a - b) | 0) >= 0;

export const seqMax = (a: Seq, b: Seq): Seq => (seqGe(a, b) ? a : b);
export const seqMin = (a: Seq, b: Seq): Seq => (seqLe(a, b) ? a : b);

/** start <= seq < start + length. */
export const seqInWindow = (seq: Seq, start: Seq, length: number): boolean => (seq - start) >>> 0 < length;
