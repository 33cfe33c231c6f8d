// Fifo — a first-in first-out queue of small things (numbers, names, places), without a bound.
//
// Its users bound what goes in: rows on disk stand behind every number and name that is queued.

/** Heads that are dropped together: until then a shift moves nothing. */
const spareMax = 1_024;

/** A queue; push and shift cost O(1) over many calls. */
export class Fifo<T extends number | string | object> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** All of them, oldest first: costs O(length). */
  items(): readonly T[] {
    return this.#items.slice(this.#head);
  }

  /** Removes and returns the oldest item; `undefined` when empty. */
  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head > spareMax && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
