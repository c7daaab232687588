/** Range requests (RFC 9110 §14). */

export interface ByteRange {
  start: number;
  /** Exclusive. */
  end: number;
}

/** RFC 9110 §14.2: many small or overlapping ranges are an attack; a server MAY ignore or coalesce them. */
const MAX_RANGES = 16;

/**
 * The ranges of a Range field for a representation of `length` bytes. Undefined: not a byte range that can be honoured,
 * the field is to be ignored. An empty list: none can be satisfied (416).
 */
export function parseRange(field: string, length: number): ByteRange[] | undefined {
  const match = /^bytes=([\d\s,-]+)$/i.exec(field);
  if (match === null) return undefined;
  const specs = match[1].split(',').map(spec => spec.trim());
  if (specs.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const parts = /^(\d{0,15})-(\d{0,15})$/.exec(spec);
    if (parts === null || spec === '-') return undefined;
    const [, first, last] = parts;
    if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
    const start = first === '' ? Math.max(0, length - Number(last)) : Number(first);
    const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1);
    if (start < end) ranges.push({ start, end });
  }
  return ranges;
}
