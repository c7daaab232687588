/** Header fields: in order, names without regard to case (RFC 9110 §5.1), repeated ones kept apart (§5.3). */
import type { HeaderList } from '../../wire/http1.ts';

export class Headers implements Iterable<readonly [string, string]> {
  private readonly list: [string, string][];

  constructor(init: Iterable<readonly [string, string]> | Record<string, string> = []) {
    const entries = Symbol.iterator in init ? (init as Iterable<readonly [string, string]>) : Object.entries(init);
    this.list = Array.from(entries, ([name, value]) => [name, value]);
  }

  /** The values joined by ', ' (RFC 9110 §5.3), or undefined. */
  get(name: string): string | undefined {
    const all = this.all(name);
    return all.length === 0 ? undefined : all.join(', ');
  }

  all(name: string): string[] {
    const key = name.toLowerCase();
    return this.list.filter(([known]) => known.toLowerCase() === key).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  set(name: string, value: string): this {
    this.delete(name);
    this.list.push([name, value]);
    return this;
  }

  append(name: string, value: string): this {
    this.list.push([name, value]);
    return this;
  }

  delete(name: string): void {
    const key = name.toLowerCase();
    for (let at = this.list.length - 1; at >= 0; at--)
      if (this.list[at][0].toLowerCase() === key) this.list.splice(at, 1);
  }

  /** True when a comma-separated field lists `token` (RFC 9110 §5.6.1), in any case. */
  lists(name: string, token: string): boolean {
    return this.tokens(name).includes(token.toLowerCase());
  }

  /** The elements of a comma-separated field, lower case, empty ones left out. */
  tokens(name: string): string[] {
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
