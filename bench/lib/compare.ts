/**
 * What every benchmark does: ours and its peers in turn, in one run (A B A B ...), medians, their spread and the ratio.
 * A table on the terminal, and bench/results/NAME.json unless the run was a quick one.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** One way to do the work: answers its figure, in the comparison's unit. */
export interface Contender {
  name: string;
  measure(): number | Promise<number>;
  /**
   * Some of the same work, before each sample: V8 forgets what it has learnt of classes of which no object is left,
   * which is between samples and never in a program that goes on.
   */
  warmUp?(): unknown;
}

export interface Comparison {
  work: string;
  unit: string;
  /** Less of it is better (memory): the ratio is then the peer's over ours. */
  less?: boolean;
  ours: Contender;
  /** The first is what the ratio is of; none: only our own figure, to be held against `atLeast`. */
  peers: readonly Contender[];
  /** The ratio to reach, or without a peer the figure itself. */
  atLeast?: number;
  aim?: number;
  /** Figures that were measured elsewhere, quoted as such. */
  recorded?: Readonly<Record<string, number>>;
}

export interface Measured {
  name: string;
  median: number;
  /** Half of the samples lie in between. */
  quartiles: [number, number];
  samples: number[];
}

export interface Result {
  work: string;
  unit: string;
  ours: Measured;
  peers: Measured[];
  ratio?: number;
  atLeast?: number;
  aim?: number;
  recorded?: Readonly<Record<string, number>>;
  reached?: boolean;
}

export const isQuick = process.argv.includes('--quick');
/** Its figures are those of a program that is watched. */
const isProfiled = process.argv.includes('--profiled');
/** Pairs that count, behind one that warms up. */
const PAIRS = isQuick ? 1 : 5;

/** Runs the comparisons of one benchmark. `notes`: what a reader of the figures must know. */
export async function bench(
  name: string,
  comparisons: readonly Comparison[],
  notes: readonly string[] = [],
): Promise<void> {
  const results: Result[] = [];
  for (const comparison of comparisons) {
    const result = await compare(comparison);
    results.push(result);
    print(result);
  }
  for (const note of notes) process.stdout.write(`  note: ${note}\n`);
  if (!isQuick && !isProfiled) write(name, results, notes);
}

async function compare(comparison: Comparison): Promise<Result> {
  const { work, unit, ours, peers, atLeast, aim, recorded } = comparison;
  const contenders = [ours, ...peers];
  const samples = contenders.map((): number[] => []);
  const rounds = isQuick ? PAIRS : PAIRS + 1;
  for (let round = 0; round < rounds; round++) {
    for (const [at, contender] of contenders.entries()) {
      await contender.warmUp?.();
      const figure = await contender.measure();
      if (isQuick || round > 0) samples[at].push(figure);
    }
  }
  const measured = contenders.map(({ name }, at) => summary(name, samples[at]));
  const [own, first] = measured;
  const ratio =
    first === undefined ? undefined : comparison.less ? first.median / own.median : own.median / first.median;
  const goal = atLeast === undefined ? undefined : (ratio ?? own.median);
  const reached =
    goal === undefined || atLeast === undefined
      ? undefined
      : comparison.less && ratio === undefined
        ? goal <= atLeast
        : goal >= atLeast;
  return { work, unit, ours: own, peers: measured.slice(1), ratio, atLeast, aim, recorded, reached };
}

function summary(name: string, samples: readonly number[]): Measured {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return { name, median: at(0.5), quartiles: [at(0.25), at(0.75)], samples: samples.map(round) };
}

const round = (figure: number): number => Number(figure.toPrecision(5));
const show = (figure: number): string =>
  figure >= 100 ? Math.round(figure).toLocaleString('en') : String(Number(figure.toPrecision(3)));

function print({ work, unit, ours, peers, ratio, atLeast, aim, recorded, reached }: Result): void {
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  line(work);
  for (const { name, median, quartiles } of [ours, ...peers]) {
    line(
      `  ${name.padEnd(34)} ${show(median).padStart(11)} ${unit}   (${show(quartiles[0])} .. ${show(quartiles[1])})`,
    );
  }
  for (const [name, figure] of Object.entries(recorded ?? {}))
    line(`  ${name.padEnd(34)} ${show(figure).padStart(11)} ${unit}   (measured elsewhere)`);
  if (isQuick) return line('  (a quick run: it works, and its figures say nothing)');
  const verdict =
    reached === undefined ? '' : reached ? `, at least ${atLeast}: reached` : `, at least ${atLeast}: NOT reached`;
  const target = aim === undefined ? '' : `, aim ${aim}`;
  if (ratio !== undefined) line(`  ratio ${ratio.toFixed(2)}${verdict}${target}`);
  else if (verdict !== '') line(`  ${verdict.slice(2)}${target}`);
}

function write(name: string, results: readonly Result[], notes: readonly string[]): void {
  const [cpu] = cpus();
  const machine = {
    cpu: cpu.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
  mkdirSync('bench/results', { recursive: true });
  writeFileSync(`bench/results/${name}.json`, `${JSON.stringify({ name, machine, results, notes }, undefined, 2)}\n`);
}

/** Seconds that `work` took. */
export async function timed(work: () => void | Promise<void>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** The larger amount in a full run, the smaller one in a quick one. */
export const amount = (full: number, quick: number): number => (isQuick ? quick : full);
