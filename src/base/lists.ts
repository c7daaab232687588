/**
 * The list with one more at its end. For lists that most of their owners have empty: these share one empty array, which
 * is replaced by the first item and never written to.
 */
export function added<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}
