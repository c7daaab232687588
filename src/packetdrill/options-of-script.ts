/** The flags of packetdrill, on its command line or in the first lines of a script; the command line wins. */
import { us } from '../base/instant.ts';
import type { ProfileName } from '../transport/tcp/profiles.ts';
import { DEFAULT_TOLERANCE, type RunOptions } from './run.ts';
import { type Script, ScriptError } from './script.ts';
import type { IpVersion } from './world.ts';

export interface Given {
  ipVersion?: IpVersion;
  profile?: ProfileName;
  mtu?: number;
  mss?: number;
  localIp?: string;
  remoteIp?: string;
  toleranceUsecs?: number;
  strictSegments?: boolean;
  seed?: number;
  initScripts?: string[];
  /** Ticks a second of the kernel that a script was recorded from. */
  hz?: number;
}

/** Flags whose meaning makes no difference here. */
const IGNORED = new Set([
  'gateway_ip',
  'netmask_ip',
  'live_gateway_ip',
  'speed',
  'bind_port',
  'code_command',
  'code_format',
  'code_sockopt',
  'tcp_ts_tick_usecs',
  'tcp_ts_ecr_scaled',
  'non_fatal',
  'verbose',
  'debug',
  'send_omit_free',
  'define',
  'is_anyip',
  'init_scripts',
  'fm_filename',
  'dry_run',
]);
const VERSIONS: readonly string[] = ['ipv4', 'ipv6', 'ipv4-mapped-ipv6'];

/**
 * The names that Google's suite defines on its command line for each version of IP: where control messages come from,
 * and the Fast Open cookies of its addresses with its key and with a key of zeros. `-D` wins.
 */
export function suiteDefines(version: IpVersion): Map<string, string> {
  const family = version === 'ipv4' ? 'IP' : 'IPV6';
  const wire = version === 'ipv6' ? 'ipv6' : 'ipv4';
  return new Map([
    ['CMSG_LEVEL_IP', `SOL_${family}`],
    ['CMSG_TYPE_RECVERR', `${family}_RECVERR`],
    ['TFO_COOKIE', { ipv4: '3021b9d889017eeb', ipv6: 'c1d1e9742a47a9bc' }[wire]],
    ['TFO_COOKIE_ZERO', { ipv4: 'b7c12350a90dc8f5', ipv6: '82af1a8f9a205c34' }[wire]],
  ]);
}

/** The version of IP that a script itself asks for. */
export const versionOf = (text: string): IpVersion => {
  const found = /^--ip_version=(\S+)/m.exec(text)?.[1] ?? 'ipv4';
  return VERSIONS.includes(found) ? (found as IpVersion) : 'ipv4';
};

/** Throws ScriptError. */
export function optionsOf(script: Script, given: Given, text: string): RunOptions {
  const own: Given = {};
  for (const { name, value, line } of script.options) {
    switch (name) {
      case 'ip_version':
        if (!VERSIONS.includes(value)) throw new ScriptError(line, `--ip_version is one of ${VERSIONS.join(', ')}`);
        own.ipVersion = value as IpVersion;
        break;
      case 'mtu':
        own.mtu = Number(value);
        break;
      case 'tolerance_usecs':
        own.toleranceUsecs = Number(value);
        break;
      case 'mss':
        own.mss = Number(value);
        break;
      case 'local_ip':
        own.localIp = value;
        break;
      case 'remote_ip':
        own.remoteIp = value.replace(/\/\d+$/, '');
        break;
      case 'strict_segments':
        own.strictSegments = value !== 'false';
        break;
      default:
        if (!IGNORED.has(name)) throw new ScriptError(line, `the option --${name} is not known here`);
    }
  }
  const all = { ...own, ...defined(given) };
  return {
    ipVersion: all.ipVersion ?? 'ipv4',
    profile: all.profile ?? profileOf(text),
    mtu: all.mtu,
    mss: all.mss,
    localIp: all.localIp,
    remoteIp: all.remoteIp,
    tolerance: all.toleranceUsecs === undefined ? DEFAULT_TOLERANCE : us(all.toleranceUsecs),
    strictSegments: all.strictSegments ?? false,
    seed: all.seed ?? 1,
    initScripts: all.initScripts ?? [],
    hz: all.hz,
  };
}

const defined = (given: Given): Given =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Given;

/** A script says by its commands which kernel it was written for. */
export const profileOf = (text: string): ProfileName =>
  /kldload|net\.inet6?\.tcp|TCP_FUNCTION_BLK|kern\.timecounter/.test(text) ? 'freebsd' : 'linux';
