// Parts — what the record of an invocation itself keeps of its tree, as long as that is little.
//
//   [kind 1][node invocation 8][length 4][bytes] …
//
// Most trees are a few small node invocations. Each in a row of its own would be written, found and
// deleted by itself; in the record, which is written anyway, it costs its bytes.
// Owns: which parts there are, their layout, and looking in both places. Leaves to others: the rows
// (tree.ts), what is in a part (wire/ack.ts, wire/message.ts), the record (invocation-record.ts).
//
// Invariants:
//   P1. What a record keeps is not in a row too, or counts before it.
//   P2. A tree with any row says so in its record: with one of a node invocation, its message, or
//       a scope, by `isSpread`; with any other, by `extras`.
//   P3. Only the root's `run` message and records of node invocations are parts.

import { ByteReader } from "../../base/byte-reader.js";
import type { Turn } from "../../runtime/task-program.js";
import type { InvocationId, NodeInvocationId } from "../wire/invocation-id.js";
import { noBytes, readNodeId, writeNodeId, written } from "../wire/wire-field.js";
import { type InvocationRecord, invocationTable, partsOf } from "./invocation-record.js";
import { nodeKey, originKey, treeTable } from "./tree.js";

/** Beyond this a part is a row: a record is written whole with each change. */
const partsBytesMax = 512;
/** A name for each kind. Part of the on-disk format. */
const kinds = { node: 1, origin: 9 } as const;

type Kind = keyof typeof kinds;
/** What a record has of its tree. */
type Tree = Pick<InvocationRecord, "parts" | "isSpread">;

const headBytes = 1 + 8 + 4;

/** The tree of an invocation that begins with this message to its root. */
export function firstParts(
  turn: Turn,
  id: InvocationId,
  root: NodeInvocationId,
  run: Uint8Array,
): Tree {
  const nothing = { parts: noBytes, isSpread: false };
  return kept(nothing, "origin", root, run) ?? spread(turn, originKey(id, root), run, noBytes);
}

/** Adds the record of a node invocation that has finished, perhaps for the second time. */
export function withNode(
  turn: Turn,
  id: InvocationId,
  tree: Tree,
  node: NodeInvocationId,
  bytes: Uint8Array,
): Tree {
  const without = { ...tree, parts: cutOut(tree.parts, "node", node) };
  const added = kept(without, "node", node, bytes);
  return added ?? spread(turn, nodeKey(id, node), bytes, without.parts);
}

/**
 * The record of a node invocation that has finished; `undefined` when it has not. `parts`: of the
 * invocation's record, when it has changed in the message in hand.
 */
export function nodeOf(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
  parts: Uint8Array = storedParts(turn, id),
): Uint8Array | undefined {
  return find(parts, "node", node) ?? turn.get(treeTable, nodeKey(id, node));
}

/** The same, as the invocation's record tells, without a look at rows that are not there (P2). */
export function nodeIn(
  turn: Turn,
  id: InvocationId,
  { parts, isSpread }: Tree,
  node: NodeInvocationId,
): Uint8Array | undefined {
  const row = (): Uint8Array | undefined => turn.get(treeTable, nodeKey(id, node));
  return find(parts, "node", node) ?? (isSpread ? row() : undefined);
}

/** The `run` message of a node invocation that home has sent; `undefined` for all others. */
export function originOf(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
): Uint8Array | undefined {
  // A row first: home may have sent the root again since.
  return turn.get(treeTable, originKey(id, node)) ?? find(storedParts(turn, id), "origin", node);
}

function storedParts(turn: Turn, id: InvocationId): Uint8Array {
  const record = turn.get(invocationTable, id);
  return record === undefined ? noBytes : partsOf(record);
}

function spread(turn: Turn, key: Uint8Array, bytes: Uint8Array, parts: Uint8Array): Tree {
  turn.put(treeTable, key, bytes);
  return { parts, isSpread: true };
}

/** `undefined` when there is no room. */
function kept(
  { parts, isSpread }: Tree,
  kind: Kind,
  node: NodeInvocationId,
  bytes: Uint8Array,
): Tree | undefined {
  if (parts.length + headBytes + bytes.length > partsBytesMax) return undefined;
  const added = written((writer) => {
    writer.bytes(parts);
    writer.u8(kinds[kind]);
    writeNodeId(writer, node);
    writer.lengthPrefixed(bytes);
  });
  return { parts: added, isSpread };
}

function find(parts: Uint8Array, kind: Kind, node: NodeInvocationId): Uint8Array | undefined {
  const place = placeOf(parts, kind, node);
  return place && parts.subarray(place.from + headBytes, place.to);
}

function cutOut(parts: Uint8Array, kind: Kind, node: NodeInvocationId): Uint8Array {
  const place = placeOf(parts, kind, node);
  if (place === undefined) return parts;
  return written((writer) => {
    writer.bytes(parts.subarray(0, place.from));
    writer.bytes(parts.subarray(place.to));
  });
}

function placeOf(
  parts: Uint8Array,
  kind: Kind,
  { high, low }: NodeInvocationId,
): { readonly from: number; readonly to: number } | undefined {
  const reader = new ByteReader(parts);
  while (!reader.done) {
    const from = reader.offset;
    const isKind = reader.u8() === kinds[kind];
    const id = readNodeId(reader);
    reader.skip(reader.u32());
    if (isKind && id.high === high && id.low === low) return { from, to: reader.offset };
  }
  return undefined;
}
