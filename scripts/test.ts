/**
 * Runs the tests: all of them, or those whose path holds one of the words given. Node 20 knows no globs for --test.
 * With CI set, a skipped test is a failure: what needs root or /dev/net/tun must run there.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const words = process.argv.slice(2);
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts'))
  .map(name => join('test', name))
  .filter(name => words.length === 0 || words.some(word => name.includes(word)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`no test file has ${words.join(' or ')} in its path\n`);
  process.exit(1);
}
// 'spec' on a terminal, as node has it by itself; in a pipe too, so that logs read alike.
const child = spawn(process.execPath, ['--import', 'tsx', '--test', '--test-reporter=spec', ...files], {
  stdio: ['inherit', 'pipe', 'inherit'],
});
let output = '';
child.stdout.on('data', chunk => {
  process.stdout.write(chunk);
  output = (output + chunk).slice(-4000);
});
child.on('close', code => {
  const skipped = Number(/skipped (\d+)/.exec(output)?.[1] ?? 0);
  if (process.env.CI && skipped > 0) {
    process.stderr.write(`${skipped} tests were skipped; in CI none may be\n`);
    process.exit(1);
  }
  process.exit(code ?? 1);
});
