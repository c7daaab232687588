import assert from 'node:assert/strict';
import type { Span } from '../../src/wire/reader.ts';

/** The spans of a frame's layers follow one another and cover it, and so do the fields of each layer. */
export function assertTiles(spans: readonly Span[], start: number, end: number): void {
  let at = start;
  let bit = 0;
  for (const span of spans) {
    if (span.bits !== undefined) {
      assert.equal(span.start * 8 + span.bits[0], at * 8 + bit, `${span.name} starts where the last field ends`);
      const next = span.start * 8 + span.bits[0] + span.bits[1];
      at = next >> 3;
      bit = next & 7;
      continue;
    }
    assert.equal(bit, 0);
    assert.equal(span.start, at, `${span.name} starts where the last one ends`);
    assert.ok(span.end >= span.start);
    if (span.children && span.children.length > 0) assertTiles(span.children, span.start, span.end);
    at = span.end;
  }
  assert.equal(at, end);
}
