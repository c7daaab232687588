/**
 * Fuzzes every parser with truncations, bit flips, splices and random bytes, and TCP's machine with as many steps of a
 * model check (model.ts): `npm run fuzz [-- INPUTS [SEED]]`, a million by default. An exception, an invariant that does
 * not hold or memory that grows ends it with the input that did it.
 */
import { hex } from '../../src/base/bytes.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { modelCheck } from './model.ts';
import { seeds } from './seeds.ts';
import { type Target, targets } from './targets.ts';

const inputs = Number(process.argv[2] ?? 1_000_000);
const seed = process.argv[3] ?? '1';
if (!Number.isInteger(inputs) || inputs < 1) {
  process.stderr.write(`the number of inputs must be a whole number, not '${process.argv[2]}'\n`);
  process.exit(2);
}

/** One input: a corpus entry, changed in one of several ways, or nothing but noise. */
function mutate(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const kind = random.below(8);
  if (kind === 0) return random.bytes(random.below(200));
  const bytes = corpus[random.below(corpus.length)].slice();
  if (kind === 1) return bytes.subarray(0, random.below(bytes.length + 1));
  if (kind === 2) {
    const other = corpus[random.below(corpus.length)];
    const cut = random.below(bytes.length + 1);
    return Uint8Array.from([...bytes.subarray(0, cut), ...other.subarray(random.below(other.length + 1))]);
  }
  const changes = 1 + random.below(kind === 3 ? 20 : 3);
  for (let n = 0; n < changes && bytes.length > 0; n++) {
    const at = random.below(bytes.length);
    if (kind === 4) bytes[at] = [0, 1, 0x7f, 0x80, 0xc0, 0xff][random.below(6)];
    else bytes[at] ^= 1 << random.below(8);
  }
  return bytes;
}

function fuzz(target: Target, corpus: readonly Uint8Array[], count: number, random: Random): void {
  for (let n = 0; n < count; n++) {
    const input = mutate(corpus, random);
    try {
      target.run(input);
    } catch (error) {
      process.stderr.write(`${target.name} failed on ${hex(input)} (seed ${seed}, input ${n})\n`);
      throw error;
    }
  }
}

const modelBegan = performance.now();
const steps = modelCheck(inputs, Number(seed) || 1);
process.stdout.write(
  `${'tcp model check'.padEnd(20)} ${String(steps).padStart(9)} steps  in ${((performance.now() - modelBegan) / 1000).toFixed(1)} s\n`,
);
const corpus = await seeds();
const all = targets();
const weights = all.reduce((sum, target) => sum + target.weight, 0);
const before = process.memoryUsage().heapUsed;
let done = 0;
for (const target of all) {
  const count = Math.ceil((inputs * target.weight) / weights);
  const began = performance.now();
  fuzz(target, corpus[target.name] ?? corpus.frames, count, seededRandom(`${seed} ${target.name}`));
  done += count;
  process.stdout.write(
    `${target.name.padEnd(20)} ${String(count).padStart(9)} inputs in ${((performance.now() - began) / 1000).toFixed(1)} s\n`,
  );
}
globalThis.gc?.();
const grown = (process.memoryUsage().heapUsed - before) / (1 << 20);
process.stdout.write(`${done} inputs, no exception; the heap grew by ${grown.toFixed(0)} MB\n`);
if (grown > 500) {
  process.stderr.write('memory grows\n');
  process.exit(1);
}
