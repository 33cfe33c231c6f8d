// Pauses — which of a task's nodes sleep, and until when.
//
// Owns: their order, in memory, and one timer for the first of them. Leaves to others: the rows
// behind them (waits.ts).

import { assert } from "../../base/invariant.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { WaitPlace } from "../wire/wait-fields.js";

/** A pause that will be over. One that has ended before is met when it is due, and passed over. */
interface Pause extends WaitPlace {
  readonly dueMs: number;
}

/** Longest time that a timer is set for: those of the platform end at 2^31 milliseconds. */
const timerMsMax = 3_600_000;

export class Pauses {
  readonly #port: TaskPort;
  readonly #onDue: () => void;
  /** A heap: each is due no later than the two behind it. */
  readonly #heap: Pause[] = [];
  #timer: { readonly dueMs: number; readonly timer: ReturnType<TaskPort["after"]> } | undefined;

  /** `onDue`: some are over. */
  constructor(port: TaskPort, onDue: () => void) {
    this.#port = port;
    this.#onDue = onDue;
  }

  add(pause: Pause): void {
    const heap = this.#heap;
    let at = heap.push(pause) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#dueAt(parent) <= pause.dueMs) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes out one that is over. */
  takeDue(): WaitPlace | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.dueMs > this.#port.now()) return undefined;
    this.#swap(0, this.#heap.length - 1);
    this.#heap.pop();
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const smaller = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (this.#dueAt(smaller) >= this.#dueAt(at)) break;
      this.#swap(at, smaller);
      at = smaller;
    }
    return first;
  }

  /** Sets the timer for the first. */
  arm(): void {
    const [first] = this.#heap;
    if (first === undefined) return;
    const timerMs = Math.min(timerMsMax, Math.max(0, first.dueMs - this.#port.now()));
    const dueMs = this.#port.now() + timerMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#port.after(timerMs, () => {
      this.#timer = undefined;
      if (this.#dueAt(0) <= this.#port.now()) this.#onDue();
      else this.arm();
    });
    this.#timer = { dueMs, timer };
  }

  close(): void {
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#heap.length = 0;
  }

  #dueAt(at: number): number {
    return this.#heap[at]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    assert(one !== undefined && other !== undefined, "both are in the heap");
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
