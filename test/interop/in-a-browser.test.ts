/** The core without Node: the library bundled for a web page, and a page load inside a page, in a real browser. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { chromium } from '../lib/chromium.ts';
import { loadJourney } from '../lib/journey.ts';

const skip = spawnSync('which', ['chromium']).status === 0 ? false : 'chromium is not installed';
const folder = mkdtempSync(join(tmpdir(), 'netarium-web-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM = `
  import { BuiltinInternet, Recorder, tellJourney } from './src/index.ts';
  const recorder = new Recorder();
  const world = new BuiltinInternet({ seed: 3, loss: 0.1, trace: recorder.sink });
  const page = await world.clock.until(world.browser().load('http://www.example.test/'));
  const journey = tellJourney(recorder, { client: 'laptop', hosts: world.hosts.size, endedAt: world.clock.now() });
  document.body.textContent = JSON.stringify([page.resources.length, journey.loadedAt, journey.summary.segments]);
  document.title = 'done';
`;

async function bundle(): Promise<string> {
  const stdin = { contents: PROGRAM, resolveDir: process.cwd(), loader: 'ts' as const };
  const result = await build({
    stdin,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  return result.outputFiles[0].text;
}

test('the library bundles for a browser: no node: module is in it', async () => {
  assert.doesNotMatch(await bundle(), /["']node:/);
});

test('the same seed gives the same journey in Chromium as in Node', { skip }, async () => {
  const script = await bundle();
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8');
    response.end(isScript ? script : '<!doctype html><body><script type="module" src="/app.js"></script>');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const [program, ...flags] = [...chromium(folder), '--virtual-time-budget=20000', '--dump-dom'];
  const { stdout } = await promisify(execFile)(program, [...flags, `http://127.0.0.1:${port}/`]);
  server.close();
  const { page, journey } = await loadJourney('http://www.example.test/', { seed: 3, loss: 0.1, codings: undefined });
  assert.match(stdout, /<title>done<\/title>/);
  const [resources, loadedAt] = JSON.parse(/<body>(.*?)<\/body>/s.exec(stdout)?.[1].replace(/<script.*/s, '') ?? '[]');
  assert.deepEqual([resources, loadedAt], [page.resources.length, journey.loadedAt]);
});
