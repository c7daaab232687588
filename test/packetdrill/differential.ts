/**
 * The same exchange with the kernel of this machine and with a host of ours: random scripts are played to the kernel in
 * real time, many side by side, and what it did is then what ours must do: segments, windows, times, answers of calls,
 * poll and TCP_INFO.
 *
 *   npm run differential [-- --scripts=200] [--seed=1] [--theme=NAME] [--keep=DIR]
 *     [--set=SYSCTL=VALUE]... [--steps=25] [--samples=DIR] [--again=2]
 *
 * Each script that ours does not follow is written to DIR, with the place where the two part; with --samples, those that
 * it does are written there. One that ours does not follow is played to the kernel again: its timers are late by chance,
 * and what it does otherwise it does again. Needs root, TUN and a network namespace of its own, which the npm script makes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { optionsOf } from '../../src/packetdrill/options-of-script.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { runScript } from '../../src/packetdrill/run.ts';
import { KernelDevice, REMOTE } from './kernel/device.ts';
import { Generator, THEMES } from './kernel/generate.ts';
import { Recording } from './kernel/recording.ts';

const SIDE_BY_SIDE = 40;
/** Microseconds: a timer of more than 64 jiffies is late by up to 8 of them, which are 32 ms at HZ=250. */
const TOLERANCE = 36_000;
const OLDER = Number.parseInt(release(), 10) < 7;
const FIELDS = ['state', 'ca_state', 'snd_cwnd', 'snd_ssthresh', 'unacked', 'sacked', 'lost', 'retrans', 'reordering'];
const MORE_FIELDS = ['retransmits', 'backoff', 'probes', 'total_retrans', 'notsent_bytes', 'delivered', 'bytes_acked'];

const { values } = parseArgs({
  options: {
    scripts: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    theme: { type: 'string' },
    keep: { type: 'string', default: '/tmp/differential' },
    set: { type: 'string', multiple: true, default: [] },
    steps: { type: 'string', default: '25' },
    samples: { type: 'string' },
    again: { type: 'string', default: '2' },
  },
});

if (values.theme !== undefined && !THEMES.some(({ name }) => name === values.theme)) {
  process.stderr.write(`no theme is called ${values.theme}; there are ${THEMES.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
const device = new KernelDevice();
const themes = THEMES.filter(({ name, settings }) =>
  values.theme === undefined ? settings === undefined : name === values.theme,
);
const settings = [...new Set(themes.flatMap(theme => theme.settings ?? [])), ...values.set];
for (const setting of settings) device.sysctl(setting);
const prologue = `\`../common/defaults.sh\`\n${settings.map(setting => `\`sysctl -q ${setting.replace(/=(.*)/, '="$1"')}\`\n`).join('')}`;

async function record(number: number): Promise<string> {
  const theme = themes[number % themes.length];
  // A host remembers the Fast Open cookies of addresses.
  const remote = theme.name === 'fast-open-client' ? REMOTE + 1 + (number % 251) : REMOTE;
  const recording = new Recording(device, {
    fields: [...FIELDS, ...MORE_FIELDS],
    polls: true,
    windows: true,
    marks: /ecn$/.test(theme.name),
    remote,
  });
  const generator = new Generator(`${values.seed} ${number}`, theme, recording);
  const play = async (line: string): Promise<void> =>
    recording.play(parseScript(`${line.replace(/= \?$/, '= 0').replace('[?]', '[0]')}\n`).events[0], line);
  for (const line of generator.opening()) await play(line);
  for (let step = 0; step < Number(values.steps); step++) {
    const line = generator.next();
    if (line === undefined) break;
    await play(line);
  }
  const script = prologue + (await recording.end());
  // Linux 6.18 takes AccECN for agreed on when a SYN+ACK says so, although it has asked for RFC 3168's ECN; ours has to ask.
  return theme.name === 'accurate-ecn'
    ? script.replace('tcp_ecn="1"', 'tcp_ecn="3"').replaceAll('] SEW 0', '] SEWA 0')
    : script;
}

/** Of an assertion that failed, the fields that are not as asserted. */
function differingFields(message: string): string {
  const [, wanted, found] = /^assertion failed: assert (.*), \(tcpi_[^)]*\): \((.*)\)$/.exec(message) ?? [];
  if (wanted === undefined) return message;
  const got = found.split(', ');
  return wanted
    .split(' and ')
    .flatMap((term, i) => (term.endsWith(` == ${got[i]}`) ? [] : [`${term}, not ${got[i]}`]))
    .join('; ');
}

interface Parting {
  number: number;
  line: string;
  message: string;
}

function replay(number: number, text: string): Parting | undefined {
  const verdict = runScript(
    parseScript(text),
    optionsOf(parseScript(text), { profile: 'linux', toleranceUsecs: TOLERANCE, hz: 250 }, text),
    { read: () => undefined },
  );
  if (verdict.status === 'pass') return undefined;
  const { line = 0, expected = '', got = '' } = verdict;
  // A RST of nobody's, and a second connection, have numbers that the script cannot name: what follows cannot be told.
  if (/^sequence number/.test(verdict.message ?? '') && /^(S\.|R\.) /.test(expected)) return undefined;
  // The timestamp of an old ACK counts since Linux 7, and so here: what another kernel does behind one cannot be told.
  if (OLDER && /^TS ecr/.test(verdict.message ?? '')) return undefined;
  const message = differingFields(verdict.message ?? '');
  return {
    number,
    line: `${line}: ${text.split('\n')[line - 1]}`,
    message: `${message} | expected ${expected} | got ${got}`,
  };
}

function keep(folder: string, number: number, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${themes[number % themes.length].name}-${values.seed}-${number}.pkt`), text);
}

/** For keeping: what poll said and TCP_INFO's fields only where they have changed. */
function compact(text: string): string {
  const known = new Map<string, string>();
  let events = '';
  const lines = text.split('\n').flatMap(line => {
    if (line.includes(' poll(')) {
      const same = line === events;
      events = line;
      return same ? [] : [line];
    }
    const asserted = /^( *\+0 %\{ assert )(.*), \(tcpi_[^)]*\) \}%$/.exec(line);
    if (asserted === null) return [line];
    const changed = asserted[2].split(' and ').filter(term => {
      const [name, value] = term.split(' == ');
      const isNew = known.get(name) !== value;
      known.set(name, value);
      return isNew;
    });
    return changed.length === 0 ? [] : [`${asserted[1]}${changed.join(' and ')} }%`];
  });
  return lines.join('\n');
}

const total = Number(values.scripts);
const partings: Parting[] = [];
let next = 0;
let late = 0;

function replayed(number: number, text: string): Parting | undefined {
  try {
    return replay(number, text);
  } catch (error) {
    return { number, line: '', message: `thrown: ${(error as Error).stack}` };
  }
}

async function worker(): Promise<void> {
  while (next < total) {
    const number = next++;
    let text = await record(number);
    let parting = replayed(number, text);
    // A kernel that has a cookie by now would do something else.
    const remembers = themes[number % themes.length].name === 'fast-open-client';
    for (let left = remembers ? 0 : Number(values.again); parting !== undefined && left > 0; left--) {
      text = await record(number);
      parting = replayed(number, text);
      if (parting === undefined) late++;
    }
    if (parting === undefined) {
      if (values.samples !== undefined) keep(values.samples, number, compact(text));
      continue;
    }
    partings.push(parting);
    keep(values.keep, number, `${text}// ${parting.line}\n// ${parting.message}\n`);
  }
}

await device.serve(Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, total) }, worker)));
device.close();
for (const { number, line, message } of partings.sort((a, b) => a.number - b.number)) {
  const shown = line.replace(/(assert) .*/, '$1');
  process.stdout.write(
    `${themes[number % themes.length].name} ${number}  ${shown.slice(0, 150)}\n    ${message.slice(0, 300)}\n`,
  );
}
const again = late > 0 ? `, ${late} of them when played to the kernel again` : '';
process.stdout.write(`${total - partings.length} of ${total} exchanges are the same${again}\n`);
