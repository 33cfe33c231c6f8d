// Tree rows — what the home tasks of a harness keep of an invocation, decoded.

import { decodeScope, type ScopeRecord } from "../../agents/home/scope-record.js";
import { nodeKey, scopeKey, treeRange, treeTable } from "../../agents/home/tree.js";
import { decodeNodeRecord, type NodeRecord } from "../../agents/wire/ack.js";
import {
  type InvocationId,
  type NodeInvocationId,
  parseInvocationId,
  placementOf,
} from "../../agents/wire/invocation-id.js";
import type { StoredRow } from "../../store/storage.js";
import type { ProgramHarness } from "./program-harness.js";

/** A node invocation that has finished. */
export interface ListedNode extends NodeRecord {
  readonly id: NodeInvocationId;
}

export interface ListedScope extends ScopeRecord {
  /** Its scatter. */
  readonly id: NodeInvocationId;
}

export interface ListedTree {
  readonly home: number;
  readonly nodes: readonly ListedNode[];
  readonly scopes: readonly ListedScope[];
  /** All rows, those above among them. */
  readonly rowCount: number;
}

/** The rows of an invocation, named as its client knows it. */
export function treeOf(harness: ProgramHarness, invocationId: string): ListedTree {
  const of = parseInvocationId("a", invocationId);
  const home = harness.ownerOf(placementOf(of));
  const rows = rowsIn(harness, home, of);
  const nodeKind = nodeKey(of, { high: 0, low: 0 })[16];
  const scopeKind = scopeKey(of, { high: 0, low: 0 })[16];
  return {
    home,
    nodes: rows.flatMap(({ key, value }) =>
      key[16] === nodeKind ? [{ id: idIn(key), ...decodeNodeRecord(value) }] : [],
    ),
    scopes: rows.flatMap(({ key, value }) =>
      key[16] === scopeKind ? [{ id: idIn(key), ...decodeScope(value) }] : [],
    ),
    rowCount: rows.length,
  };
}

/** All rows of an invocation, whatever the length of a page. */
function rowsIn(harness: ProgramHarness, task: number, of: InvocationId): StoredRow[] {
  const found: StoredRow[] = [];
  for (let range = treeRange(of); ; ) {
    const rows = harness.rows(task).page(treeTable, range, 1_000);
    found.push(...rows);
    const last = rows.at(-1);
    if (last === undefined) return found;
    range = { ...range, from: new Uint8Array([...last.key, 0]) };
  }
}

function idIn(key: Uint8Array): NodeInvocationId {
  const view = new DataView(key.buffer, key.byteOffset);
  return { high: view.getUint32(17), low: view.getUint32(21) };
}
