/**
 * Fills in what Linux does: takes a script without outbound lines, plays it to the kernel of this machine through a TUN
 * device in real time, and prints it with the segments that came out, and with the congestion window after each event.
 * So the scripts beside this file say what a real kernel did, not what we think that it does.
 *
 *   ip netns add record; ip netns exec record npx tsx test/packetdrill/record.ts FILE...
 *
 * Needs root and /dev/net/tun. The sysctls that it sets are those of its network namespace.
 */
import { readFileSync } from 'node:fs';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { KernelDevice } from './kernel/device.ts';
import { Recording } from './kernel/recording.ts';

const FIELDS = ['ca_state', 'snd_cwnd', 'snd_ssthresh', 'unacked', 'sacked', 'lost', 'retrans', 'reordering'];
const { FIELDS: more } = process.env;
/** FIELDS=none: none of them. */
const fields = more === 'none' ? [] : [...FIELDS, ...(more?.split(',') ?? [])];

/** What a call answers is filled in where a script leaves it open. */
const asked = (line: string): string => line.replace(/(ioctl|getsockopt)(.*?)\[\.\.\.\]/, '$1$2[?]');

async function record(file: string): Promise<string> {
  const device = new KernelDevice();
  const recording = new Recording(device, { fields, windows: process.env.WINDOWS !== undefined });
  const play = async (): Promise<string> => {
    for (const event of parseScript(readFileSync(file, 'utf8')).events) await recording.play(event, asked(event.text));
    return recording.end();
  };
  const playing = play();
  await device.serve(playing);
  device.close();
  return playing;
}

for (const file of process.argv.slice(2)) process.stdout.write(await record(file));
