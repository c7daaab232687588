/** FreeBSD's programs that scripts call beside sysctl: tcpdrop(8) and sockstat(1), answered by the host under test. */
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import { isSynchronized } from '../transport/tcp/state.ts';
import { formatIp, isIpv6 } from '../wire/ip-address.ts';
import { filtered } from './filters.ts';
import type { World } from './world.ts';

interface Picked {
  flags: ReadonlyMap<string, string>;
  operands: readonly string[];
}

/** `-s STATE -a LOCAL PORT ...`: flags of one letter, those in `valued` with a word behind them. */
function pick(args: readonly string[], valued: string): Picked {
  const flags = new Map<string, string>();
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    if (!args[at].startsWith('-')) {
      operands.push(args[at]);
      continue;
    }
    for (const letter of args[at].slice(1)) flags.set(letter, valued.includes(letter) ? args[++at] : '');
  }
  return { flags, operands };
}

/** Ends the connections that are meant, with a RST where the other end knows of them. What it does not understand, or undefined. */
export function tcpdrop(world: World, args: readonly string[]): string | undefined {
  const { flags, operands } = pick(args, 'CsS');
  const ends = operands.length === 2 ? operands.flatMap(end => split(end)) : operands;
  if (![0, 4].includes(ends.length)) return 'an address and a port of either end are asked for';
  if (flags.has('l')) return undefined; // only lists them
  const state = flags.get('s');
  const control = flags.get('C');
  const stack = flags.get('S');
  for (const endpoint of world.host.tcp.connections()) {
    if (ends.length === 4 && !isBetween(endpoint, ends)) continue;
    if (state !== undefined && endpoint.state !== state) continue;
    if (control !== undefined && endpoint.info().congestionControl !== control) continue;
    if (stack !== undefined && stack !== 'freebsd') continue;
    drop(world, endpoint);
  }
  return undefined;
}

function split(end: string): string[] {
  const at = end.lastIndexOf(end.includes(':') ? ':' : '.');
  return [end.slice(0, at).replace(/[[\]]/g, ''), end.slice(at + 1)];
}

const isBetween = (e: TcpEndpoint, [local, localPort, remote, remotePort]: readonly string[]): boolean =>
  formatIp(e.localAddress) === local &&
  String(e.localPort) === localPort &&
  formatIp(e.remoteAddress) === remote &&
  String(e.remotePort) === remotePort;

function drop(world: World, endpoint: TcpEndpoint): void {
  if (isSynchronized(endpoint.state)) endpoint.connection.sendReset(world.now);
  endpoint.connection.fail('ECONNABORTED', 'dropped by the administrator');
  endpoint.run();
}

/** `sockstat -4sP tcp -p 8080 | grep -q ESTABLISHED`: does it find something? Undefined: not understood. */
export function sockstat(world: World, pipeline: string): boolean | undefined {
  const [command, ...filters] = pipeline.split('|');
  const { flags } = pick(command.trim().split(/\s+/).slice(1), 'FfjPp');
  const ports = flags.get('p')?.split(',');
  const { host } = world;
  // -l alone is for those who listen, of whom nothing is told here.
  const connections = flags.has('l') && !flags.has('c') ? [] : host.tcp.connections();
  const lines = connections
    .filter(e => ports === undefined || ports.includes(String(e.localPort)) || ports.includes(String(e.remotePort)))
    .filter(e => isOfFamily(e, flags))
    .map(e => lineOf(e, flags));
  return filtered(flags.has('q') ? lines : [HEADING, ...lines], filters)?.holds;
}

/** -4, -6, both or neither. */
function isOfFamily(e: TcpEndpoint, flags: ReadonlyMap<string, string>): boolean {
  const asked = isIpv6(e.remoteAddress) ? '6' : '4';
  return flags.has(asked) || !(flags.has('4') || flags.has('6'));
}

const HEADING = 'USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS      ';

function lineOf(e: TcpEndpoint, flags: ReadonlyMap<string, string>): string {
  const proto = isIpv6(e.remoteAddress) ? 'tcp6' : 'tcp4';
  const end = (address: TcpEndpoint['localAddress'], port: number): string => `${formatIp(address)}:${port}`.padEnd(22);
  const columns = [
    `root     packetdril 1     4   ${proto}   ${end(e.localAddress, e.localPort)}${end(e.remoteAddress, e.remotePort)}`,
    flags.has('s') ? e.state.padEnd(12) : '',
    flags.has('S') ? 'freebsd'.padEnd(10) : '',
    flags.has('C') ? e.info().congestionControl : '',
  ];
  return columns.filter(column => column !== '').join(' ');
}
