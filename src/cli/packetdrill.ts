/** `netarium packetdrill`: scripts in packetdrill's language, run against a host of ours in virtual time. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Given, optionsOf, suiteDefines, versionOf } from '../packetdrill/options-of-script.ts';
import { parseScript } from '../packetdrill/parse.ts';
import { runScript, type Verdict } from '../packetdrill/run.ts';
import { ScriptError } from '../packetdrill/script.ts';
import type { IpVersion } from '../packetdrill/world.ts';
import type { ProfileName } from '../transport/tcp/profiles.ts';
import { type Flag, type Parsed, parseCommandLine, parseNumber, UsageError } from './arguments.ts';

export const PACKETDRILL_HELP = `netarium packetdrill FILE|DIR... [flags]   run packetdrill scripts

  --ip_version V      ipv4 (default), ipv6, ipv4-mapped-ipv6, or all
  --profile P         whose TCP: linux, freebsd, rfc (default: as the script says)
  --tolerance_usecs N default 4000, or an eighth of the time between two events
  --mtu N             of the link (default 1500; 1520 for IPv6 and Linux)
  --mss N             longer inbound segments are several, coalesced on receipt
  --local_ip A        --remote_ip A
  --strict_segments   a line is one segment, never several
  -D NAME=VALUE       a name that scripts use
  --init_scripts F    commands to run before each script
  --seed N            of ports, sequence numbers and all else that is random
  --json              the verdicts as JSON, one object
  --quiet             only the totals

Commands between backticks are translated into settings of the host. A script
with something that is not translated is 'unsupported', never passed.`;

const FLAGS: Record<string, Flag> = {
  ip_version: { type: 'string' },
  profile: { type: 'string' },
  tolerance_usecs: { type: 'string' },
  mtu: { type: 'string' },
  mss: { type: 'string' },
  local_ip: { type: 'string' },
  remote_ip: { type: 'string' },
  gateway_ip: { type: 'string' },
  netmask_ip: { type: 'string' },
  strict_segments: { type: 'boolean' },
  define: { type: 'string', short: 'D', multiple: true },
  init_scripts: { type: 'string', multiple: true },
  seed: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
};

const VERSIONS: readonly IpVersion[] = ['ipv4', 'ipv6', 'ipv4-mapped-ipv6'];

interface Reported extends Verdict {
  file: string;
  ipVersion: IpVersion;
}

export async function packetdrill(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  if (parsed.positionals.length === 0) throw new UsageError('packetdrill takes scripts, or folders of them');
  const files = parsed.positionals.flatMap(scriptsIn);
  if (files.length === 0) throw new UsageError(`there is no .pkt file in ${parsed.positionals.join(', ')}`);
  const verdicts: Reported[] = [];
  for (const file of files) {
    for (const ipVersion of versionsFor(parsed, file)) {
      const verdict = runFile(file, parsed, ipVersion);
      verdicts.push(verdict);
      if (!parsed.is('json') && !parsed.is('quiet')) process.stdout.write(`${lineOf(verdict)}\n`);
    }
  }
  const totals = count(verdicts);
  if (parsed.is('json')) process.stdout.write(`${JSON.stringify({ totals, scripts: verdicts }, undefined, 1)}\n`);
  else {
    const { pass, fail, unsupported } = totals;
    process.stdout.write(`${pass} passed, ${fail} failed, ${unsupported} unsupported of ${verdicts.length}\n`);
  }
  return totals.pass === verdicts.length ? 0 : 1;
}

function scriptsIn(path: string): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw new UsageError(`${path} is not there`);
  }
  if (!isFolder) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.pkt'))
    .sort()
    .map(name => join(path, name));
}

/** 'all' are those that the script allows: one that names a version is about that one. */
function versionsFor(parsed: Parsed, file: string): (IpVersion | undefined)[] {
  const wanted = parsed.text('ip_version');
  if (wanted === undefined) return [undefined];
  if (wanted === 'all') return /^--ip_version=/m.test(readFileSync(file, 'utf8')) ? [undefined] : [...VERSIONS];
  if (!VERSIONS.includes(wanted as IpVersion)) {
    throw new UsageError(`--ip_version takes ${VERSIONS.join(', ')} or all, not '${wanted}'`);
  }
  return [wanted as IpVersion];
}

function givenBy(parsed: Parsed): Given {
  const number = (name: string, most: number): number | undefined => {
    const text = parsed.text(name);
    return text === undefined ? undefined : parseNumber(`--${name}`, text, 0, most);
  };
  const profile = parsed.text('profile');
  if (profile !== undefined && !['rfc', 'linux', 'freebsd'].includes(profile)) {
    throw new UsageError(`--profile takes rfc, linux or freebsd, not '${profile}'`);
  }
  return {
    profile: profile as ProfileName | undefined,
    toleranceUsecs: number('tolerance_usecs', 1e9),
    mtu: number('mtu', 65535),
    mss: number('mss', 65535),
    localIp: parsed.text('local_ip'),
    remoteIp: parsed.text('remote_ip'),
    strictSegments: parsed.is('strict_segments') || undefined,
    seed: number('seed', 2 ** 32),
    initScripts: parsed.texts('init_scripts').map(path => readFileSync(path, 'utf8')),
  };
}

function definesOf(parsed: Parsed): Map<string, string> {
  const defines = new Map<string, string>();
  for (const text of parsed.texts('define')) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`-D takes NAME=VALUE, not '${text}'`);
    defines.set(text.slice(0, at), text.slice(at + 1));
  }
  return defines;
}

function runFile(file: string, parsed: Parsed, ipVersion: IpVersion | undefined): Reported {
  const text = readFileSync(file, 'utf8');
  const shown = ipVersion ?? versionOf(text);
  try {
    const script = parseScript(text, new Map([...suiteDefines(shown), ...definesOf(parsed)]));
    const options = optionsOf(script, { ...givenBy(parsed), ipVersion }, text);
    const folder = dirname(resolve(file));
    const read = (path: string): string | undefined => {
      try {
        return readFileSync(resolve(folder, path), 'utf8');
      } catch {
        return undefined;
      }
    };
    return { file, ipVersion: options.ipVersion, ...runScript(script, options, { read }) };
  } catch (error) {
    if (error instanceof ScriptError) {
      return { file, ipVersion: shown, status: 'unsupported', line: error.line, message: error.message };
    }
    throw error;
  }
}

function lineOf({ file, ipVersion, status, line, message, expected, got }: Reported): string {
  if (status === 'pass') return `pass  ${file} (${ipVersion})`;
  const where = line === undefined ? '' : `:${line}`;
  const lines = [`${status === 'fail' ? 'FAIL' : 'UNSUPPORTED'}  ${file}${where} (${ipVersion}): ${message}`];
  if (expected !== undefined) lines.push(`      expected  ${expected}`);
  if (got !== undefined) lines.push(`      got       ${got}`);
  return lines.join('\n');
}

function count(verdicts: readonly Reported[]): Record<Verdict['status'], number> {
  const totals = { pass: 0, fail: 0, unsupported: 0 };
  for (const { status } of verdicts) totals[status]++;
  return totals;
}
