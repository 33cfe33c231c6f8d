// Fork rows — what a home task keeps of a fork while its parent is copied, and of who is whose.
//
//   parent     the invocation it was made from; stays
//   fork       of a parent: its forks, numbered from 0; stays
//   job        how far the copy has come
//   change     by node invocation of the parent: what runs there instead
//   visit      by node invocation of the fork: one to be copied, and which one it is a copy of
//   run        by node invocation of the fork: the `run` message that is to be sent, and where to
//   scope      by scope of the fork: whose copy it is, and how many of its producers were looked at
//   producer   by node invocation of the parent that has given inputs: its copy
//   gather     by scope of the fork: all in it is copied, and its gather has not finished
//
// Owns: the layouts. Leaves to others: what is done with them (forks.ts, fork-copy.ts), keys
// (tree.ts).

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import type { Turn } from "../../runtime/task-program.js";
import type { InvocationId, NodeInvocationId } from "../wire/invocation-id.js";
import { readId, readNodeId, writeNodeId, written } from "../wire/wire-field.js";
import { forkJobKey, forkKey, treeTable } from "./tree.js";

/** What is copied first, what then, and that what is to run is sent last. */
export type ForkPhase = "walk" | "inputs" | "runs";

export interface ForkJob {
  readonly parent: InvocationId;
  readonly phase: ForkPhase;
  /** A copied node invocation has given a result: the parent's, if one of them has given that. */
  readonly result: Uint8Array | undefined;
  /** What all node invocations of the fork carry. */
  readonly carried: Uint8Array;
}

const phases: readonly ForkPhase[] = ["walk", "inputs", "runs"];

export function readJob(turn: Turn, id: InvocationId): ForkJob | undefined {
  const row = turn.get(treeTable, forkJobKey(id));
  if (row === undefined) return undefined;
  const reader = new ByteReader(row);
  const parent = readId(reader);
  const phase = phases[reader.u8()];
  assert(phase !== undefined, "a fork is in a phase that is not in the format");
  const result = reader.u8() === 1 ? reader.lengthPrefixed() : undefined;
  return { parent, phase, result, carried: reader.rest() };
}

export function writeJob(turn: Turn, id: InvocationId, job: ForkJob): void {
  const row = written((writer) => {
    writer.bytes(job.parent);
    writer.u8(phases.indexOf(job.phase));
    writer.u8(job.result === undefined ? 0 : 1);
    if (job.result !== undefined) writer.lengthPrefixed(job.result);
    writer.bytes(job.carried);
  });
  turn.put(treeTable, forkJobKey(id), row);
}

/** A pair of node invocations: of a visit, the one it is a copy of and the scope it is in. */
export function encodePair(one: NodeInvocationId, other: NodeInvocationId): Uint8Array {
  return written((writer) => {
    writeNodeId(writer, one);
    writeNodeId(writer, other);
  });
}

export function decodePair(bytes: Uint8Array): readonly [NodeInvocationId, NodeInvocationId] {
  const reader = new ByteReader(bytes);
  return [readNodeId(reader), readNodeId(reader)];
}

export function encodeRunRow(task: number, run: Uint8Array): Uint8Array {
  return written((writer) => {
    writer.u16(task);
    writer.bytes(run);
  });
}

export function decodeRunRow(bytes: Uint8Array): { task: number; run: Uint8Array } {
  const reader = new ByteReader(bytes);
  return { task: reader.u16(), run: reader.rest() };
}

export interface ScopeCopy {
  /** The scope of the parent. */
  readonly of: NodeInvocationId;
  /** Of its producers, those that were looked at. */
  readonly looked: number;
}

export function encodeScopeCopy({ of, looked }: ScopeCopy): Uint8Array {
  return written((writer) => {
    writeNodeId(writer, of);
    writer.u32(looked);
  });
}

export function decodeScopeCopy(bytes: Uint8Array): ScopeCopy {
  const reader = new ByteReader(bytes);
  return { of: readNodeId(reader), looked: reader.u32() };
}

/** The node invocation in a key of tree.ts that ends with it: big-endian, as keys are. */
export function lastIdOf(key: Uint8Array): NodeInvocationId {
  const view = new DataView(key.buffer, key.byteOffset + key.length - 8, 8);
  return { high: view.getUint32(0), low: view.getUint32(4) };
}

export function addFork(turn: Turn, parent: InvocationId, fork: InvocationId): void {
  const no = forkCount(turn, parent);
  turn.put(treeTable, forkKey(parent, no), fork);
  turn.put(
    treeTable,
    forkKey(parent),
    written((writer) => writer.u32(no + 1)),
  );
}

export function forksOf(turn: Turn, parent: InvocationId): readonly InvocationId[] {
  return Array.from({ length: forkCount(turn, parent) }, (_, no) => {
    const fork = turn.get(treeTable, forkKey(parent, no));
    assert(fork !== undefined, () => `fork ${no} of an invocation is missing`);
    return fork;
  });
}

function forkCount(turn: Turn, parent: InvocationId): number {
  const row = turn.get(treeTable, forkKey(parent));
  return row === undefined ? 0 : new ByteReader(row).u32();
}
