/**
 * The commands between backticks. No shell runs: each command is looked up in a table and done to the host under test,
 * and one that is not there makes the script unsupported.
 */
import { CONGESTION_CONTROLS } from '../transport/tcp/profiles.ts';
import { Counters } from './counters.ts';
import { sockstat, tcpdrop } from './freebsd-tools.ts';
import { applySysctl } from './sysctl.ts';
import type { World } from './world.ts';

export class CommandUnsupported extends Error {
  override name = 'CommandUnsupported';
}

/** It ran, and what it looked for was not so. */
export class CommandFailed extends Error {
  override name = 'CommandFailed';
}

export interface ShellFiles {
  /** The text of a file beside the script, or undefined. */
  read(path: string): string | undefined;
}

/** What `defaults.sh` sets where the suite that has it is not at hand: the values it is published with. */
const DEFAULTS = `
sysctl -q net.ipv4.tcp_rmem="4096 540000 15728640"
sysctl -q net.ipv4.tcp_wmem="4096 262144 4194304"
sysctl -q net.ipv4.tcp_timestamps=1 net.ipv4.tcp_syn_retries=5 net.ipv4.tcp_synack_retries=5
sysctl -q net.ipv4.tcp_frto=2 net.ipv4.tcp_sack=1 net.ipv4.tcp_dsack=1 net.ipv4.tcp_reordering=3
sysctl -q net.ipv4.tcp_congestion_control=cubic net.ipv4.tcp_slow_start_after_idle=0
sysctl -q net.ipv4.tcp_early_retrans=4 net.ipv4.tcp_recovery=1 net.ipv4.tcp_tso_win_divisor=3 net.ipv4.tcp_ecn=0
sysctl -q net.ipv4.tcp_notsent_lowat=4294967295 net.ipv4.tcp_fastopen=0x70403
sysctl -q net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4
`;

export class Shell {
  private readonly world: World;
  private readonly files: ShellFiles;
  private readonly counters: Counters;
  private readonly variables = new Map<string, string>();
  private depth = 0;

  constructor(world: World, files: ShellFiles) {
    this.world = world;
    this.files = files;
    this.counters = new Counters(world.host.context.drops);
  }

  /** Throws CommandUnsupported. Answers how long the commands slept, seconds. */
  run(text: string): number {
    let slept = 0;
    const joined = text.replace(/\\\n/g, ' ').replace(/(^|\n)\s*#[^\n]*/g, '$1');
    // 0: running; a positive number: inside of branches not taken.
    let skipping = 0;
    for (const part of joined.split(/\n|;|&&|\|\|/)) {
      const line = part.trim().replace(/\s*(?:\d?>>?\s*(?:&\d|\S+))+\s*$/, '');
      if (line === '') continue;
      if (/^if\b/.test(line)) skipping = skipping > 0 || !this.holds(line.slice(2)) ? skipping + 1 : 0;
      else if (/^(fi|done)\b/.test(line)) skipping = Math.max(0, skipping - 1);
      else if (/^else\b/.test(line)) skipping = skipping > 0 ? skipping - 1 : 1;
      else if (skipping === 0) slept += this.command(line.replace(/^then\s+/, ''), part.trim());
    }
    return slept;
  }

  /** `[ A = B ]` and the like; tests of files are false. */
  private holds(test: string): boolean {
    const words = split(this.expand(test.trim()));
    const [left, operator, right] = words.filter(word => !['[', ']', '[[', ']]'].includes(word));
    if (operator === '=' || operator === '==') return left === right;
    return operator === '!=' ? left !== right : false;
  }

  private expand(text: string): string {
    return text
      .replace(/\$\(\(([\d\s*+\-()]+)\)\)/g, (_, sum: string) => String(arithmetic(sum)))
      .replace(/\$\{?(\w+)\}?/g, (_, name: string) => this.variables.get(name) ?? '');
  }

  private command(raw: string, shown: string): number {
    if (raw === 'then') return 0;
    const [name, ...args] = split(this.expand(raw));
    if (name === undefined) return 0;
    const assignment = /^(\w+)=(.*)$/.exec(name);
    if (assignment !== null) {
      this.variables.set(assignment[1], assignment[2]);
      return 0;
    }
    const base = name.split('/').pop() ?? name;
    if (base.endsWith('.sh')) return this.script(name, base);
    if (base === 'nstat') return this.nstat(raw);
    if (base === 'sockstat') return this.sockstat(raw);
    if (raw.includes('|') && base !== 'echo' && base !== 'grep')
      throw new CommandUnsupported(`the pipeline '${shown}' is not translated`);
    if (base === 'set_sysctls.py') return this.sysctls(args, shown);
    const command = COMMANDS[base];
    if (command === undefined) throw new CommandUnsupported(`the command '${shown}' is not translated`);
    if (base === 'sleep') return Number(args[0]);
    const refusal = command(this.world, args, raw);
    if (refusal !== undefined) throw new CommandUnsupported(`'${shown}': ${refusal}`);
    return 0;
  }

  private nstat(pipeline: string): number {
    const answer = this.counters.run(pipeline);
    if (answer === 'fails') throw new CommandFailed(`'${pipeline}' finds nothing`);
    if (answer !== 'holds') throw new CommandUnsupported(`'${pipeline}': ${answer.unknown}`);
    return 0;
  }

  private sockstat(pipeline: string): number {
    const found = sockstat(this.world, pipeline);
    if (found === undefined) throw new CommandUnsupported(`the pipeline '${pipeline}' is not translated`);
    if (!found) throw new CommandFailed(`'${pipeline}' finds nothing`);
    return 0;
  }

  private script(path: string, base: string): number {
    if (base.startsWith('sysctl_restore')) return 0;
    const text = this.files.read(path) ?? (base === 'defaults.sh' ? DEFAULTS : undefined);
    if (text === undefined) throw new CommandUnsupported(`the script ${path} is not there`);
    if (++this.depth > 8) throw new CommandUnsupported(`${path} calls itself`);
    const slept = this.run(text.replace(/^#!.*/, ''));
    this.depth--;
    return slept;
  }

  private sysctls(args: readonly string[], shown: string): number {
    for (const argument of args) {
      const refusal = setSysctl(this.world, argument);
      if (refusal !== undefined) throw new CommandUnsupported(`'${shown}': ${refusal}`);
    }
    return 0;
  }
}

/** Undefined: done; else why not. */
type Command = (world: World, args: readonly string[], raw: string) => string | undefined;

const NOTHING: Command = () => undefined;

function setSysctl(world: World, argument: string): string | undefined {
  const at = argument.indexOf('=');
  if (at < 0) return undefined; // reads it
  const name = argument.slice(0, at).trim();
  return applySysctl(world, name, argument.slice(at + 1)) ? undefined : `${name} is not translated`;
}

const COMMANDS: Record<string, Command> = {
  sysctl: (world, args) => {
    const wanted = args.filter(argument => !argument.startsWith('-'));
    for (const argument of wanted) {
      const refusal = setSysctl(world, argument);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  },
  echo: (world, _args, raw) => {
    const found = /^echo\s+(.+?)\s*>\s*(\/proc\/sys\/\S+)$/.exec(raw);
    if (found === null) return undefined;
    return setSysctl(world, `${found[2]}=${found[1].replace(/["']/g, '')}`);
  },
  ip: (world, args) =>
    ipCommand(
      world,
      args.filter(argument => !/^-[46o]$/.test(argument)),
    ),
  tc: (world, args) => {
    if (args[0] !== 'qdisc') return 'only qdiscs are translated';
    const kind = args.find(word => ['pfifo', 'pfifo_fast', 'fq', 'fq_codel', 'noqueue', 'bfifo'].includes(word));
    const removes = args[1] === 'del' || args[1] === 'delete';
    if (kind === undefined && !removes) return 'this qdisc is not translated';
    const limit = args.indexOf('limit');
    world.link.refuses = limit >= 0 && Number(args[limit + 1]) === 0;
    world.change({ paced: kind === 'fq' });
    return undefined;
  },
  // What is cut into segments where makes no difference here: a line describes it either way.
  ethtool: NOTHING,
  sleep: NOTHING,
  true: NOTHING,
  sync: NOTHING,
  kldload: NOTHING,
  kldunload: NOTHING,
  ifconfig: linkCommand,
  modprobe: NOTHING,
  dd: NOTHING,
  truncate: NOTHING,
  chmod: NOTHING,
  rm: NOTHING,
  cat: NOTHING,
  set: NOTHING,
  shopt: NOTHING,
  exit: NOTHING,
  readonly: NOTHING,
  tcpdrop,
  grep: (world, _args, raw) => {
    if (!raw.includes('/proc/net/tcp')) return 'only sockets can be looked for';
    return world.listens(0x1f90) ? undefined : 'nothing listens there';
  },
};

function ipCommand(world: World, args: readonly string[]): string | undefined {
  const [object, verb] = args;
  if (object === 'tcp_metrics') {
    world.host.tcp.fastOpenCache.clear();
    return undefined;
  }
  if (object === 'link' || object === 'addr' || object === 'address' || object === 'l') return linkCommand(world, args);
  if (!/^(r|ro|rou|rout|route)$/.test(object ?? '')) return 'only routes and links are translated';
  if (verb === 'flush' || verb === 'show' || verb === 'get') return undefined;
  return routeMetrics(world, args);
}

/** `ip link set dev tun0 mtu 1400`, `ifconfig tun0 mtu 1400`. */
function linkCommand(world: World, args: readonly string[]): string | undefined {
  const mtu = args.indexOf('mtu');
  if (mtu >= 0) world.link.mtu = Number(args[mtu + 1]);
  return undefined;
}

/** Metrics of the one route that there is. */
function routeMetrics(world: World, args: readonly string[]): string | undefined {
  for (let at = 0; at < args.length; at++) {
    const value = args[at + 1] === 'lock' ? args[at + 2] : args[at + 1];
    switch (args[at]) {
      case 'mtu':
        world.setRouteMtu(Number(value));
        break;
      case 'initcwnd':
        world.change({ initialWindow: Number(value) });
        break;
      case 'initrwnd':
        world.change({ initialReceiveWindow: Number(value) });
        break;
      case 'rto_min':
        world.change({
          minRto:
            Number(/^[\d.]+/.exec(value ?? '')?.[0]) *
            (/ms$/.test(value ?? '') ? 1e6 : /us$/.test(value ?? '') ? 1e3 : /s$/.test(value ?? '') ? 1e9 : 1e6),
        });
        break;
      case 'advmss':
        world.change({ maxSegment: Number(value) });
        break;
      case 'congctl': {
        const control = (CONGESTION_CONTROLS.linux as Record<string, typeof CONGESTION_CONTROLS.linux.cubic>)[
          value ?? ''
        ];
        if (control === undefined) return `the congestion control ${value} is not here`;
        world.change({ congestionControl: control });
        break;
      }
      case 'features':
        if (value === 'ecn') world.change({ ecn: 'on' });
        break;
      case 'quickack':
        world.change({ quickAck: Number(value) === 1 });
        break;
      default:
        break;
    }
  }
  return undefined;
}

/** Words, with quotes taken off. */
function split(text: string): string[] {
  const words: string[] = [];
  for (const found of text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)) words.push(found[0].replace(/["']/g, ''));
  return words;
}

/** Products and sums of whole numbers. */
function arithmetic(text: string): number {
  const tokens = text.match(/\d+|[*+\-()]/g) ?? [];
  let at = 0;
  const factor = (): number => {
    if (tokens[at] === '(') {
      at++;
      const value = sum();
      at++;
      return value;
    }
    return Number(tokens[at++]);
  };
  const product = (): number => {
    let value = factor();
    while (tokens[at] === '*') {
      at++;
      value *= factor();
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === '+' || tokens[at] === '-')
      value = tokens[at++] === '+' ? value + product() : value - product();
    return value;
  };
  return sum();
}
