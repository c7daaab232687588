/**
 * Reading variable formats. A parser is written once against `Reader`; run over a `RecordingReader` the same parser
 * yields the spans (name, byte range, value) that a dissection shows.
 *
 * Failure is sticky, not thrown: a malformed packet is input. After `fail()` every read answers zero or nothing, the
 * position no longer moves, and `failure` says what was wrong and where. Loops must ask `ok`.
 */
import { latin1 } from '../base/bytes.ts';

export interface Span {
  readonly name: string;
  /** Byte range [start, end) in the buffer that was read. */
  readonly start: number;
  readonly end: number;
  /** For a field smaller than its bytes: first bit from the most significant one of `start`, and how many. */
  readonly bits?: readonly [first: number, count: number];
  readonly value: string;
  readonly children?: readonly Span[];
}

/** What a decoder answers for input that is not what it should be. */
export class Malformed {
  readonly reason: string;
  /** Byte offset in the buffer. */
  readonly at: number;
  constructor(reason: string, at: number) {
    this.reason = reason;
    this.at = at;
  }
}

export type Show<T> = (value: T) => string;

export class Reader {
  readonly bytes: Uint8Array;
  /** Where the message begins (offsets inside it, as DNS's pointers, count from here). */
  readonly base: number;
  at: number;
  end: number;
  failure: Malformed | undefined = undefined;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.base = start;
    this.at = start;
    this.end = end;
  }

  get ok(): boolean {
    return this.failure === undefined;
  }

  get left(): number {
    return this.end - this.at;
  }

  fail(reason: string, at = this.at): void {
    this.failure ??= new Malformed(reason, at);
    this.at = this.end;
  }

  u8(_name: string, _show?: Show<number>): number {
    if (this.end - this.at < 1) return this.short(_name);
    return this.bytes[this.at++];
  }

  u16(_name: string, _show?: Show<number>): number {
    if (this.end - this.at < 2) return this.short(_name);
    const at = this.at;
    this.at = at + 2;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  u32(_name: string, _show?: Show<number>): number {
    if (this.end - this.at < 4) return this.short(_name);
    const at = this.at;
    this.at = at + 4;
    const b = this.bytes;
    return ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;
  }

  /** A view, not a copy. */
  view(length: number, _name: string, _show?: Show<Uint8Array>): Uint8Array {
    if (this.end - this.at < length) {
      this.short(_name);
      return this.bytes.subarray(this.at, this.at);
    }
    const at = this.at;
    this.at = at + length;
    return this.bytes.subarray(at, at + length);
  }

  /** One character a byte. */
  text(length: number, _name: string): string {
    const from = this.at;
    if (this.end - from < length) {
      this.short(_name);
      return '';
    }
    this.at = from + length;
    return latin1(this.bytes, from, from + length);
  }

  /** Passes over bytes that are known. */
  skip(length: number, _name: string, _shown: string): void {
    if (this.end - this.at < length) this.short(_name);
    else this.at += length;
  }

  /** Reads with `parse`, as one named part of the whole. */
  group<T>(_name: string, parse: () => T, _show?: Show<T>): T {
    return parse();
  }

  private short(name: string): number {
    this.fail(`truncated: ${name} is missing`);
    return 0;
  }
}

/** The same reads, each recorded. */
export class RecordingReader extends Reader {
  private spans: Span[] = [];

  get recorded(): readonly Span[] {
    return this.spans;
  }

  override u8(name: string, show?: Show<number>): number {
    return this.record(name, () => super.u8(name), show);
  }

  override u16(name: string, show?: Show<number>): number {
    return this.record(name, () => super.u16(name), show);
  }

  override u32(name: string, show?: Show<number>): number {
    return this.record(name, () => super.u32(name), show);
  }

  override view(length: number, name: string, show?: Show<Uint8Array>): Uint8Array {
    return this.record(name, () => super.view(length, name), show ?? (bytes => `${bytes.length} bytes`));
  }

  override text(length: number, name: string): string {
    return this.record(name, () => super.text(length, name));
  }

  override skip(length: number, name: string, shown: string): void {
    this.record(
      name,
      () => super.skip(length, name, shown),
      () => shown,
    );
  }

  override group<T>(name: string, parse: () => T, show?: Show<T>): T {
    const outer = this.spans;
    const start = this.at;
    this.spans = [];
    const value = parse();
    const children = this.spans;
    this.spans = outer;
    if (this.ok || children.length > 0) {
      const end = this.ok ? this.at : (children.at(-1)?.end ?? start);
      this.spans.push({ name, start, end, value: show && this.ok ? show(value) : '', children });
    }
    return value;
  }

  private record<T>(name: string, read: () => T, show?: Show<T>): T {
    const start = this.at;
    const value = read();
    if (this.ok) this.spans.push({ name, start, end: this.at, value: show ? show(value) : String(value) });
    return value;
  }
}
