/**
 * Fixed headers: named fields in the order of the RFC's diagram. Offsets are computed and the total is checked when
 * the module loads. The hot path reads `tcp.f.seq.get(bytes, at)`; dissections, the fuzzer and the generated
 * diagrams walk `tcp.fields`.
 */
import { assert } from '../base/assert.ts';
import type { Span } from './reader.ts';

export abstract class Field {
  readonly bits: number;
  readonly show: (value: number) => string;
  name = '';
  /** Bit offset in the header. */
  bitOffset = 0;
  /** Byte offset in the header of the field's first byte. */
  offset = 0;

  constructor(bits: number, show: (value: number) => string = String) {
    this.bits = bits;
    this.show = show;
  }

  /** `at` is where the header starts. */
  abstract get(bytes: Uint8Array, at: number): number;
  abstract set(bytes: Uint8Array, at: number, value: number): void;
}

class U8 extends Field {
  get(bytes: Uint8Array, at: number): number {
    return bytes[at + this.offset];
  }
  set(bytes: Uint8Array, at: number, value: number): void {
    bytes[at + this.offset] = value;
  }
}

class U16 extends Field {
  get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    return (bytes[i] << 8) | bytes[i + 1];
  }
  set(bytes: Uint8Array, at: number, value: number): void {
    const i = at + this.offset;
    bytes[i] = value >>> 8;
    bytes[i + 1] = value;
  }
}

class U32 extends Field {
  get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    return ((bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3]) >>> 0;
  }
  set(bytes: Uint8Array, at: number, value: number): void {
    const i = at + this.offset;
    bytes[i] = value >>> 24;
    bytes[i + 1] = value >>> 16;
    bytes[i + 2] = value >>> 8;
    bytes[i + 3] = value;
  }
}

/** A number that counts modulo 2^32 (base/seq32.ts): read as the signed integer, which costs no memory, shown unsigned. */
class Seq32 extends U32 {
  override get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    return (bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3];
  }
}

class U48 extends Field {
  get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    const high = (bytes[i] << 8) | bytes[i + 1];
    return (
      high * 0x1_0000_0000 + (((bytes[i + 2] << 24) | (bytes[i + 3] << 16) | (bytes[i + 4] << 8) | bytes[i + 5]) >>> 0)
    );
  }
  set(bytes: Uint8Array, at: number, value: number): void {
    const i = at + this.offset;
    const high = Math.floor(value / 0x1_0000_0000);
    bytes[i] = high >>> 8;
    bytes[i + 1] = high;
    bytes[i + 2] = value >>> 24;
    bytes[i + 3] = value >>> 16;
    bytes[i + 4] = value >>> 8;
    bytes[i + 5] = value;
  }
}

/** A field that shares bytes with its neighbours; at most 16 bits, within two bytes. */
class Bits extends Field {
  private shift = 0;
  private mask = 0;
  private wide = false;

  place(): void {
    const lead = this.bitOffset % 8;
    this.wide = lead + this.bits > 8;
    assert(lead + this.bits <= 16, `${this.name} spans more than two bytes`);
    this.shift = (this.wide ? 16 : 8) - lead - this.bits;
    this.mask = (1 << this.bits) - 1;
  }

  get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    const word = this.wide ? (bytes[i] << 8) | bytes[i + 1] : bytes[i];
    return (word >>> this.shift) & this.mask;
  }

  set(bytes: Uint8Array, at: number, value: number): void {
    const i = at + this.offset;
    const clear = ~(this.mask << this.shift);
    const put = (value & this.mask) << this.shift;
    if (this.wide) {
      const word = (((bytes[i] << 8) | bytes[i + 1]) & clear) | put;
      bytes[i] = word >>> 8;
      bytes[i + 1] = word;
    } else {
      bytes[i] = (bytes[i] & clear) | put;
    }
  }
}

type Shower = (value: number) => string;
export const u8 = (show?: Shower): Field => new U8(8, show);
export const u16 = (show?: Shower): Field => new U16(16, show);
export const u32 = (show?: Shower): Field => new U32(32, show);
export const seq32 = (): Field => new Seq32(32, value => String(value >>> 0));
export const u48 = (show?: Shower): Field => new U48(48, show);
export const bits = (count: number, show?: Shower): Field => new Bits(count, show);

export const asHex = (digits: number) => (value: number) => `0x${value.toString(16).padStart(digits, '0')}`;

export interface Layout<F extends Record<string, Field>> {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly f: F;
  readonly fields: readonly Field[];
  /** One span a field; the spans tile the header. */
  spans(bytes: Uint8Array, at: number): Span[];
}

/** `size` is what the RFC's diagram says, in bytes: a missing or mistyped field is noticed at load. */
export function layout<F extends Record<string, Field>>(name: string, size: number, f: F): Layout<F> {
  let bit = 0;
  for (const [key, field] of Object.entries(f)) {
    field.name = key;
    field.bitOffset = bit;
    field.offset = bit >> 3;
    if (field instanceof Bits) field.place();
    else assert(bit % 8 === 0, `${name}.${key} does not start at a byte`);
    bit += field.bits;
  }
  assert(bit === size * 8, `${name}: the fields make ${bit / 8} bytes, not ${size}`);
  const fields = Object.values(f);
  return { name, size, f, fields, spans: (bytes, at) => fields.map(field => spanOf(field, bytes, at)) };
}

function spanOf(field: Field, bytes: Uint8Array, at: number): Span {
  const start = at + field.offset;
  const end = at + ((field.bitOffset + field.bits + 7) >> 3);
  const value = field.show(field.get(bytes, at));
  const span = { name: field.name, start, end, value };
  return field instanceof Bits ? { ...span, bits: [field.bitOffset % 8, field.bits] } : span;
}
