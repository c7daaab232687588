import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { FrameRing } from '../../src/node/tap/frame-ring.ts';

type Koffi = typeof import('koffi');
const EAGAIN = 11;
const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK = 2 | 0x800;
const STRIDE = 64;

/** Datagrams are read one by one, as frames of a device are. */
function datagrams(koffi: Koffi): { koffi: Koffi; to: number; from: number; send(bytes: Uint8Array): void } {
  const libc = koffi.load(null);
  const ends = new Int32Array(2);
  assert.equal(
    libc.func('int socketpair(int domain, int type, int protocol, void *ends)')(AF_UNIX, SOCK_DGRAM_NONBLOCK, 0, ends),
    0,
  );
  const write = libc.func('long write(int fd, void *bytes, size_t count)');
  return {
    koffi,
    to: ends[0],
    from: ends[1],
    send: bytes => assert.equal(write(ends[0], bytes, bytes.length), bytes.length),
  };
}

/** io_uring_setup(2) itself. */
const isRefused = (koffi: Koffi): boolean =>
  koffi.load(null).func('int syscall(long number, unsigned int entries, void *params)')(425, 1, new Int32Array(30)) < 0;

test('several datagrams by one call, each in its place; where none waits the read says so', t => {
  if (process.platform !== 'linux') return t.skip('io_uring is Linux');
  const { koffi, from, send } = datagrams(createRequire(import.meta.url)('koffi'));
  const ring = FrameRing.open(koffi, from, 16);
  if (ring === undefined) return assert.ok(isRefused(koffi), 'there is io_uring, and no ring');
  const memory = new Uint8Array(16 * STRIDE);
  const address = Number(koffi.address(memory));
  // More often than the ring has places, so that it is gone round several times.
  for (let round = 0; round < 50; round++) {
    const sent = Array.from({ length: round % 8 }, (_, n) =>
      Uint8Array.from({ length: 1 + ((round + n) % 50) }, () => round + n),
    );
    for (const bytes of sent) send(bytes);
    assert.equal(ring.read(address, STRIDE, STRIDE, 7), 7);
    const expected = Array.from({ length: 7 }, (_, n) => sent[n]?.length ?? -EAGAIN);
    assert.deepEqual([...ring.results.subarray(0, 7)], expected);
    for (const [n, bytes] of sent.entries())
      assert.deepEqual(memory.subarray(n * STRIDE, n * STRIDE + bytes.length), bytes);
  }
  // What is too long for its place is cut to it.
  send(new Uint8Array(100).fill(1));
  memory.fill(0);
  assert.equal(ring.read(address, STRIDE, 10, 1), 1);
  assert.equal(ring.results[0], 10);
  assert.deepEqual(memory.subarray(0, 12), Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0));
  ring.close();
});

test('several datagrams written by one call, in order and each of its length; what was read before stays known', t => {
  if (process.platform !== 'linux') return t.skip('io_uring is Linux');
  const { koffi, to, from, send } = datagrams(createRequire(import.meta.url)('koffi'));
  const [reader, writer] = [FrameRing.open(koffi, from, 8), FrameRing.open(koffi, to, 8)];
  if (reader === undefined || writer === undefined)
    return assert.ok(isRefused(koffi), 'there is io_uring, and no ring');
  const [out, back] = [new Uint8Array(8 * STRIDE), new Uint8Array(8 * STRIDE)];
  for (let round = 0; round < 20; round++) {
    out.fill(round + 1);
    const lengths = Int32Array.from({ length: 8 }, (_, n) => 1 + ((round * 7 + n) % STRIDE));
    writer.write(Number(koffi.address(out)), STRIDE, lengths, 8);
    assert.equal(reader.read(Number(koffi.address(back)), STRIDE, STRIDE, 8), 8);
    // Somebody who answers while he goes through what he has read.
    reader.write(Number(koffi.address(out)), STRIDE, Int32Array.of(5), 1);
    assert.deepEqual([...reader.results], [...lengths]);
    assert.deepEqual(back.subarray(0, lengths[0]), out.subarray(0, lengths[0]));
    assert.equal(writer.read(Number(koffi.address(back)), STRIDE, STRIDE, 1), 1);
    assert.equal(writer.results[0], 5);
  }
  send(Uint8Array.of(1));
  for (const ring of [reader, writer]) ring.close();
});

test('there is no ring for what would make a read wait', t => {
  if (process.platform !== 'linux') return t.skip('io_uring is Linux');
  const { koffi, from, send } = datagrams(createRequire(import.meta.url)('koffi'));
  // Something to be read already: it is not to be asked for by a read that is meant to find nothing.
  send(Uint8Array.of(1));
  assert.equal(FrameRing.open(koffi, from, 16), undefined);
  assert.equal(FrameRing.open(koffi, -1, 16), undefined);
});
