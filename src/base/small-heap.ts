/**
 * A heap of four children a node, ordered by instant and then by order of insertion. Keys stand in arrays of their own,
 * so that comparing follows no pointer.
 */
import type { Entry } from './timer-queue.ts';

export class SmallHeap {
  private entries: Entry[] = [];
  private keys: number[] = [];
  private orders: number[] = [];

  peek(): Entry | undefined {
    return this.entries[0];
  }

  push(entry: Entry): void {
    const at = this.entries.length;
    this.entries.push(entry);
    this.keys.push(entry.when);
    this.orders.push(entry.order);
    this.up(at, entry);
  }

  pop(): void {
    const { entries, keys, orders } = this;
    const last = entries.pop();
    keys.pop();
    orders.pop();
    if (last !== undefined && entries.length > 0) this.down(0, last);
  }

  filter(keep: (entry: Entry) => boolean): void {
    this.entries = this.entries.filter(keep);
    this.keys = this.entries.map(entry => entry.when);
    this.orders = this.entries.map(entry => entry.order);
    for (let at = (this.entries.length - 2) >> 2; at >= 0; at--) this.down(at, this.entries[at]);
  }

  private up(from: number, entry: Entry): void {
    const { entries, keys, orders } = this;
    const { when, order } = entry;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      const key = keys[parent];
      if (key < when || (key === when && orders[parent] < order)) break;
      entries[at] = entries[parent];
      keys[at] = key;
      orders[at] = orders[parent];
      at = parent;
    }
    entries[at] = entry;
    keys[at] = when;
    orders[at] = order;
  }

  /** `entry` belongs at `from` or below. */
  private down(from: number, entry: Entry): void {
    const { entries, keys, orders } = this;
    const { when, order } = entry;
    const { length } = entries;
    let at = from;
    for (;;) {
      const first = at * 4 + 1;
      if (first >= length) break;
      let least = first;
      let key = keys[first];
      const end = Math.min(first + 4, length);
      for (let child = first + 1; child < end; child++) {
        const other = keys[child];
        if (other > key || (other === key && orders[child] > orders[least])) continue;
        least = child;
        key = other;
      }
      if (when < key || (when === key && order < orders[least])) break;
      entries[at] = entries[least];
      keys[at] = key;
      orders[at] = orders[least];
      at = least;
    }
    entries[at] = entry;
    keys[at] = when;
    orders[at] = order;
  }
}
