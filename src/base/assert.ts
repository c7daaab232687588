/** A broken invariant of ours. Never thrown for anything that came from outside: a bad packet is input, not a bug. */
export class InvariantError extends Error {
  override name = 'InvariantError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
