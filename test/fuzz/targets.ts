/** Every parser, as a function of bytes that must not throw whatever they are. */

import { urlsInCss } from '../../src/application/browser/css.ts';
import { parsePage } from '../../src/application/browser/html.ts';
import { parseZoneFile, ZoneFileError } from '../../src/application/dns/zone-file.ts';
import { parseBasicAuthorization } from '../../src/application/http1/auth.ts';
import { BodyDecoder } from '../../src/application/http1/body-decoder.ts';
import { parsePreferences } from '../../src/application/http1/codings.ts';
import { parseHttpDate } from '../../src/application/http1/date.ts';
import { HttpError } from '../../src/application/http1/errors.ts';
import { parseRange } from '../../src/application/http1/range.ts';
import { latin1 } from '../../src/base/bytes.ts';
import { finishChecksum, sumWords } from '../../src/base/checksum.ts';
import { minutes } from '../../src/base/instant.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Memory } from '../../src/base/slab.ts';
import { Host } from '../../src/host/host.ts';
import type { Link } from '../../src/link/types.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import { CaptureError } from '../../src/trace/capture/file-format.ts';
import { CaptureReader } from '../../src/trace/capture/read.ts';
import { dissectFrame } from '../../src/trace/dissect.ts';
import { decodeArp } from '../../src/wire/arp.ts';
import { decodeDns, encodeDns } from '../../src/wire/dns.ts';
import { ethernet } from '../../src/wire/ethernet.ts';
import { decodeRequestHead, decodeResponseHead, findHeadEnd } from '../../src/wire/http1.ts';
import { decodeIcmp } from '../../src/wire/icmp.ts';
import { addressesSumAt, addressSum } from '../../src/wire/ip-address.ts';
import { checkIpv4, decodeIpv4, ipv4, ipv4HeaderLength, parseIpv4Options } from '../../src/wire/ipv4.ts';
import { ipv6, ipv6End, NEXT_HEADER, upperLayerOf } from '../../src/wire/ipv6.ts';
import { Malformed, Reader } from '../../src/wire/reader.ts';
import { decodeTcp } from '../../src/wire/tcp.ts';
import { cutFrame } from '../../src/wire/tcp-segmentation.ts';
import { checkUdp } from '../../src/wire/udp.ts';

export interface Target {
  name: string;
  run(bytes: Uint8Array): void;
  /** How often it is fuzzed beside the others: slow ones less. */
  weight: number;
}

function ignoring(kinds: readonly (new (...args: never[]) => Error)[], run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!kinds.some(kind => error instanceof kind)) throw error;
  }
}

const OUR_MAC = 0x0200_0000_0050;

/** A whole host that is given frames: what it does with them may take no exception and no memory for ever. */
function hostTarget(): Target {
  const clock = new VirtualClock();
  const link: Link = { name: 'fuzz', medium: 'ethernet', mtu: 1500, send() {}, receive() {} };
  const host = new Host({ scheduler: clock, random: seededRandom('fuzz') }, 'host');
  host.attach(link, ['203.0.113.80/25', 'fd00::80/64'], OUR_MAC);
  host.ip6.join('ff02::fb');
  host.tcp.listen({ port: 80 });
  host.udp.open(53);
  let n = 0;
  return {
    name: 'a whole host',
    weight: 4,
    run: bytes => {
      // With right checksums every second one gets further in than the first check.
      const frame = n % 2 === 0 ? repaired(bytes) : bytes.slice();
      if (n % 8 !== 0 && frame.length >= ethernet.size) ethernet.f.destination.set(frame, 0, OUR_MAC);
      link.receive(frame);
      clock.runSync(clock.now() + (++n % 1000 === 0 ? minutes(5) : 1000));
      if (host.tcp.connections().length > 2000) throw new Error('connections grow');
      if (clock.pending > 20_000) throw new Error(`timers grow: ${clock.pending}`);
    },
  };
}

/** A copy whose IP, TCP and UDP checksums are right, where it has them. */
function repaired(frame: Uint8Array): Uint8Array {
  const bytes = frame.slice();
  const start = ethernet.size;
  if (bytes.length > start && bytes[start] >> 4 === 6) return repaired6(bytes, start);
  const headerLength = bytes.length > start ? ipv4HeaderLength(bytes, start) : 0;
  if (headerLength < ipv4.size || start + headerLength > bytes.length) return bytes;
  const end = Math.min(bytes.length, Math.max(start + headerLength, start + ipv4.f.totalLength.get(bytes, start)));
  ipv4.f.headerChecksum.set(bytes, start, 0);
  ipv4.f.headerChecksum.set(bytes, start, finishChecksum(sumWords(bytes, start, start + headerLength)));
  const protocol = ipv4.f.protocol.get(bytes, start);
  const at = start + headerLength + (protocol === 6 ? 16 : 6);
  if ((protocol !== 6 && protocol !== 17) || at + 2 > end) return bytes;
  bytes[at] = 0;
  bytes[at + 1] = 0;
  const [source, destination] = [ipv4.f.source.get(bytes, start), ipv4.f.destination.get(bytes, start)];
  const sum = addressSum(source) + addressSum(destination) + protocol + (end - start - headerLength);
  const checksum = finishChecksum(sumWords(bytes, start + headerLength, end, sum));
  bytes[at] = checksum >> 8;
  bytes[at + 1] = checksum & 255;
  return bytes;
}

/** Behind extension headers too, as far as there are any. */
function repaired6(bytes: Uint8Array, start: number): Uint8Array {
  const end = Math.min(bytes.length, bytes.length < start + ipv6.size ? 0 : ipv6End(bytes, start));
  const upper = end < start + ipv6.size ? undefined : upperLayerOf(bytes, start, end);
  const field = upper === undefined ? undefined : CHECKSUM_AT[upper.protocol];
  if (upper === undefined || field === undefined || upper.start + field + 2 > end) return bytes;
  const at = upper.start + field;
  bytes.fill(0, at, at + 2);
  const sum = addressesSumAt(bytes, start) + upper.protocol + (end - upper.start);
  const checksum = finishChecksum(sumWords(bytes, upper.start, end, sum));
  bytes[at] = checksum >> 8;
  bytes[at + 1] = checksum & 255;
  return bytes;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6, [NEXT_HEADER.icmpv6]: 2 };

export function targets(): Target[] {
  const decodedDns = (bytes: Uint8Array): void => {
    const message = decodeDns(bytes);
    // What was understood can be said again.
    if (!(message instanceof Malformed)) ignoring([RangeError], () => void encodeDns(message));
  };
  const anyIpv4 = (bytes: Uint8Array): void => {
    if (checkIpv4(bytes, 0, bytes.length) === undefined) decodeIpv4(bytes);
    parseIpv4Options(new Reader(bytes));
  };
  const chunked = (bytes: Uint8Array): void =>
    ignoring([HttpError], () => {
      const decoder = new BodyDecoder({ kind: 'chunked' }, { data() {}, end() {} });
      for (let at = 0; at < bytes.length; ) {
        const stop = decoder.take(bytes, at, bytes.length);
        if (stop === at) break;
        at = stop;
      }
    });
  const captured = (bytes: Uint8Array): void =>
    ignoring([CaptureError], () => {
      const reader = new CaptureReader({ http: true });
      reader.end(bytes.length - reader.consume(bytes, 0, bytes.length));
    });
  return [
    { name: 'ARP', weight: 2, run: bytes => void decodeArp(bytes) },
    { name: 'IPv4', weight: 3, run: anyIpv4 },
    { name: 'ICMP', weight: 2, run: bytes => void decodeIcmp(bytes) },
    {
      name: 'UDP',
      weight: 2,
      run: bytes => void checkUdp(new Memory(bytes), 0, Math.min(20, bytes.length), bytes.length),
    },
    { name: 'TCP', weight: 4, run: bytes => void decodeTcp(bytes) },
    { name: 'DNS', weight: 4, run: decodedDns },
    { name: 'HTTP request', weight: 3, run: bytes => void decodeRequestHead(bytes) },
    { name: 'HTTP response', weight: 3, run: bytes => void decodeResponseHead(bytes) },
    { name: 'HTTP head end', weight: 1, run: bytes => void findHeadEnd(bytes, 0) },
    { name: 'chunked body', weight: 3, run: chunked },
    { name: 'capture', weight: 2, run: captured },
    { name: 'segmentation', weight: 2, run: bytes => void cutFrame(bytes, 14, 1 + (bytes[0] ?? 0)) },
    { name: 'dissection', weight: 3, run: bytes => void dissectFrame(bytes) },
    hostTarget(),
    {
      name: 'zone file',
      weight: 2,
      run: bytes => ignoring([ZoneFileError], () => void parseZoneFile(latin1(bytes), 'fuzz.test.')),
    },
    { name: 'HTML', weight: 1, run: bytes => void parsePage(latin1(bytes), new URL('http://a.test/')) },
    { name: 'CSS', weight: 1, run: bytes => void urlsInCss(latin1(bytes)) },
    {
      name: 'HTTP field values',
      weight: 1,
      run: bytes => {
        const text = latin1(bytes);
        parseRange(`bytes=${text}`, 100);
        parseHttpDate(text, 0);
        parsePreferences(text);
        parseBasicAuthorization(text);
      },
    },
  ];
}
