/**
 * Where the time of a benchmark goes, by source file: `npm run bench:profile -- NAME [LINES]`. Ours only: what the peer
 * takes in the same process is shown as Node's.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundled } from './lib/bundle.ts';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const [name, lines = '30'] = process.argv.slice(2);
if (name === undefined) {
  process.stderr.write('usage: npm run bench:profile -- NAME [LINES]\n');
  process.exit(2);
}
bundled(name, path => {
  const folder = mkdtempSync(join(tmpdir(), 'netarium-profile-'));
  const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval', '200', '--expose-gc'];
  spawnSync(process.execPath, [...flags, path, '--profiled'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [file] = readdirSync(folder);
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  print(profile, filesOf(readFileSync(path, 'utf8')));
  rmSync(folder, { recursive: true });
});

/** For every line of a bundle the file that it came from, by the comments that the bundler leaves. */
function filesOf(bundle: string): string[] {
  let current = '';
  return bundle.split('\n').map(line => {
    current = /^\/\/ ((?:src|bench)\/\S+\.ts)$/.exec(line)?.[1] ?? current;
    return current;
  });
}

function print({ nodes, samples, timeDeltas }: Profile, files: readonly string[]): void {
  const places = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const isOurs = url.includes('/.bench-');
      return [id, isOurs ? (files[lineNumber] ?? '') : functionName.startsWith('(') ? functionName : 'node'];
    }),
  );
  const spent = new Map<string, number>();
  let total = 0;
  for (const [at, id] of samples.entries()) {
    const place = places.get(id) ?? '';
    if (place === '(idle)' || place === '(program)') continue;
    spent.set(place, (spent.get(place) ?? 0) + timeDeltas[at]);
    total += timeDeltas[at];
  }
  const sorted = [...spent].sort((a, b) => b[1] - a[1]).slice(0, Number(lines));
  for (const [place, time] of sorted) {
    process.stdout.write(`${((time / total) * 100).toFixed(1).padStart(6)} %  ${place}\n`);
  }
}
