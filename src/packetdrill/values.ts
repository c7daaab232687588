/** Expressions of a script as numbers and texts. */
import type { Expression } from './script.ts';
import { ERRNO, SYMBOLS } from './symbols.ts';

/** Something that this interpreter, or the host under test, does not have: the script can say nothing of us. */
export class Unsupported extends Error {
  override name = 'Unsupported';
}

export class Values {
  number(expression: Expression): number {
    switch (expression.kind) {
      case 'number':
        return expression.value;
      case 'symbol':
        return symbol(expression.name);
      case 'or':
        return expression.parts.reduce((sum, part) => combine(sum, this.number(part)), 0);
      case 'not':
        return ~this.number(expression.of);
      case 'list':
        if (expression.items.length === 1) return this.number(expression.items[0]);
        throw new Unsupported('a list stands where a number is needed');
      case 'apply':
        if (['htons', 'htonl', 'ntohs', 'ntohl'].includes(expression.name)) return this.number(expression.args[0]);
        throw new Unsupported(`the function ${expression.name} is not known here`);
      default:
        throw new Unsupported('this expression is not known here');
    }
  }

  /** An address: "1.2.3.4", inet_addr("1.2.3.4"), inet_pton(AF_INET6, "::1"). */
  text(expression: Expression): string | undefined {
    if (expression.kind === 'string') return expression.value;
    if (expression.kind === 'apply') return this.text(expression.args[expression.args.length - 1]);
    if (expression.kind === 'symbol' && /^INADDR_ANY$|^in6addr_any$/.test(expression.name)) return '0.0.0.0';
    return undefined;
  }

  name(expression: Expression): string {
    if (expression.kind === 'symbol') return expression.name;
    throw new Unsupported('an option that is given by its number is not known here');
  }
}

function symbol(name: string): number {
  if (name === 'NULL') return 0;
  const value = SYMBOLS[name] ?? ERRNO[name];
  if (value === undefined) throw new Unsupported(`the constant ${name} is not known here`);
  return value;
}

/** Flags reach beyond 31 bits (EPOLLET), where `|` would make them negative. */
function combine(a: number, b: number): number {
  return Number(BigInt(a) | BigInt(b));
}

/** A field of a struct by its name. */
export function field(struct: Expression | undefined, name: string): Expression | undefined {
  return struct?.kind === 'struct' ? struct.fields.find(f => f.name === name)?.value : undefined;
}
