// Metadata at home — that of an invocation: what it was begun with, and what was changed since.
//
// What it was begun with goes along to its nodes, and stays as it is: a node that is run again sees
// the same. Changes are kept in a row of their own.

import { PartitaError } from "../../base/errors.js";
import type { Turn } from "../../runtime/task-program.js";
import { changedMetadata } from "../declare/metadata.js";
import { entryNodeId, formatInvocationId, type InvocationId } from "../wire/invocation-id.js";
import { decodeCarried } from "../wire/carried.js";
import { decodeRun } from "../wire/message.js";
import type { MetadataMessage } from "../wire/metadata-message.js";
import { noBytes } from "../wire/wire-field.js";
import { originOf } from "./parts.js";
import { noteExtras, standingOf } from "./standing.js";
import { metadataKey, treeTable } from "./tree.js";

/**
 * Changes it, if there are changes, and returns it.
 * @throws PartitaError INVOCATION_UNKNOWN, OPTION_INVALID
 */
export function applyMetadata(
  turn: Turn,
  { agent, invocationId: id, changes }: MetadataMessage,
): Uint8Array {
  if (standingOf(turn, id)?.agent !== agent) {
    throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: formatInvocationId(id) });
  }
  const before = metadataOf(turn, id);
  if (changes.length === 0) return before;
  const after = changedMetadata(before, changes);
  turn.put(treeTable, metadataKey(id), after);
  noteExtras(turn, id);
  return after;
}

/** What it is now. */
export function metadataOf(turn: Turn, id: InvocationId): Uint8Array {
  const changed = turn.get(treeTable, metadataKey(id));
  if (changed !== undefined) return changed;
  const entry = originOf(turn, id, entryNodeId(id));
  return entry === undefined ? noBytes : decodeCarried(decodeRun(entry).carried).metadata;
}
