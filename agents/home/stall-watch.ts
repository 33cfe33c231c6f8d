// Stall watch — which invocations of a task are not over and have not come further for a while.
//
// Owns: when each came further last, in memory, when it is worth a look, and where the next look at
// it begins. Leaves to others: the look (stalls.ts).
//
// An invocation whose node invocations all wait or run looks the same as a stalled one: each time
// that its whole tree was looked at and nothing was found, the time until the next look doubles, so
// that many that wait cost next to nothing.
//
// Invariants:
//   W1. A look begins where the one before has stopped, and at the root only behind the last node
//       of the tree: no node stays behind others that wait. Progress begins again at the root.
//   W2. Who was looked at is behind all others: as many as are due, each has its turn.

import { limits } from "../../base/limits.js";
import {
  type InvocationId,
  invocationIdOf,
  invocationName,
  type NodeInvocationId,
} from "../wire/invocation-id.js";

/** A node invocation that was started, as far as the tree tells. */
export interface Started {
  readonly id: NodeInvocationId;
  /** Who has emitted it; `noScope` when home has sent it. */
  readonly parent: NodeInvocationId;
  /** Whose stream has brought it, and where it runs. */
  readonly from: number;
  readonly task: number;
}

interface Doubted {
  readonly dueMs: number;
  readonly pauseMs: number;
  readonly left: readonly Started[];
}

export class StallWatch {
  /** By name: when it is due; for those that were looked at already, how far that has gone too. */
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
      const pauseMs = Math.min(isNew ? limits.stallLookMs : nextPause(watched), pauseMsMax);
      const left = isNew ? [] : watched.left;
      // Behind all others, where this loop meets it again, not due (W2).
      this.#watched.delete(name);
      this.#watched.set(name, { dueMs: nowMs + pauseMs, pauseMs, left });
    }
    return due;
  }

  /** Where a look at an invocation begins: the last one first; nothing stands for the root (W1). */
  leftOf(id: InvocationId): readonly Started[] {
    const watched = this.#watched.get(invocationName(id));
    return typeof watched === "object" ? watched.left : [];
  }

  /** What a look had no room for, unless the invocation has come further meanwhile. */
  looked(id: InvocationId, left: readonly Started[]): void {
    const name = invocationName(id);
    const watched = this.#watched.get(name);
    if (typeof watched === "object") this.#watched.set(name, { ...watched, left });
  }
}

const pauseMsMax = limits.stallPauseMsMax;

/** Between two looks at one tree the pause stays as it is. */
function nextPause({ pauseMs, left }: Doubted): number {
  return left.length > 0 ? pauseMs : pauseMs * 2;
}
