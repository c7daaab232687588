/** The characters of a script: white space and comments are passed over, `-D` names replaced where a word stands. */
import { ScriptError } from './script.ts';

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;

export class Scanner {
  at = 0;
  private readonly text: string;
  private readonly defines: ReadonlyMap<string, string>;
  private readonly firstLine: number;

  constructor(text: string, defines: ReadonlyMap<string, string> = new Map(), firstLine = 1) {
    this.text = text;
    this.defines = defines;
    this.firstLine = firstLine;
  }

  get line(): number {
    let line = this.firstLine;
    for (let i = 0; i < this.at && i < this.text.length; i++) if (this.text[i] === '\n') line++;
    return line;
  }

  get atEnd(): boolean {
    this.skip();
    return this.at >= this.text.length;
  }

  /** Passes over white space and comments. */
  skip(): void {
    const { text } = this;
    for (;;) {
      const start = this.at;
      while (this.at < text.length && /\s/.test(text[this.at])) this.at++;
      if (text.startsWith('//', this.at)) this.skipTo('\n');
      else if (text.startsWith('/*', this.at)) this.skipTo('*/');
      else if (text[this.at] === '#' && (this.at === 0 || text[this.at - 1] === '\n')) this.skipTo('\n');
      if (this.at === start) return;
    }
  }

  private skipTo(mark: string): void {
    const found = this.text.indexOf(mark, this.at);
    this.at = found < 0 ? this.text.length : found + mark.length;
  }

  /** Does this come next? */
  sees(what: string): boolean {
    this.skip();
    return this.text.startsWith(what, this.at);
  }

  takes(what: string): boolean {
    if (!this.sees(what)) return false;
    this.at += what.length;
    return true;
  }

  /** A whole word. */
  takesWord(word: string): boolean {
    const before = this.at;
    if (this.peekWord() === word) {
      this.word();
      return true;
    }
    this.at = before;
    return false;
  }

  expect(what: string): void {
    if (!this.takes(what)) this.fail(`'${what}' is missing before ${this.rest()}`);
  }

  /** What a sticky expression finds here, white space skipped. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    this.skip();
    const sticky = pattern.sticky ? pattern : new RegExp(pattern.source, `${pattern.flags}y`);
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found;
  }

  peek(pattern: RegExp): boolean {
    const before = this.at;
    const found = this.match(pattern) !== undefined;
    this.at = before;
    return found;
  }

  peekWord(): string | undefined {
    const before = this.at;
    const word = this.match(WORD)?.[0];
    this.at = before;
    return word;
  }

  /** A word, or what `-D` says for it (which may be a number). */
  word(): string {
    const word = this.match(WORD)?.[0];
    if (word === undefined) return this.fail(`a name is missing before ${this.rest()}`);
    return word;
  }

  /** The text for which a word was defined on the command line. */
  defined(word: string): string | undefined {
    return this.defines.get(word);
  }

  number(): number {
    const word = this.peekWord();
    const value = word === undefined ? undefined : this.defines.get(word);
    if (word !== undefined && value !== undefined && /^-?(0x[0-9a-f]+|\d+)$/i.test(value)) {
      this.word();
      return Number(value);
    }
    const found = this.match(/-?(?:0x[0-9a-fA-F]+|\d+)/);
    if (found === undefined) return this.fail(`a number is missing before ${this.rest()}`);
    return found[0].startsWith('-') ? -Number(found[0].slice(1)) : Number(found[0]);
  }

  /** Everything up to a mark, which is passed over. */
  until(mark: string): string {
    const found = this.text.indexOf(mark, this.at);
    if (found < 0) return this.fail(`'${mark}' is missing`);
    const text = this.text.slice(this.at, found);
    this.at = found + mark.length;
    return text;
  }

  /** A byte string in hexadecimal, or a defined name for one; '' is no bytes. */
  hexBytes(): Uint8Array {
    this.skip();
    const word = this.peekWord();
    const value = word === undefined ? undefined : this.defines.get(word);
    if (value !== undefined) this.word();
    const digits = value ?? this.match(/[0-9a-fA-F]+/)?.[0] ?? '';
    if (digits.length % 2 !== 0) return this.fail(`'${digits}' has an odd number of hexadecimal digits`);
    return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
      Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
    );
  }

  slice(from: number): string {
    return this.text.slice(from, this.at).trim();
  }

  /** The rest of the line, for messages. */
  rest(): string {
    const line = this.text.slice(this.at).split('\n', 1)[0].trim();
    return line === '' ? 'the end of the line' : `'${line.length > 40 ? `${line.slice(0, 40)}…` : line}'`;
  }

  fail(message: string): never {
    throw new ScriptError(this.line, message);
  }
}
