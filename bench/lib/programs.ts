/** Peers that are programs: where one is not installed, the comparison says so and quotes the recorded figure alone. */
import { spawnSync } from 'node:child_process';
import type { Contender } from './compare.ts';

/** The contender, if its program can be run here. */
export function ifInstalled(command: string, contender: Contender): Contender[] {
  if (spawnSync('sh', ['-c', `command -v ${command}`]).status === 0) return [contender];
  process.stdout.write(`  ${command} is not installed: nothing is measured of it\n`);
  return [];
}
