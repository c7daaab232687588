/**
 * A heap of four children a node, ordered by instant and then by order of insertion. Keys stand in arrays of their own,
 * so that comparing looks nothing up.
 */
import type { Instant } from './instant.ts';
import { NONE } from './timer-table.ts';

export class SmallHeap {
  private rows: number[] = [];
  private keys: number[] = [];
  private orders: number[] = [];

  /** The first, left in place; NONE when there is none. */
  peek(): number {
    return this.rows.length === 0 ? NONE : this.rows[0];
  }

  /** When the first is due, where there is one. */
  get least(): Instant {
    return this.keys[0];
  }

  push(when: Instant, order: number, row: number): void {
    const at = this.rows.length;
    this.rows.push(row);
    this.keys.push(when);
    this.orders.push(order);
    this.up(at, when, order, row);
  }

  pop(): void {
    const { rows, keys, orders } = this;
    const row = rows.pop();
    const when = keys.pop();
    const order = orders.pop();
    if (rows.length > 0) this.down(0, when as Instant, order as number, row as number);
  }

  filter(keep: (row: number) => boolean): void {
    const { rows, keys, orders } = this;
    this.rows = [];
    this.keys = [];
    this.orders = [];
    for (let at = 0; at < rows.length; at++) if (keep(rows[at])) this.push(keys[at], orders[at], rows[at]);
  }

  private up(from: number, when: Instant, order: number, row: number): void {
    const { rows, keys, orders } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      const key = keys[parent];
      if (key < when || (key === when && orders[parent] < order)) break;
      rows[at] = rows[parent];
      keys[at] = key;
      orders[at] = orders[parent];
      at = parent;
    }
    rows[at] = row;
    keys[at] = when;
    orders[at] = order;
  }

  /** `row` belongs at `from` or below. */
  private down(from: number, when: Instant, order: number, row: number): void {
    const { rows, keys, orders } = this;
    const { length } = rows;
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
      rows[at] = rows[least];
      keys[at] = key;
      orders[at] = orders[least];
      at = least;
    }
    rows[at] = row;
    keys[at] = when;
    orders[at] = order;
  }
}
