/**
 * '%{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%': the statements that scripts have in Python. What is understood here
 * are assertions, print and assignments over expressions; anything else is said to be unsupported.
 */

export class CodeUnsupported extends Error {
  override name = 'CodeUnsupported';
}

export class AssertionFailed extends Error {
  override name = 'AssertionFailed';
}

type Value = number | string | boolean | Value[];

/** Throws AssertionFailed or CodeUnsupported. */
export function runCode(code: string, names: Record<string, Value>): void {
  const known = { ...names };
  for (const statement of statementsOf(code)) runStatement(statement, known);
}

/** Lines, with those joined that a bracket or a backslash leaves open. */
function statementsOf(code: string): string[] {
  const found: string[] = [];
  let open = '';
  for (const raw of code.split('\n')) {
    const line = raw.replace(/(^|\s)#.*$/, '');
    const text = open === '' ? line.trim() : `${open} ${line.trim()}`;
    if (text === '') continue;
    if (text.endsWith('\\')) {
      open = text.slice(0, -1);
    } else if (depthOf(text) > 0) {
      open = text;
    } else {
      found.push(...splitStatements(text));
      open = '';
    }
  }
  if (open !== '') found.push(open);
  return found;
}

function depthOf(text: string): number {
  const bare = text.replace(/'[^']*'|"[^"]*"/g, '');
  return (bare.match(/[([]/g)?.length ?? 0) - (bare.match(/[)\]]/g)?.length ?? 0);
}

const splitStatements = (text: string): string[] =>
  (text.match(/(?:'[^']*'|"[^"]*"|[^;'"])+/g) ?? []).map(part => part.trim()).filter(part => part !== '');

function runStatement(text: string, names: Record<string, Value>): void {
  if (/^print\b/.test(text) || text === 'pass' || /^import\s/.test(text)) return;
  const assignment = /^([A-Za-z_]\w*)\s*=(?!=)\s*(.+)$/.exec(text);
  if (assignment !== null) {
    names[assignment[1]] = evaluate(assignment[2], names);
    return;
  }
  if (!/^assert\b/.test(text)) throw new CodeUnsupported(`'${text}' is not understood; 'assert' is`);
  const parser = new Parser(text.slice(6), names);
  const holds = parser.expression();
  if (truthy(holds)) return;
  const message = parser.takes(',') ? `: ${show(parser.expression())}` : '';
  throw new AssertionFailed(`${text}${message}`);
}

export function evaluate(text: string, names: Record<string, Value>): Value {
  return new Parser(text, names).expression();
}

const truthy = (value: Value): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value));
const show = (value: Value): string => (Array.isArray(value) ? `(${value.map(show).join(', ')})` : String(value));
const TOKEN =
  /\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+|'[^']*'|"[^"]*"|[A-Za-z_]\w*|\*\*|\/\/|<=|>=|==|!=|<<|>>|[-+*/%<>()[\],&|~^])/y;
const COMPARISONS: Record<string, (a: Value, b: Value) => boolean> = {
  '==': (a, b) => a === b || Number(a) === Number(b),
  '!=': (a, b) => !(a === b || Number(a) === Number(b)),
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** Recursive descent, from what binds weakest to what binds strongest. */
class Parser {
  private tokens: string[] = [];
  private at = 0;
  private readonly names: Record<string, Value>;

  constructor(text: string, names: Record<string, Value>) {
    this.names = names;
    TOKEN.lastIndex = 0;
    const trimmed = text.trim();
    while (TOKEN.lastIndex < trimmed.length) {
      const place = TOKEN.lastIndex;
      const found = TOKEN.exec(trimmed);
      if (found === null) throw new CodeUnsupported(`'${trimmed.slice(place)}' is not understood`);
      this.tokens.push(found[1]);
    }
  }

  takes(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  expression(): Value {
    let value = this.conjunction();
    while (this.takes('or')) {
      const right = this.conjunction();
      value = truthy(value) ? value : right;
    }
    return value;
  }

  private conjunction(): Value {
    let value = this.negation();
    while (this.takes('and')) {
      const right = this.negation();
      value = truthy(value) ? right : value;
    }
    return value;
  }

  private negation(): Value {
    return this.takes('not') ? !truthy(this.negation()) : this.comparison();
  }

  /** 'a <= b <= c' as Python has it. */
  private comparison(): Value {
    let left = this.bits();
    let result: Value | undefined;
    for (;;) {
      const operator = this.tokens[this.at];
      if (COMPARISONS[operator] === undefined) return result ?? left;
      this.at++;
      const right = this.bits();
      result = (result === undefined || truthy(result)) && COMPARISONS[operator](left, right);
      left = right;
    }
  }

  private bits(): Value {
    let value = this.sum();
    for (;;) {
      if (this.takes('&')) value = Number(value) & Number(this.sum());
      else if (this.takes('|')) value = Number(value) | Number(this.sum());
      else if (this.takes('^')) value = Number(value) ^ Number(this.sum());
      else if (this.takes('<<')) value = Number(value) * 2 ** Number(this.sum());
      else if (this.takes('>>')) value = Math.floor(Number(value) / 2 ** Number(this.sum()));
      else return value;
    }
  }

  private sum(): Value {
    let value = this.product();
    for (;;) {
      if (this.takes('+')) value = add(value, this.product());
      else if (this.takes('-')) value = Number(value) - Number(this.product());
      else return value;
    }
  }

  private product(): Value {
    let value = this.power();
    for (;;) {
      if (this.takes('*')) value = Number(value) * Number(this.power());
      else if (this.takes('//')) value = Math.floor(Number(value) / Number(this.power()));
      else if (this.takes('/')) value = Number(value) / Number(this.power());
      else if (this.takes('%')) value = remainder(value, this.power());
      else return value;
    }
  }

  private power(): Value {
    const value = this.unary();
    return this.takes('**') ? Number(value) ** Number(this.power()) : value;
  }

  private unary(): Value {
    if (this.takes('-')) return -Number(this.unary());
    if (this.takes('+')) return Number(this.unary());
    if (this.takes('~')) return ~Number(this.unary());
    return this.atom();
  }

  private atom(): Value {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new CodeUnsupported('an expression ends too soon');
    if (token === '(' || token === '[') return this.group(token === '(' ? ')' : ']');
    if (/^['"]/.test(token)) return token.slice(1, -1);
    if (/^\d/.test(token)) return Number(token);
    if (token === 'True') return true;
    if (token === 'False') return false;
    if (this.tokens[this.at] === '(') return this.call(token);
    const value = this.names[token];
    if (value === undefined) throw new CodeUnsupported(`'${token}' is not known here`);
    return value;
  }

  private group(closing: string): Value {
    const items: Value[] = [];
    let isTuple = closing === ']';
    while (!this.takes(closing)) {
      items.push(this.expression());
      if (this.takes(',')) isTuple = true;
    }
    return isTuple ? items : items[0];
  }

  private call(name: string): Value {
    this.at++;
    const args = this.group(')');
    const list = Array.isArray(args) ? args : [args];
    const numbers = list.map(Number);
    switch (name) {
      case 'abs':
        return Math.abs(numbers[0]);
      case 'min':
        return Math.min(...numbers);
      case 'max':
        return Math.max(...numbers);
      case 'int':
        return Math.trunc(numbers[0]);
      case 'float':
        return numbers[0];
      case 'round':
        return Math.round(numbers[0]);
      case 'str':
      case 'repr':
        return show(list[0]);
      default:
        throw new CodeUnsupported(`the function ${name} is not known here`);
    }
  }
}

const add = (a: Value, b: Value): Value => (typeof a === 'string' ? a + show(b) : Number(a) + Number(b));

/** The remainder, or the formatting of a string. */
function remainder(left: Value, right: Value): Value {
  if (typeof left !== 'string') {
    const [a, b] = [Number(left), Number(right)];
    return a - b * Math.floor(a / b);
  }
  const values = Array.isArray(right) ? [...right] : [right];
  return left.replace(/%[-\d.]*[a-z%]/g, mark => (mark === '%%' ? '%' : show(values.shift() ?? '')));
}
