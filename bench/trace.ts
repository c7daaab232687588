/**
 * What the trace costs: a page of the built-in internet loaded, from building the world to the last connection's end,
 * with every event recorded, with every frame kept as well, and with nobody listening.
 */
import { minutes } from '../src/base/instant.ts';
import { BuiltinInternet } from '../src/sim/builtin/builtin.ts';
import { Recorder } from '../src/trace/recorder.ts';
import { amount, bench, timed } from './lib/compare.ts';

const LOADS = amount(40, 2);

/** Milliseconds a page. */
async function load(newRecorder?: () => Recorder): Promise<number> {
  const seconds = await timed(async () => {
    for (let n = 0; n < LOADS; n++) {
      const recorder = newRecorder?.();
      const world = new BuiltinInternet({ seed: n, trace: recorder?.sink });
      const browser = world.browser();
      await world.clock.until(browser.load('http://www.example.test/'));
      browser.close();
      await world.clock.run(() => world.laptop.tcp.size === 0, world.clock.now() + minutes(30));
      if (recorder !== undefined && recorder.events.length === 0) throw new Error('nothing was recorded');
    }
  });
  return (seconds / LOADS) * 1e3;
}

const untraced = { name: 'nobody listens', measure: () => load() };
const comparison = (work: string, newRecorder: () => Recorder) => ({
  work,
  unit: 'ms a page',
  less: true,
  ours: { name: 'traced', measure: () => load(newRecorder) },
  peers: [untraced],
});
await bench('trace', [
  comparison('a page, every event of every layer recorded', () => new Recorder({ keepFrames: false })),
  comparison('a page, every frame kept for a capture as well', () => new Recorder({ keepFrames: true })),
]);
