import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = `
  import { RealClock } from './src/node/real-clock.ts';
  const clock = new RealClock();
  process.on('uncaughtException', error => console.log('caught', error.message));
  clock.at(clock.now(), () => { throw new Error('a bug of the user'); });
  clock.at(clock.now(), () => console.log('one that was due'));
  clock.at(clock.now() + 20e6, () => console.log('one that comes later'));
`;

test('a timer that throws stops no other: those who handle uncaught exceptions go on', () => {
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(child.stderr, '');
  assert.deepEqual(child.stdout.trim().split('\n'), [
    'caught a bug of the user',
    'one that was due',
    'one that comes later',
  ]);
});
