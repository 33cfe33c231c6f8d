// Ring — a first-in first-out queue of bounded length without allocation per element.
//
// Owns: order and the bound. Leaves to its users what a full ring means (a lane makes callers wait,
// a mailbox asserts that it cannot happen).
//
// Invariants:
//   R1. Elements leave in the order they came.
//   R2. `length <= lengthMax`; a push beyond it is a broken invariant, never a drop.

import { assert } from "../base/invariant.js";

const slotsAtStart = 64;

/** A growing circular buffer; it doubles when full and never shrinks below its start. */
export class Ring<T> {
  readonly #lengthMax: number;
  #slots: (T | undefined)[];
  #head = 0;
  #length = 0;

  constructor(lengthMax: number) {
    assert(lengthMax >= 1, () => `a ring needs room for one element, got ${lengthMax}`);
    this.#lengthMax = lengthMax;
    this.#slots = new Array<T | undefined>(slotsAtStart).fill(undefined);
  }

  get length(): number {
    return this.#length;
  }

  push(element: T): void {
    assert(this.#length < this.#lengthMax, "a full ring was pushed");
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = element;
    this.#length += 1;
  }

  /** The oldest element, left in place; `undefined` when empty. */
  peek(): T | undefined {
    return this.#slots[this.#head];
  }

  /** Removes and returns the oldest element; `undefined` when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const element = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length -= 1;
    return element;
  }

  /** The `index`-th oldest element; `undefined` beyond the end. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)];
  }

  #grow(): void {
    const length = this.#length;
    const slots = new Array<T | undefined>(this.#slots.length * 2).fill(undefined);
    for (let index = 0; index < length; index += 1) slots[index] = this.at(index);
    this.#slots = slots;
    this.#head = 0;
  }
}
