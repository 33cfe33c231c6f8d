// Node operations — requests of nodes to tasks: each takes effect once, though the thread that
// sends it or the task that answers it may die in between.
//
// Owns: sending again what a dying task thread did not answer, asking all tasks for what an earlier
// run recorded, notes, and messages of programs that are recorded. Leaves to others: numbering
// (operation-journal.ts), records (call-records.ts).
//
// Invariants:
//   N1. A request that was lost with its task thread is sent again, as `again`, when the task is
//       back; its operation id makes that harmless.
//   N2. A recall sees whatever was sent to a task before by a thread that has died: it follows a
//       barrier on the same lane, behind those requests in the task's mailbox.

import { PartitaError } from "../base/errors.js";
import { callDigest } from "./call-records.js";
import type { Lane } from "./lane.js";
import { operationId } from "./operation-id.js";
import type { JournalStep, OperationJournal, RecalledRow } from "./operation-journal.js";
import { decodePage } from "./page-message.js";
import {
  noBytes,
  type Operation,
  operation,
  type Reply,
  type Stamp,
  stampKind,
} from "./lane-encoding.js";
import { checked } from "./refusal.js";
import type { Router } from "./router.js";

/** A request that may be sent more than once; its bytes are kept. */
export interface NodeRequest {
  readonly kind: Operation;
  readonly table: number;
  readonly key: Uint8Array;
  readonly keyHash: number;
  readonly argument: Uint8Array;
}

/** A write of a node: answered from its journal, or sent until it is answered (N1). */
export function journaled(
  journal: OperationJournal,
  lane: Lane,
  request: NodeRequest,
): Promise<Reply> {
  const step = journal.claim(callDigest(request));
  return journal.write(lane.task, step, (stamp) => answered(lane, request, stamp));
}

/** Sends a request that changes nothing, or nothing twice, until it is answered. */
function answered(lane: Lane, request: NodeRequest, first?: Stamp): Promise<Reply> {
  const { kind, table, key, keyHash, argument } = request;
  // From now on, though it may find the lane lost: a read that is called next goes behind it.
  const release = lane.hold(kind, keyHash);
  return lane.request(kind, table, key, keyHash, argument, first).then(
    (reply) => {
      release();
      return reply;
    },
    (error: unknown) => answeredLater(lane, request, first, error).finally(release),
  );
}

/** The same after it was lost. */
async function answeredLater(
  lane: Lane,
  { kind, table, key, keyHash, argument }: NodeRequest,
  first: Stamp | undefined,
  lost: unknown,
): Promise<Reply> {
  const stamp = first === undefined ? undefined : { ...first, kind: stampKind.again };
  for (let reason = lost; ; ) {
    if (!PartitaError.is(reason, "TASK_EXITED")) throw reason;
    await lane.reopened();
    try {
      return await lane.request(kind, table, key, keyHash, argument, stamp);
    } catch (error) {
      reason = error;
    }
  }
}

/** A read of a node through its owner. */
export function answeredRead(lane: Lane, request: NodeRequest): Promise<Reply> {
  return answered(lane, request);
}

/** A program's message, sent until it is answered. */
export async function ask(lane: Lane, message: Uint8Array): Promise<Uint8Array> {
  const request = { kind: operation.program, table: 0, key: noBytes, keyHash: 0 };
  return checked(await answered(lane, { ...request, argument: message })).bytes;
}

/** What all tasks have recorded of a node invocation. */
export async function recall(router: Router, prefix: Uint8Array): Promise<readonly RecalledRow[]> {
  const tasks = Array.from({ length: router.taskCount }, (_, task) => router.lane(task));
  const found = await Promise.all(tasks.map((lane) => recallFrom(lane, prefix)));
  return found.flat();
}

async function recallFrom(lane: Lane, prefix: Uint8Array): Promise<RecalledRow[]> {
  const empty = { table: 0, key: noBytes, keyHash: 0 };
  checked(await answered(lane, { ...empty, kind: operation.barrier, argument: noBytes }));
  const rows: RecalledRow[] = [];
  for (let from = operationId(prefix, 0); ; ) {
    const request = { ...empty, kind: operation.recall, argument: from };
    const page = decodePage(checked(await answered(lane, request)).bytes);
    const last = page.at(-1);
    if (last === undefined) return rows;
    for (const { key, value } of page) rows.push({ task: lane.task, key, value });
    from = new Uint8Array(last.key.length + 1);
    from.set(last.key);
  }
}

/**
 * Records an outcome under a name at a place that was claimed with `noteDigest`, on the task of
 * `lane`.
 */
export async function note(
  journal: OperationJournal,
  step: JournalStep,
  lane: Lane,
  name: Uint8Array,
  outcome: Uint8Array,
): Promise<void> {
  const request = { ...noteOf(name), keyHash: 0, argument: outcome };
  checked(await journal.write(lane.task, step, (stamp) => answered(lane, request, stamp)));
}

/**
 * Applies a program's message on the task of `lane`, at a place that was claimed with
 * `appliedDigest`.
 */
export async function applied(
  journal: OperationJournal,
  step: JournalStep,
  lane: Lane,
  name: Uint8Array,
  message: Uint8Array,
): Promise<Uint8Array> {
  const request = { ...appliedOf(name), keyHash: 0, argument: message };
  const reply = await journal.write(lane.task, step, (stamp) => answered(lane, request, stamp));
  return checked(reply).bytes;
}

/** The digest of a note of that name. */
export function noteDigest(name: Uint8Array): number {
  return callDigest({ ...noteOf(name), argument: noBytes });
}

/** The digest of a program's message of that name, which is not empty. */
export function appliedDigest(name: Uint8Array): number {
  return callDigest({ ...appliedOf(name), argument: noBytes });
}

function appliedOf(name: Uint8Array): Pick<NodeRequest, "kind" | "table" | "key"> {
  return { kind: operation.program, table: 0, key: name };
}

function noteOf(name: Uint8Array): Pick<NodeRequest, "kind" | "table" | "key"> {
  return { kind: operation.note, table: 0, key: name };
}
