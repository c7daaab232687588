/** What stands behind a command's `|`: which of its lines pass, and whether the last of them is content (its exit status). */

export interface Filtered {
  lines: readonly string[];
  holds: boolean;
}

/** Undefined: the filter is none of those known here (grep, wc, cat). */
export function filtered(lines: readonly string[], filters: readonly string[]): Filtered | undefined {
  let result: Filtered = { lines, holds: true };
  for (const filter of filters) {
    const next = pass(result.lines, filter.trim());
    if (next === undefined) return undefined;
    result = next;
  }
  return result;
}

function pass(lines: readonly string[], filter: string): Filtered | undefined {
  if (/^wc\s+-l$/.test(filter)) return { lines: [String(lines.length)], holds: true };
  if (filter === 'cat') return { lines, holds: true };
  const grep = grepOf(filter);
  if (grep === undefined) return undefined;
  const { pattern, flags } = grep;
  const matches = matcher(pattern, flags);
  const found = lines.filter(line => matches(line) !== flags.includes('v'));
  return { lines: flags.includes('c') ? [String(found.length)] : found, holds: found.length > 0 };
}

/** The pattern of `grep -q "..."`, and its flags. */
export function grepOf(filter: string): { pattern: string; flags: string } | undefined {
  const found = /^[ef]?grep((?:\s+-\w+)*)\s+(?:"([^"]*)"|'([^']*)'|(\S+))$/.exec(filter.trim());
  if (found === null) return undefined;
  return { pattern: found[2] ?? found[3] ?? found[4], flags: found[1].replace(/[\s-]/g, '') };
}

/** A pattern that is no regular expression is looked for as it stands. */
function matcher(pattern: string, flags: string): (line: string) => boolean {
  try {
    const expression = new RegExp(
      flags.includes('w') ? `\\b(?:${pattern})\\b` : pattern,
      flags.includes('i') ? 'i' : '',
    );
    return line => expression.test(line);
  } catch {
    return line => line.includes(pattern);
  }
}
