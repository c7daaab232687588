import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PROFILES } from '../../src/transport/tcp/profiles.ts';
import { ReadQueue } from '../../src/transport/tcp/read-queue.ts';
import { SendBuffer } from '../../src/transport/tcp/send-buffer.ts';
import { SpaceWindow } from '../../src/transport/tcp/space-window.ts';

/** So many bytes, each of them known by its place in the stream. */
const piece = (start: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, n) => ((start + n) * 7) & 255);

const steps = fc.array(
  fc.record({ does: fc.constantFrom('add', 'take', 'look'), size: fc.integer({ min: 0, max: 40 }) }),
  {
    maxLength: 200,
  },
);

test('the send buffer holds what was written and not acknowledged, by whatever pieces it comes and goes', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (all, whole) => {
      const buffer = new SendBuffer();
      let written = 0;
      let acknowledged = 0;
      for (const { does, size } of all) {
        const left = written - acknowledged;
        const count = whole ? left : Math.min(size, left);
        if (does === 'add') {
          buffer.append(piece(written, size));
          written += size;
        } else if (does === 'take') {
          buffer.drop(count);
          acknowledged += count;
        } else if (count > 0) {
          const offset = whole ? 0 : size % (left - count + 1);
          const target = new Uint8Array(count + 2);
          buffer.copy(offset, count, target, 1);
          assert.deepEqual(target.subarray(1, count + 1), piece(acknowledged + offset, count));
          assert.deepEqual([target[0], target[count + 1]], [0, 0]);
        }
        assert.equal(buffer.length, written - acknowledged);
      }
    }),
  );
});

test('the read queue gives the stream in its order, at most as much as is asked for', () => {
  const policy = new SpaceWindow(PROFILES.rfc);
  fc.assert(
    fc.property(steps, all => {
      const queue = new ReadQueue();
      let come = 0;
      let read = 0;
      for (const { does, size } of all) {
        if (does === 'add' && size > 0) {
          queue.append(piece(come, size), 0, policy);
          come += size;
        } else if (does === 'take') {
          const bytes = queue.take(size);
          assert.equal(bytes === undefined, size === 0 || come === read);
          if (bytes === undefined) continue;
          assert.ok(bytes.length > 0 && bytes.length <= size);
          assert.deepEqual(bytes, piece(read, bytes.length));
          read += bytes.length;
        } else if (does === 'look') {
          assert.deepEqual(queue.peek(size), piece(read, Math.min(size, come - read)));
        }
        assert.equal(queue.unread, come - read);
      }
    }),
  );
});
