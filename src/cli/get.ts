/** `netarium get`: loads a page and tells the journey. */
import { writeFileSync } from 'node:fs';
import type { Page } from '../application/browser/browser.ts';
import { parseHttpUrl } from '../application/http1/client.ts';
import { HttpError } from '../application/http1/errors.ts';
import { formatDuration, minutes } from '../base/instant.ts';
import type { BuiltinInternet } from '../sim/builtin/builtin.ts';
import { EPOCH } from '../sim/epoch.ts';
import { toPcapng } from '../trace/export/pcapng.ts';
import { Recorder } from '../trace/recorder.ts';
import { tellJourney } from '../trace/story/journey.ts';
import { renderJourney } from '../trace/story/render.ts';
import type { Journey } from '../trace/story/types.ts';
import { type Flag, type Parsed, parseCommandLine, UsageError } from './arguments.ts';
import { describeFailure, type Failure } from './errors.ts';
import { getThroughTap, TAP_FLAGS } from './get-tap.ts';
import { Progress } from './progress.ts';
import { savePage } from './save.ts';
import { buildWorld, WORLD_FLAGS, WORLD_HELP } from './world.ts';

export const GET_HELP = `netarium get URL [flags]   load a page, and tell every step of it

${WORLD_HELP}
  --pcap FILE         write every frame of every link (pcapng)
  --pcap-link NAME    of that, one link alone (see netarium map)
  --save DIR          write the page and its resources
  --json              the journey as JSON
  --verbose           every segment of every connection, every header

  --tap NAME --address A/L [--gateway A] [--dns A] [--mtu N] [--offload]
                      through a TAP device of this Linux machine instead, to
                      a real server`;

const FLAGS: Record<string, Flag> = {
  ...WORLD_FLAGS,
  ...TAP_FLAGS,
  pcap: { type: 'string' },
  'pcap-link': { type: 'string' },
  save: { type: 'string' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
};

/** How a load ended, sealed or through a TAP. */
export interface Loaded {
  journey: Journey;
  page: Page | undefined;
  failure: Failure | undefined;
}

export async function get(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  const url = urlOf(parsed);
  const recorder = new Recorder({ keepFrames: parsed.text('pcap') !== undefined });
  const began = performance.now();
  if (parsed.text('tap') !== undefined) {
    const loaded = await getThroughTap(parsed, url, recorder);
    const title = `real network · ${parsed.text('tap')} · ${outcomeOf(loaded)}`;
    return finish(parsed, loaded, recorder, title, Date.now() - performance.now());
  }
  const { world, seed } = buildWorld(parsed, recorder.sink);
  const link = parsed.text('pcap-link');
  if (link !== undefined && !world.cables.has(link)) {
    throw new UsageError(`there is no link '${link}'; there are ${[...world.cables.keys()].join(', ')}`);
  }
  const loaded = await load(world, url, recorder, !parsed.texts('without-cache').includes('browser'));
  const computed = Math.round(performance.now() - began);
  const title = `sealed internet · seed ${seed} · ${world.hosts.size} hosts · ${outcomeOf(loaded)} (virtual), computed in ${computed} ms`;
  return finish(parsed, loaded, recorder, title, EPOCH);
}

/** 'loaded in 479.2 ms'. */
const outcomeOf = ({ journey, failure }: Loaded): string =>
  `${failure === undefined ? 'loaded' : 'failed'} in ${formatDuration(journey.loadedAt - journey.startedAt)}`;

function urlOf(parsed: Parsed): string {
  const [url, ...rest] = parsed.positionals;
  if (url === undefined) throw new UsageError('get needs a URL, like http://www.example.test/');
  if (rest.length > 0) throw new UsageError(`get takes one URL; '${rest[0]}' is too much`);
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`;
  try {
    parseHttpUrl(whole);
  } catch (error) {
    if (error instanceof HttpError) throw new UsageError(error.message);
    throw error;
  }
  return whole;
}

/** Loads, closes, and lets the world run on until the last connection has left TIME_WAIT. */
async function load(world: BuiltinInternet, url: string, recorder: Recorder, cacheNames: boolean): Promise<Loaded> {
  const browser = world.browser();
  browser.cache.enabled = cacheNames;
  const progress = new Progress(world.clock, () => `${recorder.events.length} events`);
  let page: Page | undefined;
  let failure: Failure | undefined;
  try {
    page = await world.clock.until(browser.load(url));
  } catch (error) {
    failure = describeFailure(error);
    if (failure === undefined) throw error;
  }
  browser.close();
  const { clock, laptop } = world;
  await clock.run(() => laptop.tcp.size === 0, clock.now() + minutes(30));
  progress.stop();
  const options = { client: laptop.name, hosts: world.hosts.size, endedAt: clock.now() };
  const journey = tellJourney(recorder, failure === undefined ? options : { ...options, error: failure });
  return { journey, page, failure };
}

function finish(parsed: Parsed, loaded: Loaded, recorder: Recorder, title: string, epoch: number): number {
  const { journey, page, failure } = loaded;
  const notes: string[] = [];
  const pcap = parsed.text('pcap');
  if (pcap !== undefined) {
    writeOut(pcap, toPcapng(recorder.events, { epoch, link: parsed.text('pcap-link') }));
    notes.push(
      `wrote ${pcap}: one interface a link; for one alone: tshark -r ${pcap} -Y 'frame.interface_name == "NAME"'`,
    );
  }
  const save = parsed.text('save');
  if (save !== undefined && page !== undefined) notes.push(`wrote ${trySave(page, save)} files to ${save}`);
  if (parsed.is('json')) {
    process.stdout.write(`${JSON.stringify(journey, null, 2)}\n`);
  } else {
    const colour = process.stdout.isTTY && !process.env.NO_COLOR;
    const width = Math.max(60, Math.min(80, process.stdout.columns || 80));
    process.stdout.write(
      `${wrapTitle(title, width)}\n\n${renderJourney(journey, { colour, width, verbose: parsed.is('verbose') })}`,
    );
    for (const note of notes) process.stdout.write(`${note}\n`);
    for (const resource of page?.resources ?? []) {
      if (resource.error !== undefined)
        process.stdout.write(`not loaded: ${resource.url}: ${resource.error.message}\n`);
    }
  }
  if (failure === undefined) return 0;
  process.stderr.write(`netarium: ${failure.layer}: ${failure.message}\n`);
  return 1;
}

const wrapTitle = (title: string, width: number): string =>
  title.length <= width ? title : title.replace(/ · (?=(loaded|failed) in)/, '\n');

function writeOut(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new UsageError(`${file} can't be written: ${error instanceof Error ? error.message : error}`);
  }
}

function trySave(page: Page, directory: string): number {
  try {
    return savePage(page, directory);
  } catch (error) {
    throw new UsageError(`${directory} can't be written: ${error instanceof Error ? error.message : error}`);
  }
}
