/** --loss, --delay and --reorder: what a path is made to do to frames. */
import type { CableOptions } from '../link/cable.ts';
import { type Parsed, parseDuration, parseProbability } from './arguments.ts';

/** Undefined when none of the flags is given. Throws UsageError. */
export function parseFaults(args: Parsed): Partial<CableOptions> | undefined {
  const [loss, delay, reorder] = ['loss', 'delay', 'reorder'].map(name => args.text(name));
  if (loss === undefined && delay === undefined && reorder === undefined) return undefined;
  return {
    ...(loss === undefined ? {} : { loss: parseProbability('--loss', loss) }),
    ...(delay === undefined ? {} : { delay: parseDuration('--delay', delay) }),
    ...(reorder === undefined ? {} : { reorder: parseProbability('--reorder', reorder) }),
  };
}
