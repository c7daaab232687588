/** Round trips of 100 bytes over TCP, one connection and a hundred, against node:net in the same process. */
import { connect, createServer } from 'node:net';
import { amount, bench, type Contender, timed } from './lib/compare.ts';
import { B_ADDRESS, B_ADDRESS6, IGNORE, pair } from './lib/pair.ts';

const SIZE = 100;

/** `turns`: of all connections together. */
async function ours(connections: number, turns: number, address = B_ADDRESS): Promise<number> {
  const { net, a, b } = pair();
  const { error, closed } = IGNORE;
  b.network.listen({ port: 80 }, socket => ({
    data: bytes => void socket.write(bytes),
    end: () => socket.end(),
    error,
    closed,
  }));
  const message = new Uint8Array(SIZE).fill(7);
  let done = 0;
  for (let n = 0; n < connections; n++) {
    let left = Math.floor(turns / connections);
    const socket = a.network.connect(
      { address, port: 80 },
      {
        connected: () => void socket.write(message),
        data: () => {
          done++;
          if (--left > 0) socket.write(message);
          else socket.end();
        },
        end: IGNORE.end,
        error,
        closed,
      },
    );
  }
  const seconds = await timed(() => net.clock.runSync(3600e9));
  return done / seconds;
}

async function nodeNet(connections: number, turns: number, host = '127.0.0.1'): Promise<number> {
  const server = createServer({ noDelay: true }, socket => socket.on('data', bytes => socket.write(bytes)));
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  const message = Buffer.alloc(SIZE, 7);
  let done = 0;
  const seconds = await timed(async () => {
    const one = (): Promise<void> =>
      new Promise(resolve => {
        let left = Math.floor(turns / connections);
        const socket = connect({ port, host, noDelay: true }, () => socket.write(message));
        socket.on('data', () => {
          done++;
          if (--left > 0) socket.write(message);
          else socket.end();
        });
        socket.on('close', () => resolve());
      });
    await Promise.all(Array.from({ length: connections }, one));
  });
  server.close();
  return done / seconds;
}

const OURS = amount(400_000, 2000);
const NODE = amount(60_000, 1000);
const contender = (name: string, measure: (turns: number) => Promise<number>, turns: number): Contender => ({
  name,
  warmUp: () => measure(turns / 2),
  measure: () => measure(turns),
});
const comparison = (connections: number, recorded: Record<string, number>) => ({
  work: `ping-pong of ${SIZE} bytes, ${connections} connection${connections > 1 ? 's' : ''}`,
  unit: 'round trips/s',
  ours: contender('ours', turns => ours(connections, turns), OURS),
  peers: [contender('node:net, loopback', turns => nodeNet(connections, turns), NODE)],
  atLeast: 5,
  aim: 10,
  recorded,
});
const overIpv6 = {
  work: `ping-pong of ${SIZE} bytes over IPv6, 1 connection`,
  unit: 'round trips/s',
  ours: contender('ours', turns => ours(1, turns, B_ADDRESS6), OURS),
  peers: [contender('node:net, loopback (::1)', turns => nodeNet(1, turns, '::1'), NODE)],
};
await bench('ping-pong', [comparison(1, { 'tcpip.js': 64_000 }), comparison(100, { 'tcpip.js': 42_000 }), overIpv6]);
