import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { internetChecksum, sumAligned } from '../../src/base/checksum.ts';
import { SlabAllocator } from '../../src/base/slab.ts';
import { Packet } from '../../src/wire/packet.ts';

test('packets of one slab do not reach into each other', () => {
  const slab = new SlabAllocator();
  const first = Packet.withHeadroom(20, 7, slab);
  const second = Packet.withHeadroom(20, 7, slab);
  assert.equal(first.memory, second.memory);
  first.bytes.fill(1, first.start, first.end);
  second.bytes.fill(2, second.prepend(20), second.end);
  assert.deepEqual([...first.view()], new Array(7).fill(1));
  assert.equal(second.length, 27);
  first.prepend(first.room);
  assert.throws(() => first.prepend(1), /too little headroom/);
  assert.throws(() => second.prepend(second.room + 1), /too little headroom/);
});

test("what is larger than a slab takes, and what is somebody else's, has memory of its own", () => {
  const slab = new SlabAllocator();
  const large = Packet.withHeadroom(34, 65535, slab);
  assert.deepEqual([large.length, large.room >= 34], [65535, true]);
  const bytes = Uint8Array.of(9, 8, 7, 6);
  assert.equal(Packet.over(bytes).view(), bytes);
  assert.deepEqual([...Packet.over(bytes.subarray(1)).part(1, 3)], [7, 6]);
});

test('what others have too is copied before it is changed, and what has no room for a header', () => {
  const slab = new SlabAllocator();
  const alone = Packet.of(Uint8Array.of(1, 2, 3), 14, slab);
  alone.unit = 1448;
  assert.equal(alone.toChange(14, slab), alone);
  const second = alone.again();
  for (const packet of [alone, second, Packet.over(Uint8Array.of(1, 2, 3))]) {
    const own = packet.toChange(14, slab);
    own.bytes[own.start] = 77;
    own.prepend(14);
    assert.deepEqual([...packet.view()], [1, 2, 3]);
    assert.equal(own.unit, packet.unit);
  }
});

test('RFC 1071: summed by words of the machine, by SIMD or by bytes, from wherever it begins, the checksum is the same', () => {
  const slab = new SlabAllocator();
  const cases = fc.record({
    payload: fc.uint8Array({ maxLength: 2000 }),
    headroom: fc.integer({ min: 0, max: 9 }),
    more: fc.integer({ min: 0, max: 0xffff }),
  });
  const folded = (sum: number): number => (sum % 0xffff === 0 && sum > 0 ? 0xffff : sum % 0xffff);
  fc.assert(
    fc.property(cases, ({ payload, headroom, more }) => {
      const packet = Packet.of(payload, headroom, slab);
      const { memory, start, end } = packet;
      let plain = more;
      for (let at = 0; at < payload.length; at++) plain += at % 2 === 0 ? payload[at] * 256 : payload[at];
      assert.equal(folded(packet.sum(start, end, more)), folded(plain));
      assert.equal(internetChecksum(payload), folded(packet.sum(start, end)) ^ 0xffff);
      if (start % 4 === 0 && memory.words !== undefined) {
        assert.equal(folded(sumAligned(memory.words, memory.bytes, start, end, more)), folded(plain));
      }
    }),
    { numRuns: 500 },
  );
});

test('memory of a large packet that is released is used again, and not while others have it', () => {
  const slab = new SlabAllocator();
  const first = Packet.withHeadroom(54, 60_000, slab);
  first.release();
  const second = Packet.withHeadroom(54, 64_000, slab);
  assert.equal(second.memory, first.memory);
  const third = Packet.withHeadroom(54, 64_000, slab);
  assert.notEqual(third.memory, second.memory);
  third.again();
  third.release();
  assert.notEqual(Packet.withHeadroom(54, 60_000, slab).memory, third.memory);
  const small = Packet.withHeadroom(54, 100, slab);
  small.release();
  assert.equal(Packet.withHeadroom(54, 100, slab).memory, small.memory, 'a slab goes on');
});
