/** `netarium ping`: echo requests from the laptop of the sealed internet. */
import { AddressLookup } from '../application/dns/lookup.ts';
import { NameError } from '../application/dns/types.ts';
import { formatDuration } from '../base/instant.ts';
import type { PingResult } from '../host/ping.ts';
import { Recorder } from '../trace/recorder.ts';
import { type Flag, parseCommandLine, parseNumber, UsageError } from './arguments.ts';
import { buildWorld, WORLD_FLAGS, WORLD_HELP } from './world.ts';

export const PING_HELP = `netarium ping HOST [flags]   echo requests from the laptop

  --count N           default 4
  --ttl N             fewer hops: who says that the time is exceeded?
  --size N            bytes of data (default 56)
  --from HOST         another sender (see netarium map)
${WORLD_HELP}`;

const FLAGS: Record<string, Flag> = {
  ...WORLD_FLAGS,
  count: { type: 'string' },
  ttl: { type: 'string' },
  size: { type: 'string' },
  from: { type: 'string' },
};

export async function ping(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  const [name, ...rest] = parsed.positionals;
  if (name === undefined || rest.length > 0) throw new UsageError('ping takes one host');
  const ttl = parsed.text('ttl');
  const options = {
    count: parseNumber('--count', parsed.text('count') ?? '4', 1, 10_000),
    size: parseNumber('--size', parsed.text('size') ?? '56', 0, 65_000),
    ttl: ttl === undefined ? undefined : parseNumber('--ttl', ttl, 1, 255),
  };
  const { world } = buildWorld(parsed, new Recorder({ keepFrames: false, maxEvents: 0 }).sink);
  const from = world.hosts.get(parsed.text('from') ?? 'laptop');
  if (from === undefined) throw new UsageError(`there is no host '${parsed.text('from')}'; see netarium map`);
  let address: string;
  try {
    [address] = await world.clock.until(new AddressLookup(world.laptopResolver).lookup(name));
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    process.stderr.write(`netarium: NAME: ${error.message}\n`);
    return 1;
  }
  process.stdout.write(`PING ${name} (${address}) ${options.size} bytes of data\n`);
  const onResult = (result: PingResult): void => void process.stdout.write(`${lineOf(result)}\n`);
  const results = await world.clock.until(from.ping(address, { ...options, onResult }));
  const answered = results.filter(result => result.rtt !== undefined);
  process.stdout.write(`${summary(results, answered)}\n`);
  return answered.length > 0 ? 0 : 1;
}

function lineOf({ sequence, from, rtt, ttl, bytes, error }: PingResult): string {
  if (rtt !== undefined)
    return `${bytes} bytes from ${from}: seq=${sequence + 1} ttl=${ttl} time=${formatDuration(rtt)}`;
  if (error !== undefined) return `${from === undefined ? '' : `from ${from}: `}seq=${sequence + 1} ${error}`;
  return `seq=${sequence + 1} no answer`;
}

function summary(results: readonly PingResult[], answered: readonly PingResult[]): string {
  const loss = Math.round((1 - answered.length / results.length) * 100);
  const head = `${results.length} sent, ${answered.length} answered, ${loss} % lost`;
  const rtts = answered.map(result => result.rtt ?? 0);
  if (rtts.length === 0) return head;
  const mean = rtts.reduce((a, b) => a + b, 0) / rtts.length;
  const figures = [Math.min(...rtts), mean, Math.max(...rtts)].map(rtt => formatDuration(Math.round(rtt)));
  return `${head}, round trip min/mean/max ${figures.join(' / ')}`;
}
