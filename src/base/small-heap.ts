/**
 * A heap of four children a node, ordered by instant and then by order of insertion. Keys stand in arrays of their own,
 * so that comparing looks nothing up.
 */
import { NONE, type TimerTable } from './timer-table.ts';

export class SmallHeap {
  private readonly table: TimerTable;
  private rows: number[] = [];
  private keys: number[] = [];
  private orders: number[] = [];

  constructor(table: TimerTable) {
    this.table = table;
  }

  /** The first, left in place; NONE when there is none. */
  peek(): number {
    return this.rows.length === 0 ? NONE : this.rows[0];
  }

  push(row: number): void {
    const { table } = this;
    const at = this.rows.length;
    this.rows.push(row);
    this.keys.push(table.when(row));
    this.orders.push(table.order(row));
    this.up(at, row);
  }

  pop(): void {
    const { rows, keys, orders } = this;
    const last = rows.pop();
    keys.pop();
    orders.pop();
    if (last !== undefined && rows.length > 0) this.down(0, last);
  }

  filter(keep: (row: number) => boolean): void {
    this.rows = this.rows.filter(keep);
    this.keys = this.rows.map(row => this.table.when(row));
    this.orders = this.rows.map(row => this.table.order(row));
    for (let at = (this.rows.length - 2) >> 2; at >= 0; at--) this.down(at, this.rows[at]);
  }

  private up(from: number, row: number): void {
    const { rows, keys, orders } = this;
    const when = this.table.when(row);
    const order = this.table.order(row);
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
  private down(from: number, row: number): void {
    const { rows, keys, orders } = this;
    const when = this.table.when(row);
    const order = this.table.order(row);
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
