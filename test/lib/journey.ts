/** Loads a page in the built-in internet and lets the world run on until the laptop's connections are gone. */
import type { Page } from '../../src/application/browser/browser.ts';
import { minutes } from '../../src/base/instant.ts';
import { zlibCodings } from '../../src/node/zlib.ts';
import { BuiltinInternet, type BuiltinOptions } from '../../src/sim/builtin/builtin.ts';
import { Recorder } from '../../src/trace/recorder.ts';
import { tellJourney } from '../../src/trace/story/journey.ts';
import type { Journey } from '../../src/trace/story/types.ts';

export interface LoadedJourney {
  world: BuiltinInternet;
  recorder: Recorder;
  page: Page;
  journey: Journey;
}

export async function loadJourney(url: string, options: BuiltinOptions = {}): Promise<LoadedJourney> {
  const recorder = new Recorder();
  const world = new BuiltinInternet({ codings: zlibCodings, ...options, trace: recorder.sink });
  const browser = world.browser();
  const page = await world.clock.until(browser.load(url));
  browser.close();
  const { clock, laptop, hosts } = world;
  await clock.run(() => laptop.tcp.size === 0, clock.now() + minutes(60));
  const journey = tellJourney(recorder, { client: laptop.name, hosts: hosts.size, endedAt: clock.now() });
  return { world, recorder, page, journey };
}
