/** Header fields: in order, names without regard to case (RFC 9110 §5.1), repeated ones kept apart (§5.3). */
import type { HeaderList } from '../../wire/http1.ts';

export class Headers implements Iterable<readonly [string, string]> {
  private readonly list: (readonly [string, string])[] = [];
  /** The names in lower case, by which they are looked for. */
  private readonly keys: string[] = [];

  constructor(init: Iterable<readonly [string, string]> | Record<string, string> = []) {
    if (init instanceof Headers) {
      this.list = init.list.slice();
      this.keys = init.keys.slice();
      return;
    }
    const entries = Symbol.iterator in init ? (init as Iterable<readonly [string, string]>) : Object.entries(init);
    for (const [name, value] of entries) this.append(name, value);
  }

  /** The values joined by ', ' (RFC 9110 §5.3), or undefined. */
  get(name: string): string | undefined {
    const key = name.toLowerCase();
    const first = this.keys.indexOf(key);
    if (first < 0) return undefined;
    return this.keys.indexOf(key, first + 1) < 0 ? this.list[first][1] : this.all(name).join(', ');
  }

  all(name: string): string[] {
    const key = name.toLowerCase();
    const values: string[] = [];
    for (let at = 0; at < this.keys.length; at++) if (this.keys[at] === key) values.push(this.list[at][1]);
    return values;
  }

  has(name: string): boolean {
    return this.keys.includes(name.toLowerCase());
  }

  set(name: string, value: string): this {
    this.delete(name);
    return this.append(name, value);
  }

  append(name: string, value: string): this {
    this.list.push([name, value]);
    this.keys.push(name.toLowerCase());
    return this;
  }

  delete(name: string): void {
    const key = name.toLowerCase();
    for (let at = this.keys.length - 1; at >= 0; at--) {
      if (this.keys[at] !== key) continue;
      this.list.splice(at, 1);
      this.keys.splice(at, 1);
    }
  }

  /** True when a comma-separated field lists `token` (RFC 9110 §5.6.1), in any case. */
  lists(name: string, token: string): boolean {
    return this.tokens(name).includes(token.toLowerCase());
  }

  /** The elements of a comma-separated field, lower case, empty ones left out. */
  tokens(name: string): string[] {
    if (!this.has(name)) return [];
    return this.all(name)
      .flatMap(value => value.split(','))
      .map(part => part.trim().toLowerCase())
      .filter(part => part !== '');
  }

  get entries(): HeaderList {
    return this.list;
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.list[Symbol.iterator]();
  }
}
