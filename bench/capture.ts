/** Reading a capture of a million packets: its TCP conversations, and with them its HTTP hosts; against tshark and tcptrace. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCapture } from '../src/node/capture-file.ts';
import { writeCapture } from './lib/capture.ts';
import { amount, bench, timed } from './lib/compare.ts';
import { ifInstalled } from './lib/programs.ts';

const PACKETS = amount(1_000_000, 20_000);
const folder = mkdtempSync(join(tmpdir(), 'netarium-bench-'));
const path = join(folder, 'million.pcap');
const isReader = process.argv.includes('--peak');
if (!isReader) writeCapture(path, PACKETS);
let conversations = 0;
let requests = 0;

async function ours(http: boolean): Promise<number> {
  const seconds = await timed(() => {
    const { reader } = readCapture(path, { http });
    if (reader.packets !== PACKETS) throw new Error(`${reader.packets} packets of ${PACKETS}`);
    conversations = reader.conversations.count;
    requests = reader.http?.list.length ?? requests;
  });
  return PACKETS / seconds;
}

/** `same`: how many lines of its output say what ours is to have found. */
async function program(
  command: string,
  args: string[],
  same?: (output: string) => number,
  ours?: () => number,
): Promise<number> {
  let output = '';
  const seconds = await timed(() => {
    output = execFileSync(command, args, { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 30, encoding: 'utf8' });
  });
  if (same !== undefined && same(output) !== ours?.())
    throw new Error(`${command} finds ${same(output)}, we find ${ours?.()}`);
  return PACKETS / seconds;
}

const countConversations = (output: string): number => output.split('\n').filter(text => text.includes('<->')).length;
const countLines = (output: string): number => output.split('\n').filter(text => text !== '').length;
const tshark = (): Promise<number> =>
  program('tshark', ['-n', '-r', path, '-q', '-z', 'conv,tcp'], countConversations, () => conversations);
const tsharkHosts = (): Promise<number> =>
  program(
    'tshark',
    ['-n', '-r', path, '-Y', 'http.request', '-T', 'fields', '-e', 'http.host'],
    countLines,
    () => requests,
  );
const tcptrace = (): Promise<number> => program('tcptrace', ['-n', path]);

/** What one reading takes, in a process of its own, beyond what Node takes by itself: megabytes of resident memory. */
function memory(): number {
  const peak = (args: string[]): number => {
    const { stdout } = spawnSync(process.execPath, [process.argv[1], ...args], { encoding: 'utf8' });
    return Number(/peak (\d+)/.exec(stdout)?.[1]) / 1024;
  };
  return peak(['--peak', path]);
}

if (isReader) {
  readCapture(process.argv[process.argv.indexOf('--peak') + 1], { http: true });
  process.stdout.write(`peak ${process.resourceUsage().maxRSS}\n`);
} else {
  await bench(
    'capture',
    [
      {
        work: 'TCP conversations of a million packets',
        unit: 'packets/s',
        ours: { name: 'ours', measure: () => ours(false) },
        peers: [
          ...ifInstalled('tshark', { name: 'tshark -z conv,tcp', measure: tshark }),
          ...ifInstalled('tcptrace', { name: 'tcptrace', measure: tcptrace }),
        ],
        atLeast: 15,
        aim: 30,
      },
      {
        work: 'the same with HTTP requests and their hosts',
        unit: 'packets/s',
        ours: { name: 'ours', measure: () => ours(true) },
        peers: ifInstalled('tshark', { name: 'tshark -Y http.request', measure: tsharkHosts }),
        atLeast: 30,
        aim: 60,
      },
      {
        work: 'memory of that, the whole process (at most 200, aim 100)',
        unit: 'MB',
        less: true,
        ours: { name: 'ours', measure: memory },
        peers: [],
        atLeast: 200,
        aim: 100,
      },
    ],
    [`a file of ${Math.round(statSync(path).size / 1e6)} MB, HTTP over TCP, 64 connections at a time`],
  );
}
rmSync(folder, { recursive: true });
