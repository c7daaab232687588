import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { adjustChecksum, finishChecksum, internetChecksum, sumWords } from '../../src/base/checksum.ts';
import { formatDuration, ms, NEVER, ns, seconds, us } from '../../src/base/instant.ts';
import { LazyTimer } from '../../src/base/lazy-timer.ts';
import { seededRandom } from '../../src/base/random.ts';
import { SeqRanges } from '../../src/base/ranges.ts';
import type { Timer } from '../../src/base/scheduler.ts';
import { seqAdd, seqDiff, seqInWindow, seqLe, seqLt } from '../../src/base/seq32.ts';
import { sipHash } from '../../src/base/siphash.ts';
import { TimerQueue } from '../../src/base/timer-queue.ts';
import { VirtualClock } from '../../src/sim/clock.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

test('RFC 1071 §3: the example sum', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(internetChecksum(bytes), 0xddf2 ^ 0xffff);
});

test('RFC 1071: the quick sum equals the definition, at any offset and length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, start) => {
      const from = Math.min(start, bytes.length);
      let sum = 0;
      for (let at = from; at < bytes.length; at += 2) sum += bytes[at] * 256 + (bytes[at + 1] ?? 0);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      assert.equal(finishChecksum(sumWords(bytes, from, bytes.length)), sum ^ 0xffff);
    }),
  );
});

test('RFC 1624: adjusting a checksum equals making it anew', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 40 }), fc.nat(0xffff), (bytes, word) => {
      const even = bytes.length & ~1;
      const data = bytes.slice(0, even);
      data[0] |= 1; // a header is never all zeros, the one case in which the two zeros differ
      const before = internetChecksum(data);
      const old = data[2] * 256 + data[3];
      data[2] = word >> 8;
      data[3] = word;
      assert.equal(adjustChecksum(before, old, word), internetChecksum(data));
    }),
  );
});

test('RFC 9293 §3.4: sequence numbers compare modulo 2^32', () => {
  assert.ok(seqLt(0xffff_ffff, 0));
  assert.ok(seqLt(0xffff_fff0, 5));
  assert.ok(!seqLt(5, 0xffff_fff0));
  fc.assert(
    fc.property(u32, fc.integer({ min: 1, max: 0x7fff_ffff }), (a, n) => {
      const b = seqAdd(a, n);
      assert.ok(seqLt(a, b) && seqLe(a, b) && !seqLt(b, a));
      assert.equal(seqDiff(b, a), n);
      assert.ok(seqInWindow(a, a, n) && !seqInWindow(b, a, n));
    }),
  );
});

test('ranges of sequence space, against a set of numbers', () => {
  const piece = fc.tuple(fc.nat(100), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(u32, fc.array(piece, { maxLength: 20 }), fc.nat(120), (base, pieces, cut) => {
      const ranges = new SeqRanges();
      const model = new Set<number>();
      for (const [start, length] of pieces) {
        ranges.add(seqAdd(base, start), seqAdd(base, start + length));
        for (let n = start; n < start + length; n++) model.add(n);
      }
      ranges.dropBefore(seqAdd(base, cut));
      for (const n of [...model]) if (n < cut) model.delete(n);
      assert.equal(ranges.total, model.size);
      for (let n = 0; n < 130; n++) assert.equal(ranges.contains(seqAdd(base, n)), model.has(n));
    }),
  );
});

test('SipHash-2-4: the vectors of its paper', () => {
  const key = { words: Uint32Array.of(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c) };
  assert.deepEqual(sipHash(key, []), { high: 0x726fdb47, low: 0xdd0e0e31 });
  assert.deepEqual(sipHash(key, [0x03020100, 0x07060504]), { high: 0x93f5f579, low: 0x9a932462 });
});

test('the timer queue gives what is due first, equals in the order in which they came, and forgets the cancelled', () => {
  const random = seededRandom('timers');
  for (const spread of [100, 1e6, 1e10, 1e16]) {
    const queue = new TimerQueue();
    const waiting: { when: number; name: number; timer: Timer }[] = [];
    let fired = -1;
    let now = 0;
    for (let name = 0; name < 5000; name++) {
      // Some at the same instant, some near, some as far as the spread goes, and all of it mixed with firing.
      const ahead = random.chance(0.3) ? 0 : Math.floor((random.u32() / 2 ** 32) ** 4 * spread);
      const when = now + ahead;
      waiting.push({ when, name, timer: queue.add(when, () => void (fired = name)) });
      if (random.chance(0.2)) {
        const [gone] = waiting.splice(random.below(waiting.length), 1);
        gone.timer.cancel();
        gone.timer.cancel();
      }
      assert.equal(queue.size, waiting.length);
      while (random.chance(0.45) && waiting.length > 0) {
        const first = waiting.reduce((a, b) => (b.when < a.when ? b : a));
        assert.equal(queue.earliest, first.when);
        queue.take(NEVER)?.();
        assert.equal(fired, first.name);
        waiting.splice(waiting.indexOf(first), 1);
        now = first.when;
      }
    }
    for (const { timer } of waiting) timer.cancel();
    assert.equal(queue.earliest, NEVER);
    assert.equal(queue.take(NEVER), undefined);
  }
});

test('thousands in one slot: by instant and then by insertion, wherever they waited before, and those cancelled left out', () => {
  const random = seededRandom('slots');
  const queue = new TimerQueue();
  // A slot of the lowest wheel lasts 2^18 ns. Those that are set from far away come down from the wheel above.
  const START = 3 * 2 ** 30 + 7 * 2 ** 18;
  const waiting: { when: number; name: number; timer: Timer }[] = [];
  const fired: number[] = [];
  let now = 0;
  const set = (count: number, spread: number): void => {
    for (let n = 0; n < count; n++) {
      const name = waiting.length;
      // Many at the same instant, and parts of a nanosecond.
      const when = Math.max(now, START + Math.floor(random.below(2 ** 18) / spread) * spread + random.below(2) / 2);
      waiting.push({ when, name, timer: queue.add(when, () => void fired.push(name)) });
    }
  };
  const run = (until: number): void => {
    for (let next = queue.take(until); next !== undefined; next = queue.take(until)) next();
    now = until;
  };
  set(700, 1000);
  queue.add(START - 2 ** 29, () => {});
  run(START - 2 ** 29);
  set(700, 100_000); // straight into the slot, while the others wait above
  run(START - 1);
  for (const { timer } of waiting.filter(() => random.chance(0.2))) timer.cancel();
  set(300, 1000);
  run(START + 50_000);
  const before = fired.length;
  set(200, 20_000); // it is open: into the heap
  for (let n = 0; n < 200; n++) waiting[random.below(waiting.length)].timer.cancel();
  const left = queue.size;
  run(NEVER);
  assert.equal(fired.length, before + left);
  assert.equal(new Set(fired).size, fired.length);
  for (let n = 1; n < fired.length; n++) {
    const [a, b] = [waiting[fired[n - 1]], waiting[fired[n]]];
    assert.ok(
      a.when < b.when || (a.when === b.when && a.name < b.name),
      `${a.name} at ${a.when}, ${b.name} at ${b.when}`,
    );
  }
});

test('a timer that is set again for ever costs no more memory than a few thousand', () => {
  const queue = new TimerQueue();
  queue.add(5, () => {});
  for (let n = 0; n < 100_000; n++) queue.add(1e9 + n, () => {}).cancel();
  assert.equal(queue.size, 1);
  const { dead } = queue as unknown as { dead: number };
  // Rows of a few bytes, without what they were to run.
  assert.ok(dead <= 4097, `${dead} cancelled timers are kept`);
});

test('timers that are set for the present instant and cancelled are not kept', () => {
  const queue = new TimerQueue();
  for (let n = 0; n < 1000; n++) queue.add(0, () => {}).cancel();
  const { first } = (queue as unknown as { dueNow: { first: unknown } }).dueNow;
  assert.deepEqual([first, queue.size, queue.earliest], [undefined, 0, NEVER]);
  let ran = 0;
  queue.add(0, () => void ran++);
  queue.take(NEVER)?.();
  assert.equal(ran, 1);
});

test('a fork of randomness is not shifted by what others draw', () => {
  const draw = (disturb: boolean): number[] => {
    const root = seededRandom(7);
    if (disturb) for (let n = 0; n < 100; n++) root.fork('other').u32();
    const mine = root.fork('mine');
    return [mine.u32(), mine.u32(), mine.below(10)];
  };
  assert.deepEqual(draw(false), draw(true));
  assert.notDeepEqual(seededRandom(1).bytes(8), seededRandom(2).bytes(8));
});

test('below() is even and stays below', () => {
  const random = seededRandom('dice');
  const counts = Array<number>(6).fill(0);
  for (let n = 0; n < 60_000; n++) counts[random.below(6)]++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`);
});

test('below() gives what the remainder of doubles would, for bounds up to the greatest', () => {
  for (const bound of [1, 2, 6, 65_535, 65_536, 1e9, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 3e9, 2 ** 32 - 1]) {
    const random = seededRandom(bound);
    const plain = seededRandom(bound);
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (let n = 0; n < 200; n++) {
      let drawn = plain.u32();
      while (drawn >= limit) drawn = plain.u32();
      assert.equal(random.below(bound), drawn % bound);
    }
  }
});

test('durations as a person reads them', () => {
  const shown = [0, ns(512), us(45.6), ms(163.2), seconds(2.5), seconds(240)].map(formatDuration);
  assert.deepEqual(shown, ['0 ms', '512 ns', '45.6 µs', '163.2 ms', '2.500 s', '4 min 0 s']);
});

test('a checksum by SIMD is the plain one, wherever it begins and however long it is', () => {
  const random = seededRandom('simd');
  const bytes = random.bytes(70_000);
  for (let n = 0; n < 400; n++) {
    const start = random.below(2000);
    const end = start + random.below(n % 10 === 0 ? 65_536 : 3000);
    let plain = 7;
    for (let at = start; at < end; at++) plain += at % 2 === start % 2 ? bytes[at] << 8 : bytes[at];
    assert.equal(finishChecksum(sumWords(bytes, start, end, 7)), finishChecksum(plain), `${start} ${end}`);
    const own = bytes.slice(start, end);
    assert.equal(finishChecksum(sumWords(own, 0, own.length, 7)), finishChecksum(plain));
  }
  assert.equal(finishChecksum(sumWords(new Uint8Array(1000), 0, 1000)), 0xffff, 'nothing but zeros');
  assert.equal(finishChecksum(sumWords(new Uint8Array(1000).fill(255), 0, 1000)), 0, 'minus zero');
});

test('a lazy timer that is put off or stopped leaves the one that was set, which looks again when it fires', () => {
  const clock = new VirtualClock();
  const fired: number[] = [];
  const timer = new LazyTimer(clock, () => void fired.push(clock.now()));
  timer.set(100);
  timer.set(300); // put off
  assert.equal(clock.pending, 1);
  clock.runSync(200);
  assert.deepEqual(fired, []);
  timer.set(250); // sooner
  clock.runSync(1000);
  assert.deepEqual(fired, [250]);
  assert.equal(timer.isSet, false);
  timer.set(1100);
  timer.stop();
  assert.equal(timer.isSet, false);
  clock.runSync(1200);
  assert.deepEqual(fired, [250]);
  timer.set(1300);
  timer.cancel();
  assert.equal(clock.pending, 0);
  clock.runSync(2000);
  assert.deepEqual(fired, [250]);
});
