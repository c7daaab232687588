/** Command lines: flags with their meanings, and one clear line for what is wrong with them. */
import { parseArgs } from 'node:util';
import { type Duration, minutes, ms, seconds, us } from '../base/instant.ts';

/** The command line is wrong: exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export interface Flag {
  type: 'string' | 'boolean';
  multiple?: boolean;
  short?: string;
}

export interface Parsed {
  positionals: string[];
  text(name: string): string | undefined;
  texts(name: string): string[];
  is(name: string): boolean;
}

/** Throws UsageError. */
export function parseCommandLine(args: readonly string[], flags: Record<string, Flag>): Parsed {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: flags, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(firstSentence(error instanceof Error ? error.message : String(error)));
  }
  const values = parsed.values as Record<string, string | boolean | (string | boolean)[] | undefined>;
  return {
    positionals: parsed.positionals,
    text: name => values[name] as string | undefined,
    texts: name => (values[name] as string[] | undefined) ?? [],
    is: name => values[name] === true,
  };
}

const firstSentence = (message: string): string => message.split(/\. (?=To |Did )/)[0].replace(/\.$/, '');

/** '80ms', '1.5s', '2m', '100us'. */
export function parseDuration(flag: string, text: string): Duration {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m)$/.exec(text);
  if (match === null) throw new UsageError(`${flag} takes a time like 80ms or 1.5s, not '${text}'`);
  const units = { us, ms, s: seconds, m: minutes };
  const duration = units[match[2] as keyof typeof units](Number(match[1]));
  if (duration > minutes(60)) throw new UsageError(`${flag} takes at most 60m`);
  return duration;
}

/** '5%' or '0.05' to 0.05. */
export function parseProbability(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (!(value >= 0 && value <= 1)) throw new UsageError(`${flag} takes a share like 5% or 0.05, not '${text}'`);
  return value;
}

export function parseNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${flag} takes a whole number from ${least} to ${most}, not '${text}'`);
  return value;
}
