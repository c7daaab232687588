/**
 * Simulating a dumbbell: flows of TCP NewReno, each from a host of its own to a host of its own, over two routers and
 * one slow link, 20 ms there and back; in packet-hops a second of real time, against ns-3 with the same topology,
 * queues and congestion control (peers/dumbbell.cc, built against Debian's libns3-dev).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ms, seconds, us } from '../src/base/instant.ts';
import { Internet } from '../src/sim/internet.ts';
import { reno } from '../src/transport/tcp/congestion/reno.ts';
import { amount, bench, timed } from './lib/compare.ts';
import { IGNORE } from './lib/pair.ts';
import { sendTo } from './lib/send.ts';

interface Dumbbell {
  flows: number;
  megabits: number;
  /** Packets that the slow link's queue holds: what the path does. */
  queue: number;
  /** Simulated. */
  duration: number;
}

interface Run {
  hops: number;
  seconds: number;
  /** Mbit/s of data that reached the applications. */
  goodput: number;
}

const PACKET = 1500;

async function ours({ flows, megabits, queue, duration }: Dumbbell): Promise<Run> {
  const net = new Internet({ seed: 1 });
  const [near, far] = [net.router('near'), net.router('far')];
  const slow = { bandwidth: megabits * 1e6, delay: ms(10), queue: queue * PACKET };
  const access = { bandwidth: 10e9, delay: us(10), queue: 1000 * PACKET };
  net.join(near, '10.255.0.1/30', far, '10.255.0.2/30', slow);
  // ns-3's initial window, buffers, and TCP without tail loss probes or RACK.
  const tcp = {
    congestionControl: reno,
    sendBuffer: 1 << 20,
    sendBufferMax: 1 << 20,
    receiveBuffer: 1 << 20,
    receiveBufferMax: 1 << 20,
  };
  let received = 0;
  for (let n = 0; n < flows; n++) {
    const [left, right] = [net.host(`left ${n}`, { tcp }), net.host(`right ${n}`, { tcp })];
    net.join(left, `10.1.${n}.2/30`, near, `10.1.${n}.1/30`, access);
    net.join(right, `10.2.${n}.2/30`, far, `10.2.${n}.1/30`, access);
    right.network.listen({ port: 80 }, () => ({ ...IGNORE, data: bytes => void (received += bytes.length) }));
    net.clock.at(ms(n), () => sendTo(left.network, { address: `10.2.${n}.2`, port: 80 }, Number.POSITIVE_INFINITY));
  }
  net.route();
  const took = await timed(() => net.clock.runSync(seconds(duration)));
  let hops = 0;
  for (const cable of net.cables.values()) {
    for (const way of [cable.forward, cable.backward]) hops += way.fates.get('delivered') ?? 0;
  }
  return { hops, seconds: took, goodput: (received * 8) / duration / 1e6 };
}

const folder = mkdtempSync(join(tmpdir(), 'netarium-bench-'));
const program = join(folder, 'dumbbell');
const MODULES = ['core', 'network', 'internet', 'point-to-point', 'applications', 'traffic-control'];
const built = spawnSync(
  'g++',
  ['-O2', '-o', program, join('bench', 'peers', 'dumbbell.cc'), ...MODULES.map(name => `-lns3-${name}`)],
  { encoding: 'utf8' },
);
if (built.status !== 0) process.stdout.write('  ns-3 is not installed (libns3-dev): nothing is measured of it\n');

function ns3({ flows, megabits, queue, duration }: Dumbbell): Run {
  const words = [flows, megabits, queue, duration].map(String);
  const [hops, took, goodput] = execFileSync(program, words, { encoding: 'utf8' }).split(' ').map(Number);
  return { hops, seconds: took, goodput };
}

const goodputs: string[] = [];
function comparison(dumbbell: Dumbbell, atLeast: number, aim: number, recorded: number) {
  const told = new Set<string>();
  const figure = (who: string, run: Run): number => {
    if (!told.has(who)) goodputs.push(`${dumbbell.flows} flows, ${who}: goodput ${run.goodput.toFixed(1)} Mbit/s`);
    told.add(who);
    return run.hops / run.seconds;
  };
  return {
    work: `dumbbell of ${dumbbell.flows} flows, ${dumbbell.megabits} Mbit/s, 20 ms, ${dumbbell.duration} s of it`,
    unit: 'packet-hops/s',
    ours: { name: 'ours', measure: async () => figure('ours', await ours(dumbbell)) },
    peers: built.status === 0 ? [{ name: 'ns-3 (Debian)', measure: () => figure('ns-3', ns3(dumbbell)) }] : [],
    atLeast,
    aim,
    recorded: { "ns-3's own optimised build": recorded },
  };
}
await bench(
  'dumbbell',
  [
    comparison({ flows: 10, megabits: 100, queue: 170, duration: amount(10, 1) }, 6, 12, 281_000),
    comparison({ flows: 100, megabits: 1000, queue: 1700, duration: amount(2, 0.1) }, 10, 20, 147_000),
  ],
  goodputs,
);
rmSync(folder, { recursive: true });
