// Stream rows — what a home task keeps of the chunks of an invocation: part of its tree.
//
//   head     of a node invocation: which run wrote the list, how often it was reset, how long it is
//   chunk    one chunk; those at or beyond the head's count are left over from a list that was
//            reset, and mean nothing
//   order    the n-th node invocation of a node that streamed, and how many have
//
// Owns: these rows. Leaves to others: what may be written when (streams.ts), where they stand in
// the tree (tree.ts).

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import type { InvocationId, NodeInvocationId } from "../wire/invocation-id.js";
import type { RunNumber } from "../wire/stream-message.js";
import { readNodeId, writeNodeId, written } from "../wire/wire-field.js";
import { chunkKey, streamHeadKey, streamOrderKey, treeTable } from "./tree.js";

/** The list of chunks of one node invocation. */
export interface StreamHead {
  /** Which run wrote it. */
  readonly run: RunNumber;
  /** How often it was reset. */
  readonly generation: number;
  readonly count: number;
}

export function readHead(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
): StreamHead | undefined {
  const row = turn.get(treeTable, streamHeadKey(id, node));
  if (row === undefined) return undefined;
  const reader = new ByteReader(row);
  const run = { boot: reader.u32(), no: reader.u32() };
  return { run, generation: reader.u32(), count: reader.u32() };
}

export function writeHead(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
  { run, generation, count }: StreamHead,
): void {
  const row = written((writer) => {
    writer.u32(run.boot);
    writer.u32(run.no);
    writer.u32(generation);
    writer.u32(count);
  });
  turn.put(treeTable, streamHeadKey(id, node), row);
}

export function readChunk(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
  no: number,
): Uint8Array {
  const row = turn.get(treeTable, chunkKey(id, node, no));
  assert(row !== undefined, () => `chunk ${no} of a stream is missing`);
  return row;
}

export function writeChunk(
  turn: Turn,
  id: InvocationId,
  node: NodeInvocationId,
  no: number,
  chunk: Uint8Array,
): void {
  turn.put(treeTable, chunkKey(id, node, no), chunk);
}

/** How many node invocations of a node have streamed. */
export function streamCount(turn: Turn, id: InvocationId, node: string): number {
  const row = turn.get(treeTable, streamOrderKey(id, node));
  return row === undefined ? 0 : new ByteReader(row).u32();
}

/** A node invocation of `node` streams for the first time. */
export function addStream(
  turn: Turn,
  id: InvocationId,
  node: string,
  nodeInvocationId: NodeInvocationId,
): void {
  const no = streamCount(turn, id, node);
  const row = written((writer) => writeNodeId(writer, nodeInvocationId));
  turn.put(treeTable, streamOrderKey(id, node, no), row);
  const count = written((writer) => writer.u32(no + 1));
  turn.put(treeTable, streamOrderKey(id, node), count);
}

export function streamAt(turn: Turn, id: InvocationId, node: string, no: number): NodeInvocationId {
  const row = turn.get(treeTable, streamOrderKey(id, node, no));
  assert(row !== undefined, () => `stream ${no} of node "${node}" is missing`);
  return readNodeId(new ByteReader(row));
}
