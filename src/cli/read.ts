/** `netarium read`: what a capture holds: TCP conversations and HTTP exchanges. */
import { formatDuration } from '../base/instant.ts';
import { readCapture } from '../node/capture-file.ts';
import type { Conversation } from '../trace/capture/conversations.ts';
import type { HttpExchange } from '../trace/capture/http-exchanges.ts';
import type { CaptureReader } from '../trace/capture/read.ts';
import { FIN, RST, SYN } from '../wire/tcp.ts';
import { type Flag, parseCommandLine, parseNumber, UsageError } from './arguments.ts';

export const READ_HELP = `netarium read FILE [flags]   what a capture holds (pcap, pcapng)

  --http              the HTTP/1.1 requests and their answers, too
  --top N             so many conversations, the largest first; default 20
  --all               all of them, in the order in which they began
  --json              the same as JSON, all of it`;

const FLAGS: Record<string, Flag> = {
  http: { type: 'boolean' },
  top: { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
};

export async function read(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  const [path, ...rest] = parsed.positionals;
  if (path === undefined || rest.length > 0) throw new UsageError('read takes one capture file');
  const top = parseNumber('--top', parsed.text('top') ?? '20', 1, 1e9);
  const { reader, truncated } = readCapture(path, { http: parsed.is('http') });
  const { conversations } = reader;
  const all = Array.from({ length: conversations.count }, (_, at) => conversations.get(at));
  if (parsed.is('json')) {
    const { packets, segments } = reader;
    const http = reader.http?.list;
    process.stdout.write(
      `${JSON.stringify({ packets, segments, truncated, conversations: all, http }, undefined, 2)}\n`,
    );
    return 0;
  }
  const shown = parsed.is('all') ? all : largest(all).slice(0, top);
  const lines = [summary(reader), ...(shown.length > 0 ? ['', ...table(shown, reader.firstTime)] : [])];
  if (shown.length < all.length) lines.push(`  and ${all.length - shown.length} smaller ones (--all, --top N)`);
  if (reader.http !== undefined) lines.push('', ...exchanges(reader.http.list, all, reader.firstTime));
  if (truncated !== undefined) lines.push('', `note: ${truncated}`);
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

const total = (pair: readonly [number, number]): number => pair[0] + pair[1];
const largest = (all: readonly Conversation[]): Conversation[] =>
  [...all].sort((a, b) => total(b.bytes) - total(a.bytes));

function summary({ packets, segments, conversations, firstTime, lastTime }: CaptureReader): string {
  const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
  const span = packets > 0 ? ` in ${formatDuration(Math.round(lastTime - firstTime))}` : '';
  return `${count(packets, 'packet')}${span}, ${segments.toLocaleString('en')} of them TCP, ${count(conversations.count, 'conversation')}`;
}

function table(shown: readonly Conversation[], begin: number): string[] {
  const rows = shown.map(c => [
    ((c.start - begin) / 1e9).toFixed(3),
    c.first,
    c.second,
    short(c.data[0]),
    short(c.data[1]),
    String(total(c.packets)),
    ending(c.flags),
  ]);
  return aligned(['start s', 'from', 'to', 'sent', 'got', 'packets', 'end'], rows, [0, 3, 4, 5]);
}

/** How it ended, as far as the capture shows. */
function ending(flags: number): string {
  const how = flags & RST ? 'reset' : flags & FIN ? 'closed' : 'open';
  return flags & SYN ? how : `${how}, no SYN`;
}

function exchanges(list: readonly HttpExchange[], all: readonly Conversation[], begin: number): string[] {
  if (list.length === 0) return ['no HTTP/1.1 in it'];
  const rows = list.map(e => [
    ((e.start - begin) / 1e9).toFixed(3),
    e.method,
    String(e.status ?? '-'),
    e.length === undefined ? '-' : short(e.length),
    e.duration === undefined ? '-' : formatDuration(Math.round(e.duration)),
    `${e.target.includes('://') ? '' : e.host || all[e.conversation].second}${e.target}`,
  ]);
  return aligned(['start s', 'method', 'status', 'body', 'took', 'what'], rows, [0, 3, 4]);
}

/** '1.2 M': four places or fewer. */
function short(bytes: number): string {
  if (bytes < 10_000) return String(bytes);
  const power = bytes < 1e6 ? 1 : bytes < 1e9 ? 2 : 3;
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${' kMG'[power]}`;
}

function aligned(head: readonly string[], rows: readonly string[][], right: readonly number[]): string[] {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map(row => row[at].length)));
  return [head, ...rows].map(row =>
    row
      .map((cell, at) => (right.includes(at) ? cell.padStart(widths[at]) : cell.padEnd(widths[at])))
      .join('  ')
      .trimEnd(),
  );
}
