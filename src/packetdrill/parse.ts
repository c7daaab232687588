/** Text to Script. Throws ScriptError with the line. */
import { seconds } from '../base/instant.ts';
import { parseCall } from './parse-call.ts';
import { parsePacket } from './parse-packet.ts';
import { Scanner } from './scanner.ts';
import type { EventTime, Script, ScriptEvent, ScriptOption } from './script.ts';

const TIME = /\d+(?:\.\d+)?|\.\d+/;

export function parseScript(text: string, defines: ReadonlyMap<string, string> = new Map()): Script {
  const scanner = new Scanner(text, defines);
  const options: ScriptOption[] = [];
  const events: ScriptEvent[] = [];
  while (scanner.sees('--')) options.push(parseOption(scanner));
  while (!scanner.atEnd) events.push(parseEvent(scanner));
  return { options, events };
}

/** '--name=value' or '--name'; the value ends with the line, or before the next ' --'. */
function parseOption(scanner: Scanner): ScriptOption {
  const { line } = scanner;
  const found = scanner.match(/--([a-z_]+)(?:=("[^"]*"|[^\s]*))?/);
  if (found === undefined) return scanner.fail(`an option is missing before ${scanner.rest()}`);
  return { name: found[1], value: (found[2] ?? '').replace(/^"|"$/g, ''), line };
}

function parseEvent(scanner: Scanner): ScriptEvent {
  scanner.skip();
  const { line } = scanner;
  const start = scanner.at;
  const time = parseTime(scanner);
  if (scanner.takes('`')) {
    const command = scanner.until('`');
    return { kind: 'command', command, time, line, text: scanner.slice(start) };
  }
  if (scanner.takes('%{')) {
    const code = scanner.until('}%');
    return { kind: 'code', code, time, line, text: scanner.slice(start) };
  }
  if (scanner.sees('<') || scanner.sees('>')) {
    const packet = parsePacket(scanner);
    return { kind: 'packet', packet, time, line, text: scanner.slice(start) };
  }
  // A call that blocks: 'start...end call()'. The end counts from where the start does.
  let blocksUntil: number | undefined;
  if (scanner.takes('...')) {
    scanner.takes('+');
    blocksUntil = parseSeconds(scanner);
  }
  const call = parseCall(scanner);
  if (blocksUntil !== undefined) call.blocksUntil = blocksUntil;
  return { kind: 'call', call, time, line, text: scanner.slice(start) };
}

/** '0.5', '+.1', '*', '1~2', '+.1~+.2'. Without a time a command or code block comes right behind what was before. */
function parseTime(scanner: Scanner): EventTime {
  if (scanner.sees('`') || scanner.sees('%{')) return { kind: 'relative', at: 0 };
  if (scanner.takes('*')) return { kind: 'any', at: 0 };
  const relative = scanner.takes('+');
  const kind = relative ? 'relative' : 'absolute';
  const at = parseSeconds(scanner);
  if (!scanner.takes('~')) return { kind, at };
  scanner.takes('+');
  return { kind, at, end: parseSeconds(scanner) };
}

function parseSeconds(scanner: Scanner): number {
  const found = scanner.match(TIME);
  if (found === undefined) return scanner.fail(`a time is missing before ${scanner.rest()}`);
  return seconds(Number(found[0]));
}
