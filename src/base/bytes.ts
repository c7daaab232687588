/** Small helpers over Uint8Array. */

import type { SlabAllocator } from './slab.ts';

const encoder = new TextEncoder();

export const EMPTY = new Uint8Array(0);

// V8 looks the methods of typed arrays up at every call, which takes as long as copying a short message.
const { set, subarray } = Uint8Array.prototype;

/** All of `source`, to where `at` is in `target`. */
export const copyInto = (target: Uint8Array, source: Uint8Array, at = 0): void => set.call(target, source, at);

/** The bytes in [start, end), not copied. */
export const viewOf = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  subarray.call(bytes, start, end) as Uint8Array;

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** One byte a character, as header fields are (RFC 9110 §5.5: "obs-text" stays opaque). */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  // A few characters are quicker one by one, many are quicker as arguments of one call (which must not be too many).
  if (end - start < 32) {
    for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }
  for (let at = start; at < end; at += 4096) {
    const part = bytes.subarray(at, Math.min(at + 4096, end));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

/** `slab`: where the room for it is taken from. */
export function fromLatin1(text: string, slab?: SlabAllocator): Uint8Array {
  const out = slab?.take(text.length) ?? new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

export function concat(parts: readonly Uint8Array[], slab?: SlabAllocator): Uint8Array {
  if (parts.length === 1) return parts[0];
  let length = 0;
  for (const part of parts) length += part.length;
  const out = slab?.take(length) ?? new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    copyInto(out, part, at);
    at += part.length;
  }
  return out;
}

const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, byte => HEX[byte]).join(separator);
}

export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/[\s:]/g, '');
  return Uint8Array.from({ length: digits.length >> 1 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}
