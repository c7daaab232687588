/**
 * Many of everything in one process: transfers from 10 to 10,000 at once, whose cost a packet-hop should stay the same;
 * 10,000 hosts; 100,000 connections.
 */
import { us } from '../src/base/instant.ts';
import type { Host } from '../src/host/host.ts';
import { Internet } from '../src/sim/internet.ts';
import { amount, bench, timed } from './lib/compare.ts';
import { B_ADDRESS, IGNORE, pair } from './lib/pair.ts';
import { newChunk, sendTo } from './lib/send.ts';

const BYTES = amount(400_000_000, 4_000_000);

/** Flows that share one cable, each with its part of the bytes: microseconds a frame on it, also one that its queue drops. */
async function flows(count: number, bytes = BYTES): Promise<number> {
  const { net, a, b } = pair({ bandwidth: 10e9, delay: us(50), queue: 64 << 20 });
  let received = 0;
  b.network.listen({ port: 80, backlog: 20_000 }, socket => ({
    ...IGNORE,
    data: bytes => void (received += bytes.length),
    end: () => socket.end(),
  }));
  const each = Math.floor(bytes / count);
  // The same bytes for all: what an application has in memory is not what is measured.
  const chunk = newChunk();
  for (let n = 0; n < count; n++) sendTo(a.network, { address: B_ADDRESS, port: 80 }, each, chunk);
  const seconds = await timed(() => net.clock.runSync(300e9));
  if (received !== each * count) throw new Error(`${received} bytes of ${each * count}`);
  const cable = [...net.cables.values()][0];
  let hops = 0;
  for (const way of [cable.forward, cable.backward]) for (const frames of way.fates.values()) hops += frames;
  return (seconds / hops) * 1e6;
}

/** A tree of hosts behind routers: microseconds to make one. */
async function hosts(count: number): Promise<number> {
  const made: Host[] = [];
  const seconds = await timed(() => {
    const net = new Internet({ seed: 1 });
    const lans = Math.ceil(count / 200);
    for (let lan = 0; lan < lans; lan++) {
      const members = Array.from({ length: Math.min(200, count - lan * 200) }, (_, n) => {
        const host = net.host(`host ${lan}.${n}`);
        made.push(host);
        return [host, `10.${lan >> 8}.${lan & 255}.${n + 1}/24`] as const;
      });
      net.lan(`lan ${lan}`, members);
    }
  });
  if (made.length !== count) throw new Error(`${made.length} hosts`);
  return (seconds / count) * 1e6;
}

/** Open at once, between as many hosts as their ports need: microseconds to open one. */
async function connections(count: number): Promise<number> {
  const net = new Internet({ seed: 1 });
  const server = net.host('server');
  const perClient = 10_000;
  const clients = Array.from({ length: Math.ceil(count / perClient) }, (_, n) => net.host(`client ${n}`));
  const lan = [server, ...clients].map((host, n) => [host, `10.0.0.${n + 1}/24`] as const);
  net.lan('lan', lan, { delay: 0 });
  let open = 0;
  server.network.listen({ port: 80, backlog: 1000 }, () => ({ ...IGNORE }));
  const seconds = await timed(() => {
    for (let n = 0; n < count; n++) {
      const client = clients[Math.floor(n / perClient)];
      client.network.connect({ address: '10.0.0.1', port: 80 }, { ...IGNORE, connected: () => void open++ });
      if (n % 100 === 99) net.clock.runSync(net.clock.now() + 1e6);
    }
    net.clock.runSync(net.clock.now() + 1e9);
  });
  if (open !== count) throw new Error(`${open} connections of ${count}`);
  return (seconds / count) * 1e6;
}

const figure = (work: string, unit: string, measure: () => Promise<number>, atLeast?: number) => ({
  work,
  unit,
  less: true,
  ours: { name: 'ours', measure },
  peers: [],
  atLeast,
});
await bench('scale', [
  figure('a packet-hop of 10 transfers at once', 'µs', () => flows(10)),
  figure('a packet-hop of 100', 'µs', () => flows(100)),
  figure('a packet-hop of 1,000', 'µs', () => flows(amount(1000, 200))),
  figure('a packet-hop of 10,000', 'µs', () => flows(amount(10_000, 400))),
  figure('the same of 1,000, four times as many packets', 'µs', () => flows(amount(1000, 200), 4 * BYTES)),
  figure('making a host, 10,000 of them', 'µs', () => hosts(amount(10_000, 500))),
  figure('opening a connection, 100,000 of them at once', 'µs', () => connections(amount(100_000, 1000))),
]);
