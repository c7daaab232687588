/** IPv6 addresses from their words to their text and back, each worked out once and not for every packet. */
import type { Memory } from '../base/slab.ts';
import {
  addressBytes,
  addressSum,
  addressWords,
  type Ipv6Address,
  ipv6At,
  isLinkLocal,
  isMulticast6,
} from '../wire/ip-address.ts';

export class KnownAddress {
  readonly text: Ipv6Address;
  /** Of 32 bits, as signed integers. */
  readonly words: readonly number[];
  /** Its share of a pseudo-header's checksum. */
  readonly sum: number;
  readonly isMulticast: boolean;
  readonly isLinkLocal: boolean;

  constructor(text: Ipv6Address) {
    this.text = text;
    this.words = addressWords(text).map(word => word | 0);
    this.sum = addressSum(text);
    this.isMulticast = isMulticast6(text);
    this.isLinkLocal = isLinkLocal(text);
  }

  get bytes(): Uint8Array {
    return addressBytes(this.text);
  }

  isAt(rows: DataView, at: number): boolean {
    const { words } = this;
    // The last word first: it tells most addresses apart.
    return (
      rows.getInt32(at + 12) === words[3] &&
      rows.getInt32(at + 8) === words[2] &&
      rows.getInt32(at + 4) === words[1] &&
      rows.getInt32(at) === words[0]
    );
  }
}

/** A scan of many addresses must not fill the memory. */
const MOST = 4096;

export class AddressBook {
  private readonly byText = new Map<Ipv6Address, KnownAddress>();
  /** By a hash of the bytes: of two with the same, the later is kept. */
  private readonly byHash = new Map<number, KnownAddress>();

  of(text: Ipv6Address): KnownAddress {
    return this.byText.get(text) ?? this.add(text);
  }

  /** The address that stands at `at`. */
  at({ rows, bytes }: Memory, at: number): KnownAddress {
    const hash = hashAt(rows, at);
    const known = this.byHash.get(hash);
    if (known?.isAt(rows, at)) return known;
    const found = this.of(ipv6At(bytes, at));
    this.byHash.set(hash, found);
    return found;
  }

  private add(text: Ipv6Address): KnownAddress {
    if (this.byText.size >= MOST) {
      this.byText.clear();
      this.byHash.clear();
    }
    const known = new KnownAddress(text);
    this.byText.set(text, known);
    return known;
  }
}

/** Within 31 bits: a map is quickest with such keys. */
function hashAt(rows: DataView, at: number): number {
  const low = rows.getInt32(at + 12) ^ Math.imul(rows.getInt32(at + 8), 0x9e3779b1);
  return (low ^ Math.imul(rows.getInt32(at + 4), 0x85ebca6b) ^ Math.imul(rows.getInt32(at), 0xc2b2ae35)) >>> 1;
}
