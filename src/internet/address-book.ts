/** IPv6 addresses from their bytes to their text and back, each worked out once and not for every packet. */
import { formatIpv6 } from '../wire/address.ts';
import { addressBytes, addressSum, type Ipv6Address, isLinkLocal, isMulticast6 } from '../wire/ip-address.ts';

export class KnownAddress {
  readonly text: Ipv6Address;
  readonly bytes: Uint8Array;
  /** Its share of a pseudo-header's checksum. */
  readonly sum: number;
  readonly isMulticast: boolean;
  readonly isLinkLocal: boolean;

  constructor(text: Ipv6Address, bytes: Uint8Array) {
    this.text = text;
    this.bytes = bytes;
    this.sum = addressSum(text);
    this.isMulticast = isMulticast6(text);
    this.isLinkLocal = isLinkLocal(text);
  }

  isAt(bytes: Uint8Array, at: number): boolean {
    const own = this.bytes;
    // The last bytes first: they tell most addresses apart.
    for (let i = 15; i >= 0; i--) if (bytes[at + i] !== own[i]) return false;
    return true;
  }
}

/** A scan of many addresses must not fill the memory. */
const MOST = 4096;

export class AddressBook {
  private readonly byText = new Map<Ipv6Address, KnownAddress>();
  /** By a hash of the bytes: of two with the same, the later is kept. */
  private readonly byHash = new Map<number, KnownAddress>();

  of(text: Ipv6Address): KnownAddress {
    return this.byText.get(text) ?? this.add(text, addressBytes(text));
  }

  /** The address that stands at `at`. */
  at(bytes: Uint8Array, at: number): KnownAddress {
    const hash = hashAt(bytes, at);
    const known = this.byHash.get(hash);
    if (known?.isAt(bytes, at)) return known;
    const own = bytes.slice(at, at + 16);
    const found = this.add(formatIpv6(own), own);
    this.byHash.set(hash, found);
    return found;
  }

  private add(text: Ipv6Address, bytes: Uint8Array): KnownAddress {
    if (this.byText.size >= MOST) {
      this.byText.clear();
      this.byHash.clear();
    }
    const known = this.byText.get(text) ?? new KnownAddress(text, bytes);
    this.byText.set(text, known);
    return known;
  }
}

/** Within 31 bits: a map is quickest with such keys. */
function hashAt(b: Uint8Array, at: number): number {
  const low = (b[at + 12] << 24) | (b[at + 13] << 16) | (b[at + 14] << 8) | b[at + 15];
  const middle = (b[at + 8] << 24) | (b[at + 9] << 16) | (b[at + 10] << 8) | b[at + 11];
  const high = (b[at + 4] << 24) | (b[at + 5] << 16) | (b[at + 6] << 8) | b[at + 7];
  const top = (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
  return (low ^ Math.imul(middle, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(top, 0xc2b2ae35)) >>> 1;
}
