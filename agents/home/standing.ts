// Standing — how far an invocation of this task has come, for whoever adds to its tree or reads it.
//
// Owns: that answer, and noting that a tree has rows which its node invocations do not lead to.
// Leaves to others: what changes the record (invocations.ts).

import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import {
  type InvocationId,
  isZeroId,
  type NodeInvocationId,
  rootNodeId,
} from "../wire/invocation-id.js";
import { decodeRecord, encodeRecord, invocationTable } from "./invocation-record.js";
import { leavingKey, treeTable } from "./tree.js";

export interface Standing {
  readonly agent: string;
  readonly attempt: number;
  /** Where its tree begins. */
  readonly root: NodeInvocationId;
  /** Or cancelled. */
  readonly failed: boolean;
  /** The whole tree has finished. */
  readonly finished: boolean;
}

/** `undefined`: no such invocation, or it is being forgotten. */
export function standingOf(turn: Turn, id: InvocationId): Standing | undefined {
  const row = turn.get(invocationTable, id);
  if (row === undefined) return undefined;
  const { agent, attempt, rootAttempt, state, outstanding } = decodeRecord(row);
  const finished = isZeroId(outstanding);
  const isLeaving = finished && turn.get(treeTable, leavingKey(id)) !== undefined;
  if (isLeaving) return undefined;
  const failed = state.kind === "failed" || state.kind === "cancelled";
  return { agent, attempt, root: rootNodeId(id, rootAttempt), failed, finished };
}

/** The tree of an invocation gets rows that only a look at all of its rows would find. */
export function noteExtras(turn: Turn, id: InvocationId): void {
  const row = turn.get(invocationTable, id);
  assert(row !== undefined, "only the tree of an invocation that is there gets rows");
  const record = decodeRecord(row);
  if (record.extras) return;
  turn.put(invocationTable, id, encodeRecord({ ...record, extras: true }));
}
