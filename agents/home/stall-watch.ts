// Stall watch — which invocations of a task are not over and have not come further for a while.
//
// Owns: when each came further last, in memory, and when it is worth a look. Leaves to others: the
// look (stalls.ts).
//
// An invocation whose node invocations all wait or run looks the same as a stalled one: each look
// that finds nothing doubles the time until the next, so that many that wait cost next to nothing.

import { limits } from "../../base/limits.js";
import { type InvocationId, invocationIdOf, invocationName } from "../wire/invocation-id.js";

interface Doubted {
  readonly dueMs: number;
  readonly pauseMs: number;
}

export class StallWatch {
  /** By name: when it is due; for those that were looked at already, the pause before that too. */
  readonly #watched = new Map<string, number | Doubted>();

  /** An invocation has begun, or come further. */
  progressed(id: InvocationId, dueMs: number): void {
    this.#watched.set(invocationName(id), dueMs);
  }

  /** Nothing of it runs any more. */
  ended(id: InvocationId): void {
    if (this.#watched.size > 0) this.#watched.delete(invocationName(id));
  }

  /** Those that are due, as many as are looked at together. */
  due(nowMs: number): readonly InvocationId[] {
    const due: InvocationId[] = [];
    for (const [name, watched] of this.#watched) {
      const isNew = typeof watched === "number";
      if ((isNew ? watched : watched.dueMs) > nowMs) continue;
      if (due.length === limits.stallLooksMax) break;
      due.push(invocationIdOf(name));
      const pauseMs = isNew ? limits.stallLookMs : watched.pauseMs * 2;
      const longest = Math.min(pauseMs, limits.stallPauseMsMax);
      this.#watched.set(name, { dueMs: nowMs + longest, pauseMs: longest });
    }
    return due;
  }
}
