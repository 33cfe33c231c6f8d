// Node effects — what a run of a node function came to: what its task is told, in memory, when the
// function has returned or thrown. Volatile until that is applied.

import type { Turn } from "../../runtime/task-program.js";
import type { NodeEnd } from "../wire/ack.js";
import type { Emit } from "../wire/message.js";
import type { RecordedOperations } from "../wire/recorded-operations.js";

/** What a node function has asked for, when it has returned. */
export interface NodeEffects {
  /** The attempt of the invocation that the run belonged to. */
  readonly attempt: number;
  /** In the order of the emits; empty when there is a result or a failure. */
  readonly emits: readonly Emit[];
  readonly end: NodeEnd;
  /** What a scatter returned; no bytes for other nodes, and for `undefined`. */
  readonly carry: Uint8Array;
  /** When it ran and what it did: opaque here. */
  readonly trace: Uint8Array;
  readonly recorded: readonly RecordedOperations[];
}

/** The same, with the row of the task's queue that it ended. */
export interface CompletedRun extends NodeEffects {
  readonly arrivalNo: number;
}

/** Takes what a run came to, in a batch of its task. */
export type RunEnded = (turn: Turn, run: CompletedRun) => void;
