/** TCP Fast Open (RFC 7413): cookies by which a server knows an address again, and what a client remembers of servers. */
import type { Instant } from '../../base/instant.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { DrawnKey, type SipKey, sipHash } from '../../base/siphash.ts';
import { addressBytes, type IpAddress } from '../../wire/ip-address.ts';

/** For keys that are set before they are used. */
const NEVER_DRAWN = seededRandom(0);

/** Bytes (§4.1.1: from 4 to 16, and even). */
export const COOKIE_LENGTH = 8;

/** A host's cookies: the first key makes them, the older one is still known. */
/** More than these are not remembered. */
const MOST_KEYS = 2;

export class FastOpenCookies {
  private keys: SipKey[];
  private readonly ofPair: boolean;

  /** `of`: what a cookie is made of, both addresses or the client's alone. */
  constructor(random: Random, of: 'pair' | 'client' = 'pair') {
    this.keys = [new DrawnKey(random, 'fast open key')];
    this.ofPair = of === 'pair';
  }

  /** Four words each. */
  setKeys(keys: readonly Uint32Array[]): void {
    this.keys = keys.map(words => ({ words }));
  }

  /** One that makes cookies from now on; the others are still known. */
  addKey(words: Uint32Array): void {
    this.keys = [{ words }, ...this.keys].slice(0, MOST_KEYS);
  }

  /** With keys that are given. */
  static withKeys(keys: readonly Uint32Array[]): FastOpenCookies {
    const made = new FastOpenCookies(NEVER_DRAWN);
    made.setKeys(keys);
    return made;
  }

  /** §4.1.2: for the pair of addresses, so that a client behind another server's address learns nothing. */
  cookieFor(client: IpAddress, server: IpAddress, key = this.keys[0]): Uint8Array {
    const words = (this.ofPair ? [client, server] : [client]).flatMap(address => littleEndian(addressBytes(address)));
    const { low, high } = sipHash(key, words);
    const cookie = new Uint8Array(COOKIE_LENGTH);
    const view = new DataView(cookie.buffer);
    view.setUint32(0, low, true);
    view.setUint32(4, high, true);
    return cookie;
  }

  /** 'old': good, and a new one should be given out. */
  check(cookie: Uint8Array, client: IpAddress, server: IpAddress): 'good' | 'old' | 'bad' {
    const at = this.keys.findIndex(key => equal(this.cookieFor(client, server, key), cookie));
    return at < 0 ? 'bad' : at === 0 ? 'good' : 'old';
  }
}

export interface RememberedServer {
  cookie: Uint8Array | undefined;
  mss: number;
  /** The option was sent as an experimental one (RFC 6994) and is to be so again. */
  experimental: boolean;
  /** SYNs with data were lost: how often, and when last. */
  lostSyns: number;
  lastLost: Instant;
}

/** What a client knows of servers (§4.1.3), bounded. */
export class FastOpenCache {
  maxEntries = 1024;
  private readonly known = new Map<IpAddress, RememberedServer>();

  get(server: IpAddress): RememberedServer | undefined {
    return this.known.get(server);
  }

  update(server: IpAddress, change: Partial<RememberedServer>): void {
    const entry = this.known.get(server) ?? {
      cookie: undefined,
      mss: 536,
      experimental: false,
      lostSyns: 0,
      lastLost: 0,
    };
    this.known.delete(server);
    if (this.known.size >= this.maxEntries) this.known.delete(this.known.keys().next().value as IpAddress);
    this.known.set(server, { ...entry, ...change });
  }

  clear(): void {
    this.known.clear();
  }
}

/** The bytes of an address as they stand in a header, or of a key, read as the words that SipHash takes. */
export function littleEndian(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
