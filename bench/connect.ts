/** Connections opened and closed, one after the other, against node:net in the same process. */
import { connect, createServer } from 'node:net';
import { amount, bench, timed } from './lib/compare.ts';
import { B_ADDRESS, IGNORE, pair } from './lib/pair.ts';

/** Fewer than there are ports: each of them stays in TIME_WAIT for four minutes of the hosts' time. */
const TURNS = amount(12_000, 300);
/** To warm up. */
const SOME = amount(1500, 30);

async function ours(turns = TURNS): Promise<number> {
  const { net, a, b } = pair();
  const { data, end, error, closed } = IGNORE;
  b.network.listen({ port: 80 }, socket => ({ data, end: () => socket.end(), error, closed }));
  let done = 0;
  const next = (): void => {
    const socket = a.network.connect(
      { address: B_ADDRESS, port: 80 },
      {
        connected: () => socket.end(),
        data,
        end,
        error,
        closed: () => {
          if (++done < turns) next();
        },
      },
    );
  };
  const seconds = await timed(() => {
    next();
    net.clock.runSync(1e9);
  });
  if (done !== turns) throw new Error(`${done} connections of ${turns}`);
  return turns / seconds;
}

async function nodeNet(turns = Math.floor(TURNS / 4)): Promise<number> {
  const server = createServer(socket => socket.resume());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
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
    ours: { name: 'ours', warmUp: () => ours(SOME), measure: () => ours() },
    peers: [{ name: 'node:net, loopback', warmUp: () => nodeNet(SOME), measure: () => nodeNet() }],
    atLeast: 5,
    aim: 8,
    recorded: { 'tcpip.js': 11_800 },
  },
]);
