/**
 * A network namespace to a host of ours through a TUN device, with frames of MTU size and with offloads, and round
 * trips; against slirp4netns, which carries a namespace through user space too, and against veth, where both ends are
 * the kernel's. Needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { seededRandom } from '../src/base/random.ts';
import { Host } from '../src/host/host.ts';
import { RealClock } from '../src/node/real-clock.ts';
import { openTap } from '../src/node/tap/link.ts';
import { amount, bench, timed } from './lib/compare.ts';
import { ip, line, Namespace } from './lib/namespace.ts';
import { IGNORE } from './lib/pair.ts';
import { ifInstalled } from './lib/programs.ts';
import { newChunk, sendTo } from './lib/send.ts';

const PEER = join('bench', 'peers', 'tcp.py');
const OURS = '10.78.0.1';
const KERNEL = '10.78.0.2';
const PORT = 9000;
const BYTES = amount(200e6, 4e6);
const TURNS = amount(20_000, 200);

interface Opened {
  host: Host;
  space: Namespace;
  close(): void;
}

/** A host of ours on a TUN device whose other end is in a namespace. */
function open(offload: boolean): Opened {
  const space = new Namespace('bench-tap');
  const clock = new RealClock();
  const link = openTap('benchtap', { offload, layer: 3 });
  space.take('benchtap', `${KERNEL}/24`);
  const host = new Host({ scheduler: clock, random: seededRandom(1) }, 'ours', { profile: 'linux' });
  host.attach(link, `${OURS}/24`);
  return {
    host,
    space,
    close: () => {
      clock.stop();
      link.close();
      space.remove();
    },
  };
}

const megabytes = (report: string): number => {
  const [bytes, seconds] = report.split(' ').map(Number);
  if (bytes !== BYTES) throw new Error(`${bytes} bytes of ${BYTES} arrived`);
  return bytes / seconds / 1e6;
};

/** We send, the kernel receives. */
async function toKernel(offload: boolean): Promise<number> {
  const { host, space, close } = open(offload);
  const sink = space.run('python3', PEER, 'sink', String(PORT));
  await line(sink);
  const report = line(sink);
  sendTo(host.network, { address: KERNEL, port: PORT }, BYTES, newChunk(1 << 18));
  const figure = megabytes(await report);
  close();
  return figure;
}

/** The kernel sends, we receive. */
async function fromKernel(offload: boolean): Promise<number> {
  const { host, space, close } = open(offload);
  host.network.listen({ port: PORT }, socket => ({ ...IGNORE, end: () => socket.end() }));
  const source = space.run('python3', PEER, 'source', OURS, String(PORT), String(BYTES));
  const figure = megabytes(await line(source));
  close();
  return figure;
}

async function roundTrips(): Promise<number> {
  const { host, space, close } = open(false);
  await line(space.run('python3', PEER, 'echo', String(PORT)));
  const message = new Uint8Array(100);
  const seconds = await timed(
    () =>
      new Promise(resolve => {
        let left = TURNS;
        const socket = host.network.connect(
          { address: KERNEL, port: PORT, noDelay: true },
          {
            ...IGNORE,
            connected: () => void socket.write(message),
            data: () => (--left > 0 ? void socket.write(message) : resolve()),
          },
        );
      }),
  );
  close();
  return TURNS / seconds;
}

/** Both ends the kernel's, on a veth pair between two namespaces. */
async function veth(work: (far: Namespace, near: Namespace) => Promise<number>): Promise<number> {
  const near = new Namespace('bench-near');
  const far = new Namespace('bench-far');
  ip('link', 'add', 'benchnear', 'type', 'veth', 'peer', 'name', 'benchfar');
  near.take('benchnear', `${OURS}/24`);
  far.take('benchfar', `${KERNEL}/24`);
  try {
    return await work(far, near);
  } finally {
    near.remove();
    far.remove();
  }
}

const vethBulk = (): Promise<number> =>
  veth(async (far, near) => {
    await line(far.run('python3', PEER, 'sink', String(PORT)));
    return megabytes(await line(near.run('python3', PEER, 'source', KERNEL, String(PORT), String(BYTES))));
  });

/** Node's sockets on one side, as ours are, and the same Python on the other. */
const vethTrips = (): Promise<number> =>
  veth(async (far, near) => {
    await line(far.run('python3', PEER, 'echo', String(PORT)));
    const program = `
      const socket = require('node:net').connect({ host: '${KERNEL}', port: ${PORT}, noDelay: true }, () => go());
      let left = ${TURNS}, start;
      const message = Buffer.alloc(100);
      const go = () => { start = process.hrtime.bigint(); socket.write(message); };
      socket.on('data', () => {
        if (--left > 0) return void socket.write(message);
        console.log(${TURNS} / (Number(process.hrtime.bigint() - start) / 1e9));
        process.exit();
      });`;
    return Number(await line(near.run(process.execPath, '-e', program)));
  });

/** slirp4netns: a namespace's kernel to a server on this machine's loopback, through user space on the way. */
async function slirp(): Promise<number> {
  const space = new Namespace('bench-slirp');
  // The namespace is named by a process in it: `ip netns exec` becomes the program that it runs.
  const sleeper = space.run('sh', '-c', 'echo inside; exec sleep 600');
  const children: ChildProcess[] = [];
  try {
    await line(sleeper);
    const options = ['--configure', '--mtu=1500', '--ready-fd=3', String(sleeper.pid), 'tap0'];
    const carrier = spawn('slirp4netns', options, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    children.push(carrier);
    await new Promise(resolve => carrier.stdio[3]?.once('data', resolve));
    const server = spawn('python3', [PEER, 'sink', String(PORT)], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(server);
    await line(server);
    const report = line(server);
    space.run('python3', PEER, 'source', '10.0.2.2', String(PORT), String(BYTES));
    return megabytes(await report);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    space.remove();
  }
}

const peers = ifInstalled('slirp4netns', { name: 'slirp4netns, namespace to host', measure: slirp });
const withOffload = [{ name: 'veth, kernel both sides', measure: vethBulk }];
await bench(
  'tap',
  [
    {
      work: 'TUN, MTU 1500, the kernel sends and we receive (goal 0.5 GB/s, aim 0.75)',
      unit: 'MB/s',
      ours: { name: 'ours', measure: () => fromKernel(false) },
      peers,
      recorded: { 'goal, where slirp4netns gave 130': 500 },
    },
    {
      work: 'TUN, MTU 1500, we send and the kernel receives (goal 0.26 GB/s, aim 0.37)',
      unit: 'MB/s',
      ours: { name: 'ours', measure: () => toKernel(false) },
      peers,
      recorded: { 'goal, where slirp4netns gave 370': 260 },
    },
    {
      work: 'TUN with offloads, the kernel sends and we receive (goal 1.1 GB/s, aim 2.0)',
      unit: 'MB/s',
      ours: { name: 'ours', measure: () => fromKernel(true) },
      peers: withOffload,
      recorded: { 'goal, where veth gave 2800': 1100 },
    },
    {
      work: 'TUN with offloads, we send and the kernel receives (goal 2.0 GB/s, aim 3.5)',
      unit: 'MB/s',
      ours: { name: 'ours', measure: () => toKernel(true) },
      peers: withOffload,
      recorded: { 'goal, where veth gave 2800': 2000 },
    },
    {
      work: 'TUN, round trips of 100 bytes',
      unit: 'round trips/s',
      ours: { name: 'ours', measure: roundTrips },
      peers: [{ name: 'node:net over veth', measure: vethTrips }],
      atLeast: 0.9,
      aim: 1,
    },
  ],
  ['two cores: our process on one, the other end and the kernel on the other'],
);
