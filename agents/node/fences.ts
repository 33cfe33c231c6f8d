// Fences — what this task was told by the home tasks of invocations that were tried again or are to
// stop: which attempt of each counts here.
//
//   [invocation 16] → Fence
//
// Owns: these rows, and the same in memory as committed. Leaves to others: what follows from a
// fence for the rows of the queue (node-runner.ts), when home sends one (home/attempts.ts).
//
// Invariants:
//   C1. Of an invocation a task has the newest fence that it was told, until it is lifted: then
//       nothing of the attempts up to it is left anywhere. One that says no more than what is
//       known changes nothing: home tells again when it cannot know that it was heard.
//   C2. A run belongs to the attempt that emitted it or to that of the fence, whichever is later. A
//       stop concerns those of its own attempt and of earlier ones: a run that comes late.

import { PartitaError } from "../../base/errors.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { eachRow } from "../table-rows.js";
import {
  decodeFence,
  encodeFence,
  type Fence,
  type FenceMessage,
} from "../wire/attempt-message.js";
import { formatInvocationId, type InvocationId, invocationName } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";

/** Table of these rows. Part of the on-disk format. */
export const fenceTable = 12;

/** What a fence is about: a run, or a row of the queue. */
interface Fenced {
  readonly invocationId: InvocationId;
  readonly attempt: number;
}

export class Fences {
  readonly #port: TaskPort;
  /** As committed. */
  readonly #fences = new Map<string, Fence>();
  /** Names whose row the frame in hand, or one on its way to the device, has changed. */
  readonly #changed = new Set<string>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  start(): void {
    eachRow(this.#port, fenceTable, {}, (key, value) => {
      this.#fences.set(invocationName(key), decodeFence(value));
    });
  }

  /** The committed fence of an invocation. */
  of(id: InvocationId): Fence | undefined {
    return this.#fences.size === 0 ? undefined : this.#fences.get(invocationName(id));
  }

  /** The fence of an invocation as the frame in hand leaves it. */
  seen(turn: Turn, id: InvocationId): Fence | undefined {
    if (this.#changed.size === 0) return this.of(id);
    const name = invocationName(id);
    if (!this.#changed.has(name)) return this.#fences.get(name);
    const row = turn.get(fenceTable, id);
    return row === undefined ? undefined : decodeFence(row);
  }

  /** Keeps what home has said, and returns it; `undefined` when it was known (C1). */
  put(turn: Turn, { invocationId, attempt, stop, pauseMs }: FenceMessage): Fence | undefined {
    const known = this.seen(turn, invocationId);
    const isStop = stop !== undefined && stop !== known?.stop;
    if (known !== undefined && attempt <= known.attempt && !isStop) return undefined;
    const newest = Math.max(attempt, known?.attempt ?? 0);
    const fence = { attempt: newest, stop, dueMs: this.#port.now() + pauseMs };
    turn.put(fenceTable, invocationId, encodeFence(fence));
    this.#change(turn, invocationName(invocationId), fence);
    return fence;
  }

  lift(turn: Turn, id: InvocationId): void {
    turn.delete(fenceTable, id);
    this.#change(turn, invocationName(id), undefined);
  }

  #change(turn: Turn, name: string, fence: Fence | undefined): void {
    this.#changed.add(name);
    turn.afterCommit(() => {
      this.#changed.delete(name);
      if (fence === undefined) this.#fences.delete(name);
      else this.#fences.set(name, fence);
    });
  }
}

/** The attempt that a run belongs to (C2). */
export function attemptOf({ attempt }: Fenced, fence: Fence | undefined): number {
  return fence === undefined ? attempt : Math.max(attempt, fence.attempt);
}

/** Whether a run is to stop, or not to begin (C2). */
export function isStopped({ attempt }: Fenced, fence: Fence | undefined): boolean {
  return fence?.stop !== undefined && attempt <= fence.attempt;
}

/** The reason of the signals of what is cancelled. */
export function stopError({ agent, invocationId: id }: RunMessage): PartitaError {
  return new PartitaError("INVOCATION_CANCELLED", { agent, invocationId: formatInvocationId(id) });
}
