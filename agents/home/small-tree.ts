// Small tree — the rows of a finished tree, found by walking it.
//
// A table's pages cost more than a few looks. Leaves to others: trees that are large, or that have
// rows to which no node invocation leads (leaving-trees.ts).

import type { Turn } from "../../runtime/task-program.js";
import { decodeNodeRecord } from "../wire/ack.js";
import { entryNodeId, gatherNodeId, type InvocationId } from "../wire/invocation-id.js";
import { nodeOf } from "./parts.js";
import { decodeScope } from "./scope-record.js";
import { inputKey, nodeKey, originKey, scopeKey, treeTable } from "./tree.js";

/**
 * The keys of all rows of a finished tree; `undefined` when there are more than `rowsMax`. Some of
 * them may have no row, since the record keeps them.
 */
export function smallTree(
  turn: Turn,
  of: InvocationId,
  rowsMax: number,
): readonly Uint8Array[] | undefined {
  const entry = entryNodeId(of);
  const keys = [originKey(of, entry)];
  const nodes = [entry];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (keys.length > rowsMax) return undefined;
    const key = nodeKey(of, node);
    const row = nodeOf(turn, of, node);
    // Given up: it has no record.
    if (row === undefined) continue;
    keys.push(key);
    const { emits, gather } = decodeNodeRecord(row);
    for (const { id, task } of emits) if (task !== undefined) nodes.push(id);
    if (gather === "") continue;
    const scope = scopeKey(of, node);
    const scopeRow = turn.get(treeTable, scope);
    if (scopeRow === undefined) continue;
    keys.push(scope);
    const { producers, phase } = decodeScope(scopeRow);
    if (producers > rowsMax) return undefined;
    for (let no = 0; no < producers; no += 1) keys.push(inputKey(of, node, no));
    if (phase !== "started") continue;
    const started = gatherNodeId(node);
    keys.push(originKey(of, started));
    nodes.push(started);
  }
  return keys.length > rowsMax ? undefined : keys;
}
