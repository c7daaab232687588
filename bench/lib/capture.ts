/** A capture to read: HTTP exchanges over TCP, in frames as they would have been on a wire, a given number of packets. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { fromLatin1 } from '../../src/base/bytes.ts';
import { finishChecksum, sumWords } from '../../src/base/checksum.ts';
import { seededRandom } from '../../src/base/random.ts';
import { ETHERTYPE, prependEthernet } from '../../src/wire/ethernet.ts';
import { PROTOCOL, prependIpv4 } from '../../src/wire/ipv4.ts';
import { EXACT_HEADROOM, Packet } from '../../src/wire/packet.ts';
import { ACK, FIN, PSH, prependTcp, Segment, SYN, tcp } from '../../src/wire/tcp.ts';

const BODY_SEGMENTS = 12;
const MSS = 400;
const OPEN_AT_ONCE = 64;
const FLUSH = 4 << 20;

/** Connections whose packets are interleaved, as many as are open at once. */
export function writeCapture(path: string, packets: number): void {
  const file = openSync(path, 'w');
  const random = seededRandom(7);
  const out = new Uint8Array(FLUSH + 65536);
  const view = new DataView(out.buffer);
  let used = 24;
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65535, true);
  view.setUint32(20, 1, true);
  let micros = 0;
  let next = 0;
  const open = Array.from({ length: OPEN_AT_ONCE }, () => connection(next++));
  for (let n = 0; n < packets; n++) {
    const at = random.below(open.length);
    let step = open[at].next();
    if (step.done) {
      open[at] = connection(next++);
      step = open[at].next();
    }
    const frame = step.value as Uint8Array;
    micros += 5 + random.below(20);
    view.setUint32(used, 1_700_000_000 + Math.floor(micros / 1e6), true);
    view.setUint32(used + 4, micros % 1e6, true);
    view.setUint32(used + 8, frame.length, true);
    view.setUint32(used + 12, frame.length, true);
    out.set(frame, used + 16);
    used += 16 + frame.length;
    if (used > FLUSH) {
      writeSync(file, out, 0, used);
      used = 0;
    }
  }
  writeSync(file, out, 0, used);
  closeSync(file);
}

function* connection(number: number): Generator<Uint8Array> {
  const client = {
    address: 0x0a000000 + 1 + (number % 5000),
    port: 1024 + (number % 60000),
    seq: (number * 7919) >>> 0,
  };
  const server = { address: 0xc6120000 + (number % 200), port: 80, seq: (number * 104729) >>> 0 };
  const send = (from: typeof client, to: typeof client, flags: number, data: Uint8Array): Uint8Array => {
    const frame = segment(from, to, flags, data);
    from.seq = (from.seq + data.length + (flags & (SYN | FIN) ? 1 : 0)) >>> 0;
    return frame;
  };
  const nothing = new Uint8Array(0);
  yield send(client, server, SYN, nothing);
  yield send(server, client, SYN | ACK, nothing);
  yield send(client, server, ACK, nothing);
  for (let request = 0; request < 3; request++) {
    const host = `www${number % 200}.example.test`;
    yield send(
      client,
      server,
      ACK | PSH,
      fromLatin1(`GET /${number}/${request} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\n\r\n`),
    );
    const length = BODY_SEGMENTS * MSS;
    const head = fromLatin1(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`);
    yield send(server, client, ACK, head);
    for (let n = 0; n < BODY_SEGMENTS; n++) {
      yield send(server, client, ACK | (n === BODY_SEGMENTS - 1 ? PSH : 0), new Uint8Array(MSS).fill(97));
      if (n % 2 === 1) yield send(client, server, ACK, nothing);
    }
  }
  yield send(client, server, FIN | ACK, nothing);
  yield send(server, client, FIN | ACK, nothing);
  yield send(client, server, ACK, nothing);
}

interface End {
  address: number;
  port: number;
  seq: number;
}

function segment(from: End, to: End, flags: number, data: Uint8Array): Uint8Array {
  const packet = Packet.of(data, EXACT_HEADROOM.ipv4 + tcp.size);
  const header = new Segment();
  header.sourcePort = from.port;
  header.destinationPort = to.port;
  header.seq = from.seq;
  header.ack = to.seq;
  header.flags = flags;
  header.window = 65535;
  prependTcp(packet, header, tcp.size);
  const at = packet.start;
  const addresses = [from, to].reduce((sum, { address }) => sum + (address >>> 16) + (address & 0xffff), 0);
  const sum = sumWords(packet.bytes, at, packet.end, addresses + PROTOCOL.tcp + packet.length);
  tcp.f.checksum.set(packet.bytes, at, finishChecksum(sum));
  prependIpv4(packet, {
    source: from.address,
    destination: to.address,
    protocol: PROTOCOL.tcp,
    ttl: 64,
    trafficClass: 0,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    options: new Uint8Array(0),
  });
  prependEthernet(packet, 0x0200_0000_0002, 0x0200_0000_0001, ETHERTYPE.ipv4);
  return packet.view();
}
