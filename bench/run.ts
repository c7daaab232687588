/**
 * `npm run bench [-- NAME ...] [-- --quick]`: the benchmarks named, or all of them, one after the other. Each is bundled
 * as a user's program would be (the loader of TypeScript wraps functions, which costs time that is not ours) and runs
 * in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const names = readdirSync('bench')
  .filter(file => file.endsWith('.ts') && file !== 'run.ts')
  .map(file => file.slice(0, -3));
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'));
const flags = process.argv.slice(2).filter(word => word.startsWith('--'));
const unknown = wanted.find(word => !names.includes(word));
if (unknown !== undefined || flags.some(flag => flag !== '--quick')) {
  process.stderr.write(`usage: npm run bench [-- NAME ...] [--quick]; the names are ${names.join(', ')}\n`);
  process.exit(2);
}

// Inside the project, so that packages are found from there.
const folder = mkdtempSync(join('node_modules', '.bench-'));
let failed = false;
for (const name of wanted.length > 0 ? wanted : names) {
  process.stdout.write(`\n== ${name}\n`);
  const outfile = join(folder, `${name}.mjs`);
  buildSync({
    entryPoints: [join('bench', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
  });
  const { status } = spawnSync(process.execPath, ['--expose-gc', '--no-warnings', outfile, ...flags], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
