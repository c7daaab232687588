/** The event queue with a million events pending: one fires and sets the next, as hosts and cables do all the time. */
import { seededRandom } from '../src/base/random.ts';
import { VirtualClock } from '../src/sim/clock.ts';
import { amount, bench, timed } from './lib/compare.ts';

const PENDING = amount(1_000_000, 10_000);
const EVENTS = amount(2_000_000, 20_000);
/** Up to a second ahead, at random: the worst order for a heap. */
const AHEAD = 1_000_000_000;

async function queue(pending: number, cancelled: boolean): Promise<number> {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const fire = (): void => {
    const timer = clock.at(clock.now() + random.below(AHEAD), fire);
    // As a retransmission timer that is set for every segment and hardly ever fires.
    if (cancelled) clock.at(clock.now() + random.below(AHEAD), fire).cancel();
    void timer;
  };
  for (let n = 0; n < pending; n++) clock.at(random.below(AHEAD), fire);
  const seconds = await timed(() => {
    for (let n = 0; n < EVENTS; n++) clock.step();
  });
  return (seconds / EVENTS) * 1e9;
}

await bench('events', [
  {
    work: 'an event, a million pending: taken out, and another put in',
    unit: 'ns',
    less: true,
    ours: { name: 'ours', measure: () => queue(PENDING, false) },
    peers: [],
    atLeast: 200,
  },
  {
    work: 'the same, and a timer set and cancelled with each',
    unit: 'ns',
    less: true,
    ours: { name: 'ours', measure: () => queue(PENDING, true) },
    peers: [],
  },
  {
    work: 'an event, a thousand pending',
    unit: 'ns',
    less: true,
    ours: { name: 'ours', measure: () => queue(1000, false) },
    peers: [],
  },
]);
