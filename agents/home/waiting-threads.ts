// Waiting threads — which threads are to be told the outcome of which invocation of a home task.
//
// In memory alone: after a death clients ask again.

import type { InvocationId } from "../wire/invocation-id.js";
import { invocationName } from "../wire/invocation-id.js";

export class WaitingThreads {
  /** By name of the invocation. */
  readonly #threads = new Map<string, readonly number[]>();

  /** A thread waits; nothing changes when it does already. */
  add(thread: number, id: InvocationId): void {
    const name = invocationName(id);
    const threads = this.#threads.get(name) ?? [];
    if (!threads.includes(thread)) this.#threads.set(name, [...threads, thread]);
  }

  /** Those that wait for an invocation, which from now on nobody does. */
  take(id: InvocationId): readonly number[] {
    const name = invocationName(id);
    const threads = this.#threads.get(name) ?? [];
    this.#threads.delete(name);
    return threads;
  }

  threadExited(thread: number): void {
    for (const [name, threads] of this.#threads) {
      const others = threads.filter((other) => other !== thread);
      if (others.length === 0) this.#threads.delete(name);
      else this.#threads.set(name, others);
    }
  }
}
