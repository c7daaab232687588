/**
 * A benchmark as one file of JavaScript, as a user's program would be: the loader that runs TypeScript as it stands
 * wraps functions, which costs time that is not ours.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/** Bundles bench/NAME.ts and gives its path to `use`; the file is gone afterwards. */
export function bundled<T>(name: string, use: (path: string) => T): T {
  // Inside the project, so that packages are found from there.
  const folder = mkdtempSync(join('node_modules', '.bench-'));
  const outfile = join(folder, `${name}.mjs`);
  try {
    buildSync({
      entryPoints: [join('bench', `${name}.ts`)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
    });
    return use(outfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
