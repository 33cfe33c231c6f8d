// Tree — the rows that a home task keeps of an invocation beside its record: one table, one prefix
// for each invocation.
//
//   [invocation 16][01][node invocation 8]   what is known of one that has finished (wire/ack.ts)
//   [invocation 16][02][scope 8]             a scope (scope-record.ts)
//   [invocation 16][03][scope 8][number 4]   who gave inputs to it, in the order of arrival: an id
//   [invocation 16][05][node invocation 8]   the chunks of one: stream-rows.ts has it
//   [invocation 16][06][node invocation 8][number 4]   a chunk
//   [invocation 16][07][number 4]            its forks (fork-rows.ts has these, and 13 to 20)
//   [invocation 16][08]                      its metadata, once it was changed (metadata.ts)
//   [invocation 16][09][node invocation 8]   the `run` message of one that home has sent:
//                                            the entry, a gather, one that was lost
//   [invocation 16][10][node name]…          which node invocations of a node have streamed
//   [invocation 16][11][node invocation 8][attempt 4]   what a run did that failed (traces.ts)
//   [invocation 16][12][node invocation 8]   one that was given up: 0, or 1 when it runs again
//
// Owns: the keys. Leaves to others: what the rows hold, what a record keeps instead of a row
// (parts.ts), finding all rows of a tree that is to be forgotten (small-tree.ts, leaving-trees.ts).
//
// Invariants:
//   T1. Every row of an invocation begins with its id: whoever adds a kind of row lets `smallTree`
//       find it, and `treeRange` has it.
//   T2. Rows that home alone decides on are written fresh. Not so the record of a node invocation:
//       behind a power cut in a weak mode one may finish a second time.

import type { KeyRange } from "../../store/storage.js";
import {
  type InvocationId,
  invocationIdBytes,
  type NodeInvocationId,
  putNodeId,
  putU32,
} from "../wire/invocation-id.js";
import { writeName, written } from "../wire/wire-field.js";

/** Table of these rows. Part of the on-disk format. */
export const treeTable = 11;

const kinds = {
  leaving: 0,
  node: 1,
  scope: 2,
  input: 3,
  streamHead: 5,
  chunk: 6,
  metadata: 8,
  origin: 9,
  streamOrder: 10,
  failedRun: 11,
  givenUp: 12,
  fork: 7,
  forkParent: 20,
  forkJob: 13,
  forkVisit: 14,
  forkChange: 15,
  forkRun: 16,
  forkScope: 17,
  forkProducer: 18,
  forkGather: 19,
} as const;

/** What the row of a node invocation says that was given up. */
export const givenUp = { waits: 0, runs: 1 } as const;

/** Of the record of a node invocation that has finished. */
export function nodeKey(of: InvocationId, node: NodeInvocationId): Uint8Array {
  return keyOf(of, kinds.node, node);
}

export function scopeKey(of: InvocationId, scope: NodeInvocationId): Uint8Array {
  return keyOf(of, kinds.scope, scope);
}

/** Of the `no`-th node invocation that has given inputs to a scope, from 0. */
export function inputKey(of: InvocationId, scope: NodeInvocationId, no: number): Uint8Array {
  return keyOf(of, kinds.input, scope, no);
}

/** Of the `run` message of a node invocation that home itself has sent. */
export function originKey(of: InvocationId, node: NodeInvocationId): Uint8Array {
  return keyOf(of, kinds.origin, node);
}

/** Of the list of a node invocation's chunks. */
export function streamHeadKey(of: InvocationId, node: NodeInvocationId): Uint8Array {
  return keyOf(of, kinds.streamHead, node);
}

export function chunkKey(of: InvocationId, node: NodeInvocationId, no: number): Uint8Array {
  return keyOf(of, kinds.chunk, node, no);
}

/** Of the trace of a run that failed. */
export function failedRunKey(
  of: InvocationId,
  node: NodeInvocationId,
  attempt: number,
): Uint8Array {
  return keyOf(of, kinds.failedRun, node, attempt);
}

/** Of the `no`-th node invocation of a node that has streamed; without `no`, of their number. */
export function streamOrderKey(of: InvocationId, node: string, no?: number): Uint8Array {
  return written((writer) => {
    writer.bytes(of);
    writer.u8(kinds.streamOrder);
    writeName(writer, node);
    if (no !== undefined) writer.u32(no);
  });
}

/** Says that nothing waits for a node invocation any more, or that it runs again (`givenUp`). */
export function givenUpKey(of: InvocationId, node: NodeInvocationId): Uint8Array {
  return keyOf(of, kinds.givenUp, node);
}

/** Parts of a fork that a node invocation names: of the fork, or of its parent (fork-rows.ts). */
type ForkPart = "visit" | "change" | "run" | "scope" | "producer" | "gather";

const forkKinds: Readonly<Record<ForkPart, number>> = {
  visit: kinds.forkVisit,
  change: kinds.forkChange,
  run: kinds.forkRun,
  scope: kinds.forkScope,
  producer: kinds.forkProducer,
  gather: kinds.forkGather,
};

export function forkPartKey(of: InvocationId, part: ForkPart, node: NodeInvocationId): Uint8Array {
  return keyOf(of, forkKinds[part], node);
}

/** All keys of one such part. */
export function forkPartRange(of: InvocationId, part: ForkPart): KeyRange {
  return { from: singleKey(of, forkKinds[part]), to: singleKey(of, forkKinds[part] + 1) };
}

/** Of what a fork was made from. */
export function forkParentKey(of: InvocationId): Uint8Array {
  return singleKey(of, kinds.forkParent);
}

/** Of how far the copy has come. */
export function forkJobKey(of: InvocationId): Uint8Array {
  return singleKey(of, kinds.forkJob);
}

/** Of the `no`-th fork of an invocation; without `no`, of their number. */
export function forkKey(of: InvocationId, no?: number): Uint8Array {
  return written((writer) => {
    writer.bytes(of);
    writer.u8(kinds.fork);
    if (no !== undefined) writer.u32(no);
  });
}

/** Says that the rows of a tree are being deleted: some may be gone. */
export function leavingKey(of: InvocationId): Uint8Array {
  return singleKey(of, kinds.leaving);
}

export function metadataKey(of: InvocationId): Uint8Array {
  return singleKey(of, kinds.metadata);
}

/** All rows of an invocation, but for the one that says that they are being deleted. */
export function treeRange(of: InvocationId): KeyRange {
  const from = leavingKey(of);
  from[invocationIdBytes] = kinds.leaving + 1;
  const to = leavingKey(of);
  to[invocationIdBytes] = 0xff;
  return { from, to };
}

/** Of a row of which an invocation has one. */
function singleKey(of: InvocationId, kind: number): Uint8Array {
  const key = new Uint8Array(invocationIdBytes + 1);
  key.set(of);
  key[invocationIdBytes] = kind;
  return key;
}

function keyOf(
  of: InvocationId,
  kind: number,
  node: NodeInvocationId,
  no: number | undefined = undefined,
): Uint8Array {
  const key = new Uint8Array(invocationIdBytes + 1 + 8 + (no === undefined ? 0 : 4));
  key.set(of);
  key[invocationIdBytes] = kind;
  putNodeId(key, invocationIdBytes + 1, node);
  if (no !== undefined) putU32(key, invocationIdBytes + 9, no);
  return key;
}
