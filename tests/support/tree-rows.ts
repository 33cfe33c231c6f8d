// Tree rows — what the home tasks of a harness keep of an invocation, in rows and in the parts of
// its record, decoded.

import { decodeRecord, invocationTable } from "../../agents/home/invocation-record.js";
import { decodeScope, type ScopeRecord } from "../../agents/home/scope-record.js";
import { nodeKey, scopeKey, treeRange, treeTable } from "../../agents/home/tree.js";
import { decodeNodeRecord, type NodeRecord } from "../../agents/wire/ack.js";
import {
  type NodeInvocationId,
  parseInvocationId,
  placementOf,
} from "../../agents/wire/invocation-id.js";
import { readNodeId } from "../../agents/wire/wire-field.js";
import { ByteReader } from "../../base/byte-reader.js";
import type { KeyRange, StoredRow, TableId } from "../../store/storage.js";
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
  /** All rows and parts, those above among them. */
  readonly rowCount: number;
}

interface Part {
  readonly kind: number;
  readonly id: NodeInvocationId;
  readonly bytes: Uint8Array;
}

/** The rows of an invocation, named as its client knows it. */
export function treeOf(harness: ProgramHarness, invocationId: string): ListedTree {
  const of = parseInvocationId("a", invocationId);
  const home = harness.ownerOf(placementOf(of));
  const rows = rowsIn(harness, home, treeTable, treeRange(of));
  const record = harness.rows(home).get(invocationTable, of);
  const parts = record === undefined ? [] : partsIn(record);
  const nodeKind = nodeKey(of, { high: 0, low: 0 })[16];
  const scopeKind = scopeKey(of, { high: 0, low: 0 })[16];
  return {
    home,
    nodes: [
      ...parts.flatMap(({ kind, id, bytes }) =>
        kind === nodeKind ? [{ id, ...decodeNodeRecord(bytes) }] : [],
      ),
      ...rows.flatMap(({ key, value }) =>
        key[16] === nodeKind ? [{ id: idIn(key), ...decodeNodeRecord(value) }] : [],
      ),
    ],
    scopes: rows.flatMap(({ key, value }) =>
      key[16] === scopeKind ? [{ id: idIn(key), ...decodeScope(value) }] : [],
    ),
    rowCount: rows.length + parts.length,
  };
}

/** Rows and parts of all trees of a task. */
export function treesSize(harness: ProgramHarness, task: number): number {
  const records = rowsIn(harness, task, invocationTable, {});
  const parts = records.flatMap(({ value }) => partsIn(value));
  return harness.rowCount(treeTable) + parts.length;
}

/** The parts in an invocation's record (agents/home/parts.ts). */
function partsIn(record: Uint8Array): Part[] {
  const reader = new ByteReader(decodeRecord(record).parts);
  const parts: Part[] = [];
  while (!reader.done) {
    const kind = reader.u8();
    parts.push({ kind, id: readNodeId(reader), bytes: reader.lengthPrefixed() });
  }
  return parts;
}

/** All rows of a range, whatever the length of a page. */
function rowsIn(
  harness: ProgramHarness,
  task: number,
  table: TableId,
  all: KeyRange,
): readonly StoredRow[] {
  const found: StoredRow[] = [];
  for (let range = all; ; ) {
    const rows = harness.rows(task).page(table, range, 1_000);
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
