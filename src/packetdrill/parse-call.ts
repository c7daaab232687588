/** System calls: 'setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0', 'read(4, ..., 100) = -1 EAGAIN (...)'. */
import { Scanner } from './scanner.ts';
import type { Expression, SystemCall } from './script.ts';

export function parseCall(scanner: Scanner): SystemCall {
  const name = scanner.word();
  scanner.expect('(');
  const args = parseExpressions(scanner, ')');
  scanner.expect('=');
  const result = scanner.takes('...') ? undefined : parseExpression(scanner);
  const call: SystemCall = { name, args, result };
  if (scanner.peek(/E[A-Z0-9]+\b/)) call.errno = scanner.word();
  // '(Resource temporarily unavailable)': what strace prints behind an errno.
  if (scanner.peek(/\(/)) {
    scanner.expect('(');
    scanner.until(')');
  }
  return call;
}

function parseExpressions(scanner: Scanner, closing: string): Expression[] {
  const all: Expression[] = [];
  while (!scanner.takes(closing)) {
    all.push(parseExpression(scanner));
    if (!scanner.takes(',') && !scanner.sees(closing)) scanner.fail(`'${closing}' is missing before ${scanner.rest()}`);
  }
  return all;
}

export function parseExpression(scanner: Scanner): Expression {
  const parts = [parsePart(scanner)];
  while (scanner.takes('|')) parts.push(parsePart(scanner));
  return parts.length === 1 ? parts[0] : { kind: 'or', parts };
}

function parsePart(scanner: Scanner): Expression {
  if (scanner.takes('...')) return { kind: 'any' };
  if (scanner.takes('~')) return { kind: 'not', of: parsePart(scanner) };
  if (scanner.takes('[')) return { kind: 'list', items: parseExpressions(scanner, ']') };
  if (scanner.takes('{')) return { kind: 'struct', fields: parseFields(scanner) };
  if (scanner.takes('"')) return { kind: 'string', value: unquoted(scanner.until('"')) };
  if (scanner.peek(/-?\d/)) return parseNumber(scanner);
  const name = scanner.word();
  const defined = scanner.defined(name);
  if (defined !== undefined) return parseExpression(new Scanner(defined, new Map(), scanner.line));
  if (!scanner.takes('(')) return { kind: 'symbol', name };
  return { kind: 'apply', name, args: parseExpressions(scanner, ')') };
}

function parseNumber(scanner: Scanner): Expression {
  const found = scanner.match(/-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)/)?.[0] ?? '';
  return { kind: 'number', value: found.startsWith('-') ? -Number(found.slice(1)) : Number(found) };
}

/** 'name=value', 'name(length)=value' or a bare value. */
function parseFields(scanner: Scanner): { name: string | undefined; value: Expression }[] {
  const fields: { name: string | undefined; value: Expression }[] = [];
  while (!scanner.takes('}')) {
    let name: string | undefined;
    if (scanner.peek(/[A-Za-z_]\w*\s*(?:\([^)]*\))?\s*=(?!=)/)) {
      name = scanner.word();
      if (scanner.takes('(')) scanner.until(')');
      scanner.expect('=');
    }
    fields.push({ name, value: parseExpression(scanner) });
    if (!scanner.takes(',') && !scanner.sees('}')) scanner.fail(`'}' is missing before ${scanner.rest()}`);
  }
  return fields;
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '0': '\0', '\\': '\\', '"': '"' };

const unquoted = (text: string): string =>
  text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, one: string) =>
    hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
