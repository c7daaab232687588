/** Domain names on the wire: labels, compression (RFC 1035 §4.1.4), and their text. */
import type { DomainName } from './dns-types.ts';
import type { Reader } from './reader.ts';

/** RFC 1035 §2.3.4: 63 octets a label, 255 a name. */
export const MAX_LABEL = 63;
export const MAX_NAME = 255;

/** The labels of a name, unescaped, as byte strings; the root has none. Undefined when it is no legal name. */
export function labelsOf(name: DomainName): Uint8Array[] | undefined {
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  let total = 1;
  if (name === '.') return labels;
  for (let i = 0; i < name.length; i++) {
    const char = name[i];
    if (char === '.') {
      if (label.length === 0 || label.length > MAX_LABEL) return undefined;
      labels.push(Uint8Array.from(label));
      total += label.length + 1;
      label = [];
    } else if (char === '\\') {
      const digits = /^\d{3}/.exec(name.slice(i + 1));
      if (digits !== null && Number(digits[0]) > 255) return undefined;
      if (i + 1 >= name.length) return undefined;
      label.push(digits === null ? name.charCodeAt(i + 1) : Number(digits[0]));
      i += digits === null ? 1 : 3;
    } else {
      if (name.charCodeAt(i) > 126) return undefined;
      label.push(name.charCodeAt(i));
    }
  }
  if (label.length > MAX_LABEL) return undefined;
  if (label.length > 0) {
    labels.push(Uint8Array.from(label));
    total += label.length + 1;
  }
  return total > MAX_NAME ? undefined : labels;
}

export function labelText(label: Uint8Array): string {
  let text = '';
  for (const byte of label) {
    const char = String.fromCharCode(byte);
    if (char === '.' || char === '\\') text += `\\${char}`;
    else if (byte > 32 && byte < 127) text += char;
    else text += `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}

/** 'www.example.test' -> 'www.example.test.'; undefined when it is no legal name. */
export function absoluteName(text: string): DomainName | undefined {
  if (text === '') return undefined;
  const name = text.endsWith('.') && !text.endsWith('\\.') ? text : `${text}.`;
  return labelsOf(name) === undefined ? undefined : name;
}

/** RFC 4343: names compare without regard to ASCII case. */
export const canonicalName = (name: DomainName): DomainName => name.replace(/[A-Z]/g, c => c.toLowerCase());
export const sameName = (a: DomainName, b: DomainName): boolean => canonicalName(a) === canonicalName(b);

/** The name without its first label: 'example.test.' of 'www.example.test.'; undefined for the root. */
export function parentOf(name: DomainName): DomainName | undefined {
  if (name === '.') return undefined;
  const match = /^(?:\\.|[^.\\])*\./.exec(name);
  const rest = match === null ? '' : name.slice(match[0].length);
  return rest === '' ? '.' : rest;
}

/** True when `name` is `zone` or lies below it. */
export function isWithin(name: DomainName, zone: DomainName): boolean {
  const wanted = canonicalName(zone);
  let at: DomainName | undefined = canonicalName(name);
  while (at !== undefined) {
    if (at === wanted) return true;
    at = parentOf(at);
  }
  return false;
}

/**
 * Reads a name, following compression pointers. RFC 1035 §4.1.4: a pointer points to "a prior occurrance", so each
 * must lie before the one that led to it; that alone refuses every loop.
 */
export function readName(reader: Reader, field: string): DomainName {
  return reader.group(
    field,
    () => readLabels(reader),
    name => name,
  );
}

function readLabels(reader: Reader): DomainName {
  const { bytes, base, end } = reader;
  let text = '';
  let total = 1;
  let at = reader.at;
  let after = -1;
  let before = at;
  for (;;) {
    if (at >= end) {
      reader.fail('dns: name is truncated', at);
      return '.';
    }
    const length = bytes[at];
    if (length === 0) break;
    if (length >= 0xc0) {
      if (at + 1 >= end) {
        reader.fail('dns: compression pointer is truncated', at);
        return '.';
      }
      const target = base + (((length & 0x3f) << 8) | bytes[at + 1]);
      if (target >= before) {
        reader.fail('dns: compression pointer does not point backwards', at);
        return '.';
      }
      if (after < 0) after = at + 2;
      before = target;
      at = target;
    } else if (length > MAX_LABEL || at + 1 + length > end) {
      reader.fail(length > MAX_LABEL ? 'dns: reserved label type' : 'dns: label is truncated', at);
      return '.';
    } else {
      total += length + 1;
      if (total > MAX_NAME) {
        reader.fail('dns: name over 255 octets', at);
        return '.';
      }
      text += `${labelText(bytes.subarray(at + 1, at + 1 + length))}.`;
      at += length + 1;
    }
  }
  // The group's range is what the name takes here, not what its pointers lead to.
  reader.view((after < 0 ? at + 1 : after) - reader.at, 'labels', () => text || '.');
  return text || '.';
}

/** Writes names with compression: every suffix written is remembered by its offset. */
export class NameWriter {
  private offsets = new Map<DomainName, number>();

  /**
   * Appends `name` to `out`, whose first byte is the message's. RFC 3597 §4: only the types of RFC 1035 may have
   * compressed names in their data, hence the flag. Throws RangeError for an illegal name.
   */
  write(out: number[], name: DomainName, compress: boolean): void {
    const labels = labelsOf(name);
    if (labels === undefined) throw new RangeError(`'${name}' is no legal domain name`);
    for (let i = 0; i < labels.length; i++) {
      // The key keeps the letters' case, so that 0x20 (mixed case in a question) comes back as it was sent.
      const suffix = `${labels.slice(i).map(labelText).join('.')}.`;
      const known = this.offsets.get(suffix);
      if (known !== undefined && compress) {
        out.push(0xc0 | (known >> 8), known & 0xff);
        return;
      }
      if (known === undefined && out.length < 0x4000) this.offsets.set(suffix, out.length);
      out.push(labels[i].length, ...labels[i]);
    }
    out.push(0);
  }
}
