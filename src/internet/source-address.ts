/** Which of our IPv6 addresses a datagram carries as its source (RFC 6724 §5). */
import type { Instant } from '../base/instant.ts';
import type { AddressBook, KnownAddress } from './address-book.ts';
import type { OwnAddress } from './ndp-port.ts';

/** RFC 6724 §2.1: the policy table's labels; the longest prefix that fits says which. */
const LABELS: readonly { prefix: readonly number[]; bits: number; label: number }[] = [
  { prefix: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], bits: 128, label: 0 },
  { prefix: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], bits: 96, label: 4 },
  { prefix: [0x20, 0x01, 0, 0], bits: 32, label: 5 },
  { prefix: [0x20, 0x02], bits: 16, label: 2 },
  { prefix: [0xfc], bits: 7, label: 13 },
];

/** The best of `candidates`, which are on the way out; undefined without any. */
export function bestSource(
  book: AddressBook,
  destination: KnownAddress,
  candidates: readonly OwnAddress[],
  now: Instant,
): string | undefined {
  let best: OwnAddress | undefined;
  for (const candidate of candidates) {
    if (candidate.validUntil <= now) continue;
    if (best === undefined || isBetter(candidate, best)) best = candidate;
  }
  return best?.address;

  function isBetter(a: OwnAddress, b: OwnAddress): boolean {
    const [knownA, knownB] = [book.of(a.address), book.of(b.address)];
    // Rule 2: "Prefer appropriate scope": the smallest that reaches the destination's.
    const [scopeA, scopeB, wanted] = [scopeOf(knownA), scopeOf(knownB), scopeOf(destination)];
    if (scopeA !== scopeB) return scopeA < scopeB ? scopeA >= wanted : scopeB < wanted;
    // Rule 3: "Avoid deprecated addresses".
    const [isOldA, isOldB] = [a.preferredUntil <= now, b.preferredUntil <= now];
    if (isOldA !== isOldB) return isOldB;
    // Rule 6: "Prefer matching label".
    const label = labelOf(destination);
    const [fitsA, fitsB] = [labelOf(knownA) === label, labelOf(knownB) === label];
    if (fitsA !== fitsB) return fitsA;
    // Rule 8: "Use longest matching prefix".
    return commonBits(knownA.bytes, destination.bytes) > commonBits(knownB.bytes, destination.bytes);
  }
}

/** RFC 4291 §2.7's numbers: 2, the link; 14, everywhere. */
function scopeOf(address: KnownAddress): number {
  if (address.isMulticast) return address.bytes[1] & 15;
  return address.isLinkLocal || address.text === '::1' ? 2 : 14;
}

function labelOf({ bytes }: KnownAddress): number {
  return LABELS.find(({ prefix, bits }) => commonBits(bytes, prefix) >= bits)?.label ?? 1;
}

/** Of the first 64 of an address that is compared with another one; of all that a prefix has. */
function commonBits(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const differ = a[i] ^ b[i];
    if (differ !== 0) return i * 8 + Math.clz32(differ) - 24;
  }
  return length * 8;
}
