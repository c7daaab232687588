import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ms, seconds } from '../../src/base/instant.ts';
import type { ByteSocket } from '../../src/socket/types.ts';
import { TestWorld } from '../lib/world.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

/**
 * Several connections between two hosts, over each of which the client says something at the same instant: the frames
 * arrive together, and the server's connections are gone through step by step. `heard` is called with what each says.
 */
function together(count: number, heard: (told: { said: string; at: number; servers: ByteSocket[] }) => void) {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(5) });
  const servers: ByteSocket[] = [];
  const log: string[] = [];
  b.network.listen({ port: 80 }, socket => {
    const at = servers.push(socket) - 1;
    return {
      data: said => {
        log.push(`${at} hears ${text(said)}`);
        heard({ said: text(said), at, servers });
      },
      end: () => socket.end(),
      error: error => log.push(`${at} ${error.code}`),
      closed: () => log.push(`${at} closed`),
    };
  });
  const answers: string[] = [];
  const clients = Array.from({ length: count }, (_, at) =>
    a.network.connect(
      { address: '10.0.0.2', port: 80 },
      {
        data: said => answers.push(`${at} gets ${text(said)}`),
        end: () => answers.push(`${at} end`),
        error: error => answers.push(`${at} ${error.code}`),
        closed: () => {},
      },
    ),
  );
  world.clock.runSync(seconds(1));
  world.clock.at(seconds(1), () => {
    for (const [at, client] of clients.entries()) client.write(bytes(`hello ${at}`));
  });
  world.clock.runSync(seconds(2));
  return { world, a, b, clients, log, answers };
}

test('what arrives together is told and answered in the order in which it came, each connection by itself', () => {
  const { answers, log, world } = together(
    4,
    ({ said, at, servers }) => void servers[at].write(bytes(said.toUpperCase())),
  );
  assert.deepEqual(log, ['0 hears hello 0', '1 hears hello 1', '2 hears hello 2', '3 hears hello 3']);
  assert.deepEqual(answers, ['0 gets HELLO 0', '1 gets HELLO 1', '2 gets HELLO 2', '3 gets HELLO 3']);
  // One answer each, which acknowledges what it answers: nothing is sent twice, and no acknowledgement by itself.
  const sent = world.events('segment', 'b').filter(e => e.direction === 'out' && e.time >= seconds(1));
  assert.deepEqual(
    sent.map(e => e.length),
    [7, 7, 7, 7],
  );
});

test('who hears first may write to, end, reset or leave the connections whose data came with his', () => {
  const { answers, log, b, world, a } = together(5, ({ at, servers }) => {
    if (at !== 0) return;
    servers[1].reset();
    servers[2].destroy();
    servers[3].write(bytes('first'));
    servers[4].end();
  });
  assert.deepEqual(
    log.filter(line => line.includes('hears')),
    ['0 hears hello 0', '3 hears hello 3', '4 hears hello 4'],
  );
  assert.ok(answers.includes('1 ECONNRESET') && answers.includes('2 ECONNRESET'), answers.join('; '));
  assert.ok(answers.includes('3 gets first') && answers.includes('4 end'), answers.join('; '));
  for (const host of [a, b]) for (const endpoint of host.tcp.connections()) endpoint.abort();
  world.clock.runSync(seconds(600));
  assert.deepEqual([a.tcp.connections(), b.tcp.connections(), world.clock.pending], [[], [], 0]);
});

test('a handler that throws has had its bytes, and the others theirs: what it threw is thrown again behind them', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(5) });
  const log: string[] = [];
  let servers = 0;
  b.network.listen({ port: 80 }, socket => {
    const at = servers++;
    return {
      data: said => {
        log.push(`${at} hears ${text(said)}`);
        if (at === 1 && text(said) === 'first') throw new Error('a bug of the user');
        socket.write(bytes(`${at}`));
      },
      end: () => socket.end(),
      error: () => {},
      closed: () => log.push(`${at} closed`),
    };
  });
  const clients = Array.from({ length: 3 }, (_, at) =>
    a.network.connect(
      { address: '10.0.0.2', port: 80 },
      { data: () => log.push(`answer to ${at}`), end() {}, error() {}, closed() {} },
    ),
  );
  world.clock.runSync(seconds(1));
  for (const client of clients) client.write(bytes('first'));
  assert.throws(() => world.clock.runSync(seconds(2)), /a bug of the user/);
  assert.deepEqual(log.splice(0), ['0 hears first', '1 hears first', '2 hears first']);
  world.clock.runSync(seconds(2));
  assert.deepEqual(log.splice(0), ['answer to 0', 'answer to 2']);
  // It goes on with the connection as if nothing had been thrown.
  for (const client of clients) client.write(bytes('second'));
  world.clock.runSync(seconds(3));
  assert.deepEqual(log.splice(0), [
    '0 hears second',
    '1 hears second',
    '2 hears second',
    'answer to 0',
    'answer to 1',
    'answer to 2',
  ]);
  for (const client of clients) client.end();
  world.clock.runSync(seconds(4));
  assert.deepEqual(log, ['0 closed', '1 closed', '2 closed']);
});

test('a server that throws when it is offered a connection resets it; a datagram that is thrown at is gone', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(5) });
  b.network.listen({ port: 80 }, () => {
    throw new Error('no server');
  });
  let heard = 0;
  b.network.datagram(
    { port: 53 },
    {
      message() {
        heard++;
        throw new Error('no datagram');
      },
      error() {},
    },
  );
  const errors: string[] = [];
  a.network.connect(
    { address: '10.0.0.2', port: 80 },
    { data() {}, end() {}, error: error => errors.push(error.code), closed() {} },
  );
  assert.throws(() => world.clock.runSync(seconds(1)), /no server/);
  world.clock.runSync(seconds(1));
  assert.deepEqual(errors, ['ECONNRESET']);
  const sender = a.network.datagram({}, { message() {}, error() {} });
  sender.send(bytes('one'), { address: '10.0.0.2', port: 53 });
  sender.send(bytes('two'), { address: '10.0.0.2', port: 53 });
  for (let thrown = 0; thrown < 2; thrown++) assert.throws(() => world.clock.runSync(seconds(2)), /no datagram/);
  world.clock.runSync(seconds(2));
  assert.equal(heard, 2);
});
