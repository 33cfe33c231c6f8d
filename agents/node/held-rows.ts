// Held rows — which rows of the queue belong to which invocation, in memory: whom a fence concerns.

import { type InvocationId, invocationName } from "../wire/invocation-id.js";

export class HeldRows {
  /** Most invocations have one row at a time on a task: it stands for itself. */
  readonly #rows = new Map<string, number | Set<number>>();

  add(id: InvocationId, arrivalNo: number): void {
    const name = invocationName(id);
    const held = this.#rows.get(name);
    if (held === undefined) this.#rows.set(name, arrivalNo);
    else if (typeof held === "number") this.#rows.set(name, new Set([held, arrivalNo]));
    else held.add(arrivalNo);
  }

  /** `name`: of the invocation (`invocationName`). */
  remove(name: string, arrivalNo: number): void {
    const held = this.#rows.get(name);
    if (held === arrivalNo) this.#rows.delete(name);
    if (typeof held !== "object") return;
    held.delete(arrivalNo);
    if (held.size === 0) this.#rows.delete(name);
  }

  /** The rows of an invocation, in the order of arrival. */
  of(id: InvocationId): readonly number[] {
    const held = this.#rows.get(invocationName(id));
    if (held === undefined) return [];
    return typeof held === "number" ? [held] : [...held];
  }
}
