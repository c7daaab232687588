/**
 * The short ways through TCP (whole-ack.ts, Transmitter.sendAtOnce) are what the long ones come to: exchanges of all
 * kinds, with and without them, are the same to the last byte, and so is what both ends know afterwards.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ms, seconds, us } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import { Internet } from '../../src/sim/internet.ts';
import { Recorder } from '../../src/trace/recorder.ts';
import type { ProfileName } from '../../src/transport/tcp/profiles.ts';
import { SendQueue } from '../../src/transport/tcp/send-queue.ts';
import { Sender } from '../../src/transport/tcp/sender.ts';
import type { TcpSettings } from '../../src/transport/tcp/types.ts';

const onlyOf = Object.getOwnPropertyDescriptor(SendQueue.prototype, 'only') as PropertyDescriptor;
const sender = Sender.prototype as unknown as { goesAtOnce: (length: number) => boolean };
const { goesAtOnce } = sender;

function shortWays(open: boolean): void {
  Object.defineProperty(SendQueue.prototype, 'only', open ? onlyOf : { configurable: true, get: () => undefined });
  sender.goesAtOnce = open ? goesAtOnce : () => false;
}
after(() => shortWays(true));

interface Exchange {
  profile: ProfileName;
  seed: number;
  loss: number;
  delay: number;
  settings: Partial<TcpSettings>;
  /** In turn: the client writes so many bytes, the server answers with so many, after so many microseconds. */
  turns: readonly { ask: number; answer: number; think: number }[];
}

/** All frames, and what both ends know at the end. */
function run({ profile, seed, loss, delay, settings, turns }: Exchange): string[] {
  const recorder = new Recorder();
  const net = new Internet({ seed, trace: recorder.sink });
  const [a, b] = ['a', 'b'].map(name => net.host(name, { profile, tcp: settings })) as [Host, Host];
  net.join(a, '10.0.0.1/24', b, '10.0.0.2/24', { delay: us(delay), loss });
  const told: string[] = [];
  const handler = { end: () => {}, error: () => {}, closed: () => {} };
  b.network.listen({ port: 80 }, socket => {
    let turn = 0;
    let left = turns[0].ask;
    const data = (bytes: Uint8Array): void => {
      left -= bytes.length;
      if (left > 0) return;
      const { answer, think } = turns[turn];
      left = turns[++turn]?.ask ?? 0;
      net.clock.at(net.clock.now() + us(think), () => void socket.write(new Uint8Array(answer).fill(turn)));
    };
    return { ...handler, data, end: () => socket.end() };
  });
  let turn = 0;
  let left = turns[0].answer;
  const ask = (): void => void socket.write(new Uint8Array(turns[turn].ask).fill(turn));
  const data = (bytes: Uint8Array): void => {
    left -= bytes.length;
    if (left > 0) return;
    left = turns[++turn]?.answer ?? 0;
    if (turn < turns.length) ask();
    else socket.end();
  };
  const socket = a.network.connect({ address: '10.0.0.2', port: 80 }, { ...handler, data, connected: ask });
  for (let n = 0; n < 40; n++) {
    net.clock.runSync(net.clock.now() + ms(50));
    for (const host of [a, b]) {
      for (const endpoint of host.tcp.connections()) told.push(`${host.name} ${JSON.stringify(endpoint.info())}`);
    }
  }
  for (const event of recorder.events) {
    if (event.kind === 'frame') told.push(`${event.time} ${Buffer.from(event.bytes).toString('hex')} ${event.fate}`);
  }
  return told;
}

const turn = fc.record({
  ask: fc.oneof(fc.integer({ min: 1, max: 1400 }), fc.integer({ min: 1400, max: 20_000 })),
  answer: fc.oneof(fc.integer({ min: 1, max: 1400 }), fc.integer({ min: 1400, max: 20_000 })),
  think: fc.constantFrom(0, 0, 10, 45_000, 300_000),
});
const exchange: fc.Arbitrary<Exchange> = fc.record({
  profile: fc.constantFrom<ProfileName>('rfc', 'linux', 'freebsd'),
  seed: fc.integer({ min: 1, max: 1000 }),
  loss: fc.constantFrom(0, 0.05, 0.2),
  delay: fc.constantFrom(0, 50, 20_000),
  settings: fc.record({
    noDelay: fc.boolean(),
    ecn: fc.constantFrom('off', 'on', 'accurate'),
    timestamps: fc.boolean(),
    sack: fc.boolean(),
    userTimeout: fc.constantFrom(undefined, seconds(1)),
  }),
  turns: fc.array(turn, { minLength: 1, maxLength: 12 }),
});

test('with the short ways and without them: the same frames at the same times, and the same state', () => {
  let short = 0;
  fc.assert(
    fc.property(exchange, wanted => {
      shortWays(false);
      const long = run(wanted);
      shortWays(true);
      const counted = Object.getOwnPropertyDescriptor(SendQueue.prototype, 'only')?.get as () => unknown;
      Object.defineProperty(SendQueue.prototype, 'only', {
        configurable: true,
        get(this: SendQueue) {
          const found = counted.call(this);
          if (found !== undefined) short++;
          return found;
        },
      });
      assert.deepEqual(run(wanted), long);
    }),
    { numRuns: 150, seed: 7 },
  );
  assert.ok(short > 1000, `they were looked at ${short} times`);
});
