import fc from 'fast-check';

/** Plain objects, as decoders make them: fast-check's own have sometimes no prototype. */
export function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}
