/** `netarium map`: the topology, drawn as a tree from the laptop. */
import { formatDuration } from '../base/instant.ts';
import type { BuiltinInternet } from '../sim/builtin/builtin.ts';
import { formatIpv4 } from '../wire/address.ts';
import { parseCommandLine, UsageError } from './arguments.ts';
import { buildWorld, WORLD_FLAGS, WORLD_HELP } from './world.ts';

export const MAP_HELP = `netarium map [flags]   the hosts, their addresses and the links between them

${WORLD_HELP}`;

interface Edge {
  to: string;
  link: string;
  delay: number;
  loss: number;
}

export async function map(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, WORLD_FLAGS);
  if (parsed.positionals.length > 0) throw new UsageError(`map takes no '${parsed.positionals[0]}'`);
  const { world } = buildWorld(parsed, () => {});
  const lines = draw(world);
  process.stdout.write(
    `${lines.join('\n')}\n\n${world.hosts.size} hosts, ${world.switches.size} switches, ${world.cables.size} links; delays are one way\n`,
  );
  return 0;
}

function draw(world: BuiltinInternet): string[] {
  const edges = edgesOf(world);
  const lines: string[] = [];
  const seen = new Set<string>();
  const visit = (node: string, edge: Edge | undefined, prefix: string, childPrefix: string): void => {
    seen.add(node);
    lines.push(lineOf(world, node, edge, prefix));
    const next = (edges.get(node) ?? []).filter(e => e.link !== edge?.link);
    next.forEach((e, n) => {
      const last = n === next.length - 1;
      const mark = childPrefix + (last ? '└─ ' : '├─ ');
      if (seen.has(e.to)) lines.push(pad(`${mark}(${e.to}, as above)`, e));
      else visit(e.to, e, mark, childPrefix + (last ? '   ' : '│  '));
    });
  };
  visit('laptop', undefined, '', '');
  return lines;
}

function edgesOf(world: BuiltinInternet): Map<string, Edge[]> {
  const edges = new Map<string, Edge[]>();
  const add = (from: string, edge: Edge): void => void edges.set(from, [...(edges.get(from) ?? []), edge]);
  for (const [link, cable] of world.cables) {
    const [a, b] = link.split(':');
    const { delay, loss } = cable.forward.options;
    add(a, { to: b, link, delay, loss });
    add(b, { to: a, link, delay, loss });
  }
  return edges;
}

function lineOf(world: BuiltinInternet, node: string, edge: Edge | undefined, prefix: string): string {
  const host = world.hosts.get(node);
  if (host === undefined) return pad(`${prefix}${node} (switch)`, edge);
  const addresses = host.ip.interfaces.flatMap(own => own.addresses.map(a => formatIpv4(a.address)));
  const isOff = host.ip.interfaces.every(own => !own.up);
  const notes = [host.ip.nat === undefined ? '' : 'NAT', isOff ? 'off' : ''].filter(text => text !== '');
  const shown = addresses.length > 2 ? `${addresses.slice(0, 2).join(', ')} …` : addresses.join(', ');
  return pad(`${prefix}${node}  ${shown}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`, edge);
}

function pad(text: string, edge: Edge | undefined): string {
  if (edge === undefined) return text;
  const loss = edge.loss > 0 ? `, ${Math.round(edge.loss * 1000) / 10} % lost` : '';
  return `${text.padEnd(60)} ${formatDuration(edge.delay)}${loss}`;
}
