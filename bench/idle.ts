/** What a connection holds that is open and idle: bytes of heap and of buffers for each of its two ends. */

import { amount, bench } from './lib/compare.ts';
import { pair } from './lib/pair.ts';

const CONNECTIONS = amount(5000, 200);

/** Bytes an end, no socket or stream on top of it. */
function ours(): number {
  const { net, a, b } = pair();
  const kept: unknown[] = [];
  const listener = b.tcp.listen({ port: 80 });
  if (listener === undefined) throw new Error('the port is taken');
  listener.onConnection = endpoint => void kept.push(endpoint);
  const remoteAddress = b.ip.interfaces[0].address as number;
  const open = (): void => {
    const endpoint = a.tcp.connect({ remoteAddress, remotePort: 80 });
    if (typeof endpoint === 'string') throw new Error(endpoint);
    endpoint.open();
    kept.push(endpoint);
    net.clock.runSync(net.clock.now() + 1e6);
  };
  // The first few make the hidden classes and warm the code up.
  for (let n = 0; n < 100; n++) open();
  const before = held();
  for (let n = 0; n < CONNECTIONS; n++) open();
  net.clock.runSync(net.clock.now() + 60e9);
  const bytes = (held() - before) / CONNECTIONS / 2;
  if (kept.length !== 2 * (CONNECTIONS + 100)) throw new Error(`${kept.length} ends`);
  return bytes;
}

function held(): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run it by `npm run bench idle`: it needs --expose-gc');
  gc();
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

await bench('idle', [
  {
    work: 'an idle connection, one end, no stream face attached',
    unit: 'bytes',
    less: true,
    ours: { name: 'ours', measure: ours },
    peers: [],
    atLeast: 3000,
    aim: 1500,
    recorded: { 'tcpip.js, a pair, heap': 10_000, 'tcpip.js, a pair, resident': 58_000 },
  },
]);
