/** The flags that make a sealed internet, shared by the commands that use one. */

import type { FileStore } from '../application/http1/static.ts';
import { diskFiles } from '../node/file-store.ts';
import { zlibCodings } from '../node/zlib.ts';
import { BuiltinInternet, type BuiltinOptions } from '../sim/builtin/builtin.ts';
import type { Trace } from '../trace/events.ts';
import { type Flag, type Parsed, UsageError } from './arguments.ts';
import { parseFaults } from './faults.ts';

export const WORLD_FLAGS: Record<string, Flag> = {
  seed: { type: 'string' },
  loss: { type: 'string' },
  delay: { type: 'string' },
  reorder: { type: 'string' },
  site: { type: 'string', multiple: true },
  'without-cache': { type: 'string', multiple: true },
};

/** The caches on a name's way, by the names that --without-cache takes. */
const CACHES = ['browser', 'host', 'router', 'resolver'];

export const WORLD_HELP = `  --seed N            another run: other losses and numbers (default 1)
  --loss 5%           lose frames on the laptop's Wi-Fi, each way
  --delay 80ms        more delay there, each way
  --reorder 1%        let frames overtake each other there
  --site HOST=DIR     let your own site join; HOST ends in .test; repeatable
  --without-cache C   switch a name cache off: browser, host, router or
                      resolver; repeatable`;

/** Throws UsageError. */
export function buildWorld(args: Parsed, trace: Trace): { world: BuiltinInternet; seed: string } {
  const seed = args.text('seed') ?? '1';
  const { delay, ...wifi } = parseFaults(args) ?? {};
  const options: BuiltinOptions = {
    seed,
    trace,
    codings: zlibCodings,
    delay,
    wifi,
    sites: parseSites(args.texts('site')),
  };
  const without = args.texts('without-cache');
  const unknown = without.find(name => !CACHES.includes(name));
  if (unknown !== undefined) throw new UsageError(`--without-cache takes ${CACHES.join(', ')}, not '${unknown}'`);
  try {
    const world = new BuiltinInternet(options);
    const caches = world.caches();
    for (const name of without) {
      const cache = caches.get(name);
      if (cache !== undefined) cache.enabled = false;
    }
    return { world, seed };
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

function parseSites(texts: readonly string[]): Map<string, FileStore> {
  const sites = new Map<string, FileStore>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1 || at === text.length - 1) throw new UsageError(`--site takes HOST=DIR, not '${text}'`);
    try {
      sites.set(text.slice(0, at), diskFiles(text.slice(at + 1)));
    } catch (error) {
      throw new UsageError(`--site ${text}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return sites;
}
