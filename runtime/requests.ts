// Requests — what one request of a lane does: it is looked up among the calls that were carried out
// already, applied, and its reply recorded.
//
// Owns: that order, and that a stamped request takes effect together with its record or not at all.
// Leaves to others: what operations mean (store-operations.ts), which records are kept
// (call-records.ts), a program's messages (applier.ts).
//
// Invariants:
//   E1. A stamped request that has a record changes nothing and gets the recorded reply.
//   E2. A stamped request's effects and its record are in one frame; a refused one has neither.

import type { ByteWriter } from "../base/byte-writer.js";
import { InvariantViolation } from "../base/invariant.js";
import { hashKey } from "../store/key-hash.js";
import { type CallRecords, callDigest } from "./call-records.js";
import type { HandlerNotes } from "./handler-notes.js";
import type { Overlay } from "./overlay.js";
import { ownerOf } from "./partition.js";
import type { PlannedStore } from "./plan.js";
import {
  noBytes,
  operation,
  type Reply,
  type Request,
  type Status,
  status,
  updateNumber,
  writeReply,
} from "./lane-encoding.js";
import { applyOperation } from "./store-operations.js";
import { systemTable } from "./system-table.js";
import { successorOfPrefix } from "./operation-id.js";
import { encodePage } from "./page-message.js";

/** What requests are applied to. */
export interface RequestParts {
  readonly taskId: number;
  readonly taskCount: number;
  readonly stores: ReadonlyMap<number, PlannedStore>;
  readonly overlay: Overlay;
  readonly calls: CallRecords;
  /** Where updates are noted while they run. */
  readonly notes: HandlerNotes;
  /** Applies a program's message; takes back by itself what a throw leaves. */
  readonly program: (message: Uint8Array) => Uint8Array | undefined;
}

const recallRows = 256;

/** Applies one request and appends its reply. Throws before it has changed anything. */
export function applyRequest(parts: RequestParts, request: Request, replies: ByteWriter): void {
  const { stamp } = request;
  if (stamp === undefined) {
    perform(parts, request, replies);
    return;
  }
  const { calls, overlay } = parts;
  const digest = callDigest(request);
  const known = calls.find(stamp, digest);
  if (known !== undefined) {
    writeReply(replies, known.status, known.bytes);
    return;
  }
  const start = replies.length;
  // Programs bring a savepoint of their own, and a clear cannot be taken back; neither can fail
  // once it has been applied, and their replies are small.
  const mayFail = request.kind !== operation.program && request.kind !== operation.clear;
  if (mayFail) overlay.savepoint();
  try {
    perform(parts, request, replies);
    calls.remember(stamp, digest, replyAt(replies, start));
  } catch (error) {
    if (mayFail) overlay.rollback();
    replies.truncate(start);
    throw error;
  }
  if (mayFail) overlay.release();
}

function perform(parts: RequestParts, request: Request, replies: ByteWriter): void {
  switch (request.kind) {
    case operation.barrier:
      writeReply(replies, status.ok, noBytes);
      return;
    case operation.note:
      writeReply(replies, status.ok, request.argument);
      return;
    case operation.program:
      writeReply(replies, status.ok, parts.program(request.argument) ?? noBytes);
      return;
    case operation.recall:
      writeReply(replies, status.ok, recall(parts.overlay, request.argument));
      return;
    default: {
      const store = parts.stores.get(request.table);
      // Not `assert` with a message: no closure is made for each request.
      if (store === undefined) throw unknownTable(parts, request);
      const keyHash = ownHash(parts, request);
      if (request.kind !== operation.update) {
        applyOperation(parts.overlay, store, request, keyHash, replies);
        return;
      }
      parts.notes.update(parts.taskId, request.table, updateNumber(request));
      try {
        applyOperation(parts.overlay, store, request, keyHash, replies);
      } finally {
        parts.notes.clear();
      }
    }
  }
}

/** Committed records of one node invocation. */
function recall(overlay: Overlay, from: Uint8Array): Uint8Array {
  const range = { from, to: successorOfPrefix(from) };
  return encodePage(overlay.page(systemTable.operations, range, recallRows));
}

function replyAt(replies: ByteWriter, start: number): Reply {
  const written = replies.view(start);
  // cast: writeReply put a status there, its bytes behind five.
  return { status: written[0] as Status, bytes: written.subarray(5) };
}

/** The hash of a key, which must be this task's (A3 of applier.ts); 0 without one. */
function ownHash({ taskId, taskCount }: RequestParts, request: Request): number {
  const { packet, keyStart, argumentStart } = request;
  if (keyStart === argumentStart) return 0;
  const { keyHash: known } = request;
  const keyHash = known === -1 ? hashKey(packet, keyStart, argumentStart) : known;
  const owner = ownerOf(keyHash, taskCount);
  if (owner !== taskId) {
    throw new InvariantViolation(`a key of task ${owner} reached task ${taskId}`);
  }
  return keyHash;
}

function unknownTable({ taskId }: RequestParts, { table }: Request): InvariantViolation {
  return new InvariantViolation(`task ${taskId} knows no table ${table}`);
}
