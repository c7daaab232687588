/** Segmentation and checksums left to a link: what is exchanged at once, what is cut, and that the bytes are the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { finishChecksum, internetChecksum, sumWords } from '../../src/base/checksum.ts';
import { ms } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import type { Cable } from '../../src/link/cable.ts';
import { withFaults } from '../../src/link/faults.ts';
import type { Link } from '../../src/link/types.ts';
import { readVnet, VNET_HEADER, writeVnet } from '../../src/node/tap/vnet.ts';
import { addressSum } from '../../src/wire/ip-address.ts';
import { ipv4 } from '../../src/wire/ipv4.ts';
import { CWR, FIN, PSH, tcp } from '../../src/wire/tcp.ts';
import { cutFrame } from '../../src/wire/tcp-segmentation.ts';
import { TestWorld } from '../lib/world.ts';

const IP = 14;
const TCP = IP + 20;

/** Everything that `a` sends goes to `b`; the frames that crossed the cable, and the bytes that arrived. */
function transfer(world: TestWorld, a: Host, b: Host, address: string, size: number): Uint8Array {
  const data = Uint8Array.from({ length: size }, (_, n) => (n * 7 + (n >> 8)) & 255);
  const got: Uint8Array[] = [];
  const ignore = { data() {}, end() {}, error: (e: Error) => assert.fail(e), closed() {} };
  b.network.listen({ port: 80 }, socket => ({
    ...ignore,
    data: x => void got.push(x.slice()),
    end: () => socket.end(),
  }));
  let sent = 0;
  const pump = (): void => {
    sent += socket.write(data.subarray(sent));
    if (sent === size) socket.end();
  };
  const socket = a.network.connect({ address, port: 80 }, { ...ignore, connected: pump, writable: pump });
  world.clock.runSync(600e9);
  assert.deepEqual(Buffer.concat(got), Buffer.from(data));
  return data;
}

const framesOf = (world: TestWorld, link: string): Uint8Array[] =>
  world.recorder.events.flatMap(e => (e.kind === 'frame' && e.link === link ? [e.bytes] : []));

function isWhole(frame: Uint8Array): boolean {
  const addresses = addressSum(ipv4.f.source.get(frame, IP)) + addressSum(ipv4.f.destination.get(frame, IP));
  const sum = addresses + 6 + (frame.length - TCP);
  return internetChecksum(frame, IP, TCP) === 0 && finishChecksum(sumWords(frame, TCP, frame.length, sum)) === 0;
}

test('a direct cable with offload carries up to 64 KB at once, one without never more than its MTU', () => {
  for (const offload of [true, false]) {
    const world = new TestWorld();
    const { a, b } = world.pair({ offload });
    transfer(world, a, b, '10.0.0.2', 500_000);
    const largest = Math.max(...framesOf(world, 'a:b').map(frame => frame.length));
    assert.ok(offload ? largest > 32_000 : largest <= 1514, `${largest}`);
  }
});

test('a cable that loses, queues or delays cuts what it is given, and finishes the checksums', () => {
  for (const bad of [{ loss: 0.01 }, { delay: ms(1) }, { bandwidth: 1e9 }]) {
    const world = new TestWorld();
    const { a, b } = world.pair({ offload: true, ...bad });
    transfer(world, a, b, '10.0.0.2', 300_000);
    for (const frame of framesOf(world, 'a:b').filter(f => ipv4.f.protocol.get(f, IP) === 6)) {
      assert.ok(frame.length <= 1514 && isWhole(frame));
    }
  }
});

test('a cable that becomes a bad one in the middle: what is under way is not lost for it', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair({ offload: true });
  world.clock.at(0, () => cable.set({ loss: 0.05, delay: ms(2) }));
  transfer(world, a, b, '10.0.0.2', 300_000);
});

test('a router between a link that offloads and one that does not cuts for the latter', () => {
  for (const [left, right] of [
    [true, false],
    [false, true],
    [true, true],
  ]) {
    const world = new TestWorld();
    const { a, b } = world.line({ offload: left }, { offload: right });
    transfer(world, a, b, '10.0.2.2', 300_000);
    const largest = (link: string): number => Math.max(...framesOf(world, link).map(frame => frame.length));
    assert.equal(largest('a:r') > 1514, left);
    assert.equal(largest('r:b') > 1514, left && right);
    for (const frame of right ? [] : framesOf(world, 'r:b').filter(f => ipv4.f.protocol.get(f, IP) === 6)) {
      assert.ok(isWhole(frame));
    }
  }
});

/** A frame with a TCP segment of that much data, its checksum not made. */
function large(size: number, flags: number): Uint8Array {
  const world = new TestWorld();
  const { a, b } = world.pair({ offload: true });
  transfer(world, a, b, '10.0.0.2', 5000);
  const [model] = framesOf(world, 'a:b').filter(f => f.length > 1000);
  const dataAt = TCP + tcp.f.dataOffset.get(model, TCP) * 4;
  const frame = new Uint8Array(dataAt + size).map((_, n) => (n < dataAt ? model[n] : n & 255));
  ipv4.f.totalLength.set(frame, IP, frame.length - IP);
  tcp.f.flags.set(frame, TCP, flags);
  return frame;
}

test('virtio 1.2 §5.1.6.2: the pieces of a segment are the segment, each by itself a good one', () => {
  const model = large(60_000, PSH);
  const dataAt = TCP + tcp.f.dataOffset.get(model, TCP) * 4;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 100, max: 9000 }),
      fc.nat(255),
      (size, unit, flags) => {
        const frame = model.slice(0, dataAt + size);
        ipv4.f.totalLength.set(frame, IP, frame.length - IP);
        tcp.f.flags.set(frame, TCP, flags);
        const pieces = cutFrame(frame, IP, unit);
        assert.equal(pieces.length, Math.max(1, Math.ceil(size / unit)));
        assert.deepEqual(Buffer.concat(pieces.map(p => p.subarray(dataAt))), Buffer.from(frame.subarray(dataAt)));
        for (const [n, piece] of pieces.entries()) {
          assert.ok(isWhole(piece));
          assert.equal(tcp.f.seq.get(piece, TCP), (tcp.f.seq.get(frame, TCP) + n * unit) | 0);
          const isLast = n === pieces.length - 1;
          const expected = flags & ~(isLast ? 0 : FIN | PSH) & ~(n === 0 ? 0 : CWR);
          assert.equal(tcp.f.flags.get(piece, TCP), expected);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("virtio-net's header says of a frame what we know of it, and of one from the kernel what it knows", () => {
  const frame = large(5000, PSH);
  const bytes = new Uint8Array(VNET_HEADER + frame.length);
  bytes.set(frame, VNET_HEADER);
  for (const unit of [0, 1448, 65535]) {
    writeVnet(bytes, VNET_HEADER + IP, unit);
    assert.equal(readVnet(bytes, 0, frame), unit);
    // Wherever it lies.
    assert.equal(readVnet(Uint8Array.of(9, 9, 9, ...bytes.subarray(0, VNET_HEADER)), 3, frame), unit);
  }
});

test('a UDP datagram whose checksum the kernel has left to us is finished, as nobody above knows of it', () => {
  const datagram = new Uint8Array(IP + 20 + 8 + 5).map((_, n) => n);
  datagram.set([0x45, 0, 0, 33, 0, 0, 0, 0, 64, 17], IP);
  const udpAt = IP + 20;
  const addresses = addressSum(ipv4.f.source.get(datagram, IP)) + addressSum(ipv4.f.destination.get(datagram, IP));
  const pseudo = finishChecksum(addresses + 17 + 13) ^ 0xffff;
  datagram.set([pseudo >> 8, pseudo & 255], udpAt + 6);
  const header = Uint8Array.of(1, 0, 0, 0, 0, 0, udpAt, 0, 6, 0);
  assert.equal(readVnet(header, 0, datagram), 0);
  assert.equal(finishChecksum(sumWords(datagram, udpAt, datagram.length, addresses + 17 + 13)), 0);
});

test('several that arrive at once are acknowledged at once, those that come one by one every second one', () => {
  const acks = (cable: Partial<Cable['forward']['options']>): number => {
    const world = new TestWorld();
    const { a, b } = world.pair(cable);
    transfer(world, a, b, '10.0.0.2', 1_448_000);
    return world.recorder.events.filter(e => e.kind === 'segment' && e.host === 'b' && e.direction === 'out').length;
  };
  assert.ok(acks({}) < 120, `${acks({})}`);
  const oneByOne = acks({ bandwidth: 1e9 });
  assert.ok(oneByOne >= 490, `${oneByOne}`);
});

test('faults on a link of layer 3 cut what is given to them where its IP header stands', () => {
  const world = new TestWorld();
  const datagram = large(5000, PSH).subarray(IP);
  const sent: Uint8Array[] = [];
  const tun: Link = { name: 'tun', medium: 'ip', mtu: 1500, send: frame => void sent.push(frame), receive() {} };
  withFaults({ delay: ms(1) }, world)(tun).send(datagram, 1000);
  world.clock.runSync(ms(5));
  assert.equal(sent.length, 5);
  for (const piece of sent)
    assert.ok(piece.length <= 1500 && isWhole(Uint8Array.from([...new Uint8Array(IP), ...piece])));
});
