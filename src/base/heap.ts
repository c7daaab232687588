/**
 * A heap of four children a node, ordered by (key, insertion order): entries of the same key leave in the order in
 * which they came, which is what makes a simulation repeatable.
 *
 * Removal is lazy: the owner marks its entry dead and calls `noteDead`; the heap drops dead entries when they
 * surface, and rebuilds itself when they are more than half, so a timer that is re-armed for ever costs no memory.
 */
export interface HeapEntry {
  readonly key: number;
  /** Set by the heap. */
  order: number;
  readonly dead: boolean;
}

export class Heap<T extends HeapEntry> {
  private items: T[] = [];
  private nextOrder = 0;
  private deadCount = 0;

  /** Live entries. */
  get size(): number {
    return this.items.length - this.deadCount;
  }

  push(item: T): void {
    item.order = this.nextOrder++;
    this.items.push(item);
    this.up(this.items.length - 1);
  }

  /** The first live entry, left in place. */
  peek(): T | undefined {
    while (this.items.length > 0 && this.items[0].dead) {
      this.take();
      this.deadCount--;
    }
    return this.items[0];
  }

  /** The first live entry, removed. */
  pop(): T | undefined {
    return this.peek() === undefined ? undefined : this.take();
  }

  /** The owner of an entry that is still in the heap has marked it dead. */
  noteDead(): void {
    this.deadCount++;
    if (this.deadCount > 64 && this.deadCount * 2 > this.items.length) this.rebuild();
  }

  private take(): T {
    const first = this.items[0];
    const last = this.items.pop() as T;
    if (this.items.length > 0) {
      this.items[0] = last;
      this.down(0);
    }
    return first;
  }

  private rebuild(): void {
    this.items = this.items.filter(item => !item.dead);
    this.deadCount = 0;
    for (let at = (this.items.length - 2) >> 2; at >= 0; at--) this.down(at);
  }

  private before(a: T, b: T): boolean {
    return a.key < b.key || (a.key === b.key && a.order < b.order);
  }

  private up(from: number): void {
    const items = this.items;
    const item = items[from];
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (!this.before(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  private down(from: number): void {
    const items = this.items;
    const item = items[from];
    let at = from;
    for (;;) {
      const first = at * 4 + 1;
      if (first >= items.length) break;
      let least = first;
      for (let child = first + 1; child < Math.min(first + 4, items.length); child++) {
        if (this.before(items[child], items[least])) least = child;
      }
      if (!this.before(items[least], item)) break;
      items[at] = items[least];
      at = least;
    }
    items[at] = item;
  }
}
