/** A queue that mostly holds nothing or one: it needs no array before there are two, and none again once it is empty. */
export class Fifo<T> {
  private first: T | undefined = undefined;
  private rest: T[] | undefined = undefined;

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  peek(): T | undefined {
    return this.first;
  }

  last(): T | undefined {
    return this.rest === undefined ? this.first : this.rest[this.rest.length - 1];
  }

  push(item: T): void {
    if (this.first === undefined) this.first = item;
    else if (this.rest === undefined) this.rest = [item];
    else this.rest.push(item);
  }

  shift(): T | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.first = this.rest?.shift();
    if (this.rest?.length === 0) this.rest = undefined;
    return first;
  }

  /** Another in the place of the first. */
  replaceFirst(item: T): void {
    this.first = item;
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.first !== undefined) yield this.first;
    if (this.rest !== undefined) yield* this.rest;
  }

  clear(): void {
    this.first = undefined;
    this.rest = undefined;
  }
}
