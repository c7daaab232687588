/**
 * Goodput over bad paths: our sender to a Linux receiver, against Linux's own sender to the same receiver, through the
 * same cable of ours in real time. Both use CUBIC. Needs root; writes bench/results/goodput.md.
 *
 *   npm run bench -- goodput [--quick]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpServer } from '../src/application/http1/server.ts';
import { staticFiles } from '../src/application/http1/static.ts';
import { ms } from '../src/base/instant.ts';
import { seededRandom } from '../src/base/random.ts';
import { Host } from '../src/host/host.ts';
import { Cable, type CableOptions } from '../src/link/cable.ts';
import { diskFiles } from '../src/node/file-store.ts';
import { RealClock } from '../src/node/real-clock.ts';
import { openTap } from '../src/node/tap/link.ts';

interface Path {
  name: string;
  megabytes: number;
  options: Partial<CableOptions>;
}

const RATE = 100e6;
const path = (name: string, megabytes: number, options: Partial<CableOptions>): Path => ({
  name,
  megabytes,
  options: { bandwidth: RATE, queue: 256 * 1024, ...options },
});

const PATHS: readonly Path[] = [
  path('10 ms, no loss', 20, { delay: ms(5) }),
  path('1 ms, 0.1 % loss', 20, { delay: ms(0.5), loss: 0.001 }),
  path('20 ms, 0.1 % loss', 10, { delay: ms(10), loss: 0.001 }),
  path('20 ms, 1 % loss', 4, { delay: ms(10), loss: 0.01 }),
  path('20 ms, 3 % loss', 2, { delay: ms(10), loss: 0.03 }),
  path('20 ms, 10 % loss', 0.5, { delay: ms(10), loss: 0.1 }),
  path('200 ms, 0.1 % loss', 4, { delay: ms(100), loss: 0.001 }),
  path('20 ms, 2 % reordered by 5 ms', 10, { delay: ms(10), reorder: 0.02, reorderDelay: ms(5) }),
  path('20 ms, 2 % duplicated', 10, { delay: ms(10), duplicate: 0.02 }),
  path('20 ms, 20 Mbit/s, queue of 32 KB', 6, { delay: ms(10), bandwidth: 20e6, queue: 32 * 1024 }),
];

const [SENDER, RECEIVER, PATH_SPACE] = ['goodput-sender', 'goodput-receiver', 'goodput-path'];
const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 1 : 3;
const made: string[] = [];
const folder = mkdtempSync(join(tmpdir(), 'goodput-'));

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
};
const within = (space: string, ...command: string[]): string[] => ['netns', 'exec', space, ...command];

/** A TAP whose descriptor stays here while the device goes to a namespace of its own. */
function tapIn(space: string, name: string, address: string): ReturnType<typeof openTap> {
  ip('netns', 'add', space);
  made.push(space);
  const tap = openTap(name);
  ip('link', 'set', name, 'netns', space);
  ip(...within(space, 'sysctl', '-qw', 'net.ipv4.tcp_no_metrics_save=1'));
  ip(...within(space, 'ip', 'addr', 'add', `${address}/24`, 'dev', name));
  ip(...within(space, 'ip', 'link', 'set', name, 'up'));
  // Not by sysctl: a namespace may not choose what is not allowed to everybody.
  const route = ['ip', 'route', 'change', '10.77.0.0/24', 'dev', name, 'src', address, 'congctl', 'cubic'];
  try {
    ip(...within(space, ...route));
  } catch {
    process.stdout.write('this kernel has no CUBIC: its sender uses what it has, and the ratio compares two things\n');
  }
  return tap;
}

/** Bits per second, of a transfer that came whole. */
async function transfer(file: string, bytes: number, checksum: string): Promise<number> {
  const url = `http://10.77.0.1/${file}`;
  const saved = join(folder, 'saved');
  const child = spawn('ip', within(RECEIVER, 'curl', '-sS', '-o', saved, '-w', '%{time_total}', '-m', '120', url));
  let out = '';
  child.stdout.on('data', text => {
    out += text;
  });
  const code = await new Promise(resolve => child.on('close', resolve));
  const hash = createHash('sha256').update(readFileSync(saved)).digest('hex');
  if (code !== 0 || hash !== checksum) throw new Error(`${file}: curl ended with ${code}, or the bytes differ`);
  return (bytes * 8) / Number(out);
}

const LINUX_SERVER = `
  const { createServer } = require('node:http');
  const { readFileSync } = require('node:fs');
  createServer((request, response) => response.end(readFileSync(process.argv[1] + request.url))).listen(80);`;

async function linuxSender(run: () => Promise<number>): Promise<number> {
  const server: ChildProcess = spawn('ip', within(SENDER, process.execPath, '-e', LINUX_SERVER, folder));
  await new Promise(resolve => setTimeout(resolve, 400));
  try {
    return await run();
  } finally {
    server.kill();
  }
}

async function ourSender(cable: Cable, clock: RealClock, seed: string, run: () => Promise<number>): Promise<number> {
  const host = new Host({ scheduler: clock, random: seededRandom(seed) }, 'sender', { profile: 'linux' });
  host.attach(cable.a, '10.77.0.1/24');
  const server = new HttpServer(staticFiles({ files: diskFiles(folder), date: Date.now }), {
    scheduler: clock,
    date: Date.now,
  });
  server.listen(host.network, 80);
  try {
    return await run();
  } finally {
    server.close();
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
const mbit = (rate: number): string => (rate / 1e6).toFixed(1);

async function measure(): Promise<string[]> {
  const sender = tapIn(SENDER, 'goodput-a', '10.77.0.1');
  const receiver = tapIn(RECEIVER, 'goodput-b', '10.77.0.2');
  const rows: string[] = [];
  for (const { name, megabytes, options } of PATHS) {
    const bytes = Math.round(megabytes * 1e6) >> (quick ? 2 : 0);
    const content = Buffer.alloc(bytes, 0).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
    writeFileSync(join(folder, 'data'), content);
    const checksum = createHash('sha256').update(content).digest('hex');
    const rates = { ours: [] as number[], linux: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const who of ['linux', 'ours'] as const) {
        const clock = new RealClock();
        const cable = new Cable('path', options, { scheduler: clock, random: seededRandom(`${name} ${round}`) });
        cable.b.receive = frame => receiver.send(frame);
        receiver.receive = frame => cable.b.send(frame);
        ip(...within(RECEIVER, 'ip', 'neigh', 'flush', 'all'));
        const run = (): Promise<number> => transfer('data', bytes, checksum);
        if (who === 'linux') {
          cable.a.receive = frame => sender.send(frame);
          sender.receive = frame => cable.a.send(frame);
          rates.linux.push(await linuxSender(run));
        } else {
          sender.receive = () => {};
          rates.ours.push(await ourSender(cable, clock, `${name} ${round}`, run));
        }
        clock.stop();
      }
    }
    const [ours, linux] = [median(rates.ours), median(rates.linux)];
    rows.push(`| ${name} | ${mbit(ours)} | ${mbit(linux)} | ${(ours / linux).toFixed(2)} |`);
    process.stdout.write(`${rows.at(-1)}\n`);
  }
  sender.close();
  receiver.close();
  return rows;
}

function page(rows: readonly string[]): string {
  return [
    '# Goodput over bad paths',
    '',
    `Generated by \`npm run bench -- goodput\` on Linux ${release().split('-')[0]}, ${cpus().length} cores, Node ${process.version}: Mbit/s that a Linux receiver`,
    `(curl) got, median of ${ROUNDS}, every byte compared. The same cable of ours in both cases, 100 Mbit/s with a queue of 256 KB where`,
    'nothing else is said, faults both ways, times there and back. Both senders use CUBIC; ours has the `linux` profile.',
    '',
    '| path | ours | Linux | ours / Linux |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  if (!process.env.GOODPUT_INSIDE) {
    ip('netns', 'add', PATH_SPACE);
    try {
      const again = within(PATH_SPACE, process.execPath, ...process.execArgv, ...process.argv.slice(1));
      execFileSync('ip', again, { stdio: 'inherit', env: { ...process.env, GOODPUT_INSIDE: '1' } });
    } finally {
      ip('netns', 'del', PATH_SPACE);
    }
    return;
  }
  try {
    const rows = await measure();
    if (!quick) writeFileSync(join('bench', 'results', 'goodput.md'), page(rows));
  } finally {
    for (const space of made) ip('netns', 'del', space);
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
