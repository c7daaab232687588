/** Bulk transfer over TCP between two stacks in one process, the bytes counted at the other end, against node:net. */
import { connect, createServer } from 'node:net';
import { amount, bench, timed } from './lib/compare.ts';
import { B_ADDRESS, B_ADDRESS6, IGNORE, pair } from './lib/pair.ts';
import { sendTo } from './lib/send.ts';

const BYTES = amount(400e6, 4e6);
const CHUNK = 65536;

async function ours(offload: boolean, address = B_ADDRESS): Promise<number> {
  const { net, a, b } = pair({ offload });
  let received = 0;
  b.network.listen({ port: 80 }, socket => ({
    ...IGNORE,
    data: bytes => {
      received += bytes.length;
    },
    end: () => socket.end(),
  }));
  sendTo(a.network, { address, port: 80 }, BYTES);
  const seconds = await timed(() => net.clock.runSync(3600e9));
  if (received !== BYTES) throw new Error(`${received} bytes of ${BYTES} arrived`);
  return BYTES / seconds / 1e6;
}

/** The kernel's loopback, both ends in this process. */
async function nodeNet(host = '127.0.0.1'): Promise<number> {
  let received = 0;
  const server = createServer(socket => {
    socket.on('data', bytes => {
      received += bytes.length;
    });
  });
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  const chunk = Buffer.alloc(CHUNK, 7);
  const seconds = await timed(
    () =>
      new Promise<void>(resolve => {
        server.on('connection', socket => socket.on('end', resolve));
        const client = connect(port, host);
        let sent = 0;
        const pump = (): void => {
          while (sent < BYTES) {
            const length = Math.min(CHUNK, BYTES - sent);
            sent += length;
            if (!client.write(length === CHUNK ? chunk : chunk.subarray(0, length)))
              return void client.once('drain', pump);
          }
          client.end();
        };
        pump();
      }),
  );
  server.close();
  if (received !== BYTES) throw new Error(`${received} bytes of ${BYTES} arrived`);
  return BYTES / seconds / 1e6;
}

const peer = { name: 'node:net, loopback', measure: () => nodeNet() };
const recorded = { 'tcpip.js (lwIP in WebAssembly)': 72, 'tcpip.js, mended and -O3': 130 };
await bench('bulk', [
  {
    work: 'bulk, MTU 1500, checksums made and verified, two hosts and a cable',
    unit: 'MB/s',
    ours: { name: 'ours', measure: () => ours(false) },
    peers: [peer],
    atLeast: 0.5,
    aim: 0.9,
    recorded,
  },
  {
    work: 'bulk, direct cable with offload (64 KB segments, no checksums)',
    unit: 'MB/s',
    ours: { name: 'ours', measure: () => ours(true) },
    peers: [peer],
    atLeast: 1,
    aim: 2,
  },
  {
    work: 'bulk over IPv6, MTU 1500, checksums made and verified',
    unit: 'MB/s',
    ours: { name: 'ours', measure: () => ours(false, B_ADDRESS6) },
    peers: [{ name: 'node:net, loopback (::1)', measure: () => nodeNet('::1') }],
  },
]);
