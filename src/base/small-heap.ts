/**
 * A heap of four children a node, ordered by instant and then by order of insertion. Keys stand in arrays of their own,
 * so that comparing looks nothing up.
 */
import type { Instant } from './instant.ts';
import { NONE } from './timer-table.ts';

const FIRST_CAPACITY = 64;

export class SmallHeap {
  private count = 0;
  private rows = new Int32Array(FIRST_CAPACITY);
  private keys = new Float64Array(FIRST_CAPACITY);
  private orders = new Float64Array(FIRST_CAPACITY);

  /** The first, left in place; NONE when there is none. */
  peek(): number {
    return this.count === 0 ? NONE : this.rows[0];
  }

  /** When the first is due, where there is one. */
  get least(): Instant {
    return this.keys[0];
  }

  push(when: Instant, order: number, row: number): void {
    if (this.count === this.rows.length) this.grow();
    this.up(this.count++, when, order, row);
  }

  pop(): void {
    const last = --this.count;
    if (last > 0) this.down(last, this.keys[last], this.orders[last], this.rows[last]);
  }

  filter(keep: (row: number) => boolean): void {
    const { rows, keys, orders, count } = this;
    this.count = 0;
    // What stays moves to the front or stays where it is, so nothing is overwritten before it is read.
    for (let at = 0; at < count; at++) if (keep(rows[at])) this.push(keys[at], orders[at], rows[at]);
  }

  private grow(): void {
    const { rows, keys, orders } = this;
    const capacity = 2 * rows.length;
    this.rows = new Int32Array(capacity);
    this.keys = new Float64Array(capacity);
    this.orders = new Float64Array(capacity);
    this.rows.set(rows);
    this.keys.set(keys);
    this.orders.set(orders);
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

  /** The first of `length` is gone; what stood behind them belongs there or below. */
  private down(length: number, when: Instant, order: number, row: number): void {
    const { rows, keys, orders } = this;
    let at = 0;
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
