/**
 * `nstat | grep TcpExtBeyondWindow | grep -q " 1 "`: Linux's counters by the names of nstat, from what the host under
 * test has dropped. A counter that is not here is not understood.
 */
import { filtered, grepOf } from './filters.ts';

/** Names of nstat and what a host calls the same. */
const DROPS: Readonly<Record<string, string>> = {
  TcpExtBeyondWindow: 'tcp beyond-window',
  TcpExtTCPZeroWindowDrop: 'tcp zero-window',
  TcpExtTCPRcvQDrop: 'tcp receive-memory',
  TcpExtOutOfWindowIcmps: 'tcp icmp-not-in-flight',
  TcpInCsumErrors: 'tcp tcp-checksum',
};

export type NstatAnswer = 'holds' | 'fails' | { unknown: string };

export class Counters {
  /** 'tcp beyond-window' -> how many. */
  private readonly drops: ReadonlyMap<string, number>;
  /** As they were when nstat was asked last: it tells what came since. */
  private history = new Map<string, number>();

  constructor(drops: ReadonlyMap<string, number>) {
    this.drops = drops;
  }

  /** A whole pipeline that begins with nstat. */
  run(pipeline: string): NstatAnswer {
    const [nstat, ...filters] = pipeline.split('|').map(part => part.trim());
    const flags = nstat.split(/\s+/).slice(1).join('');
    const lines = flags.includes('n') ? [] : this.lines(flags.includes('a'));
    if (!flags.includes('s')) this.history = new Map(this.drops);
    for (const filter of filters) {
      const pattern = grepOf(filter)?.pattern;
      if (pattern === undefined) return { unknown: `only grep is understood behind nstat, not '${filter}'` };
      const counter = /^\w*(?:Ext|^Ip|^Tcp|^Icmp)\w+$/.exec(pattern)?.[0];
      if (counter !== undefined && DROPS[counter] === undefined) return { unknown: `${counter} is not counted here` };
    }
    return filtered(lines, filters)?.holds ? 'holds' : 'fails';
  }

  private lines(absolute: boolean): string[] {
    return Object.entries(DROPS).flatMap(([name, key]) => {
      const count = (this.drops.get(key) ?? 0) - (absolute ? 0 : (this.history.get(key) ?? 0));
      return count === 0 ? [] : [`${name.padEnd(32)}${count}                  0.0`];
    });
  }
}
