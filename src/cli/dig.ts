/** `netarium dig`: asks for records, as the laptop or, with --trace, step by step from the root. */
import { formatDuration } from '../base/instant.ts';
import type { BuiltinInternet } from '../sim/builtin/builtin.ts';
import type { DnsEvent } from '../trace/events.ts';
import { Recorder } from '../trace/recorder.ts';
import { parseIpv4 } from '../wire/address.ts';
import { formatData } from '../wire/dns.ts';
import { absoluteName } from '../wire/dns-name.ts';
import { RCODE, type ResourceRecord, rcodeName, rrName, rrType, typeOf } from '../wire/dns-types.ts';
import { type Flag, parseCommandLine, UsageError } from './arguments.ts';
import { buildWorld, WORLD_FLAGS, WORLD_HELP } from './world.ts';

export const DIG_HELP = `netarium dig NAME [TYPE] [flags]   ask for records (PTR of an address)

  --trace             every server that was asked, from the root down
  --caches            what host, router and resolver remember afterwards
${WORLD_HELP}`;

const FLAGS: Record<string, Flag> = { ...WORLD_FLAGS, trace: { type: 'boolean' }, caches: { type: 'boolean' } };

export async function dig(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  const [text, typeText, ...rest] = parsed.positionals;
  if (text === undefined || rest.length > 0) throw new UsageError('dig takes a name and perhaps a type');
  const isAddress = parseIpv4(text) !== undefined;
  const name = absoluteName(isAddress ? `${text.split('.').reverse().join('.')}.in-addr.arpa` : text);
  if (name === undefined) throw new UsageError(`'${text}' is no legal domain name`);
  const type = rrType(typeText ?? (isAddress ? 'PTR' : 'A'));
  if (type === undefined)
    throw new UsageError(`'${typeText}' is no record type; try A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT`);
  const recorder = new Recorder({ keepFrames: false });
  const { world } = buildWorld(parsed, recorder.sink);
  const answer = await world.clock.until(world.laptopResolver.resolve(name, type));
  const out: string[] = [];
  if (parsed.is('trace')) out.push(...traceLines(recorder), '');
  out.push(
    `${rcodeName(answer.rcode)}, ${answer.records.length} record${answer.records.length === 1 ? '' : 's'}, in ${formatDuration(world.clock.now())}`,
  );
  out.push(...answer.records.map(recordLine));
  if (answer.soa !== undefined) out.push(`no ${rrName(type)}: the zone's SOA says so`, recordLine(answer.soa));
  if (parsed.is('caches')) out.push('', ...cacheLines(world));
  process.stdout.write(`${out.join('\n')}\n`);
  if (answer.rcode === RCODE.NOERROR) return 0;
  const why = answer.why === undefined ? '' : `: ${answer.why}`;
  process.stderr.write(`netarium: NAME: ${text} ${rcodeName(answer.rcode)}${why}\n`);
  return 1;
}

function cacheLines(world: BuiltinInternet): string[] {
  return [...world.caches()].flatMap(([name, cache]) => {
    if (!cache.enabled) return [`${name} cache: switched off`];
    return [`${name} cache:`, ...cache.list().map(line => `  ${line}`)];
  });
}

const recordLine = (record: ResourceRecord): string =>
  `${record.name}  ${record.ttl}  IN  ${rrName(typeOf(record.data))}  ${formatData(record.data)}`;

function traceLines(recorder: Recorder): string[] {
  const events = recorder.events.filter(event => event.kind === 'dns');
  const asked = new Map<string, DnsEvent>();
  const lines: string[] = [];
  for (const event of events) {
    const key = `${event.host} ${event.server} ${event.name} ${event.type}`;
    if (event.action === 'query') asked.set(key, event);
    else if (event.action.startsWith('cache'))
      lines.push(`${at(event)} ${event.host}: ${event.where} ${event.action.slice(6)}`);
    else lines.push(...outcomeLines(event, asked.get(key)));
  }
  return lines;
}

function outcomeLines(event: DnsEvent, query: DnsEvent | undefined): string[] {
  const took = query === undefined ? '' : ` in ${formatDuration(event.time - query.time)}`;
  const zone = event.zone === undefined ? '' : ` for ${event.zone}`;
  const what = event.action === 'referral' ? `refers to ${event.detail}` : (event.detail ?? event.action);
  return [`${at(event)} ${event.host} asked ${event.server}${zone}: ${what}${took}`];
}

const at = (event: DnsEvent): string => formatDuration(event.time).padStart(9);
