/** Connections opened and closed, one after the other, against node:net in the same process. */
import { connect, createServer } from 'node:net';
import { amount, bench, timed } from './lib/compare.ts';
import { B_ADDRESS, IGNORE, pair } from './lib/pair.ts';

/** Fewer than there are ports: each of them stays in TIME_WAIT for four minutes of the hosts' time. */
const TURNS = amount(12_000, 300);

async function ours(): Promise<number> {
  const { net, a, b } = pair();
  b.network.listen({ port: 80 }, socket => ({ ...IGNORE, end: () => socket.end() }));
  let done = 0;
  const next = (): void => {
    const socket = a.network.connect(
      { address: B_ADDRESS, port: 80 },
      {
        ...IGNORE,
        connected: () => socket.end(),
        closed: () => {
          if (++done < TURNS) next();
        },
      },
    );
  };
  const seconds = await timed(() => {
    next();
    net.clock.runSync(1e9);
  });
  if (done !== TURNS) throw new Error(`${done} connections of ${TURNS}`);
  return TURNS / seconds;
}

async function nodeNet(): Promise<number> {
  const server = createServer(socket => socket.resume());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const turns = Math.floor(TURNS / 4);
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.end());
      socket.resume();
      socket.on('error', reject);
      socket.on('close', () => resolve());
    });
  const seconds = await timed(async () => {
    for (let n = 0; n < turns; n++) await one();
  });
  server.close();
  return turns / seconds;
}

await bench('connect', [
  {
    work: 'connect and close',
    unit: 'connections/s',
    ours: { name: 'ours', measure: ours },
    peers: [{ name: 'node:net, loopback', measure: nodeNet }],
    atLeast: 5,
    aim: 8,
    recorded: { 'tcpip.js': 11_800 },
  },
]);
