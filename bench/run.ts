/** `npm run bench [-- NAME ...] [--quick]`: the benchmarks named, or all of them, one after the other, each in a process of its own. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { bundled } from './lib/bundle.ts';

const names = readdirSync('bench')
  .filter(file => file.endsWith('.ts') && file !== 'run.ts' && file !== 'profile.ts')
  .map(file => file.slice(0, -3));
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'));
const flags = process.argv.slice(2).filter(word => word.startsWith('--'));
const unknown = wanted.find(word => !names.includes(word));
if (unknown !== undefined || flags.some(flag => flag !== '--quick')) {
  process.stderr.write(`usage: npm run bench [-- NAME ...] [--quick]; the names are ${names.join(', ')}\n`);
  process.exit(2);
}

let failed = false;
for (const name of wanted.length > 0 ? wanted : names) {
  process.stdout.write(`\n== ${name}\n`);
  const status = bundled(name, path => {
    const command = ['--expose-gc', '--no-warnings', path, ...flags];
    return spawnSync(process.execPath, command, { stdio: 'inherit' }).status;
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
