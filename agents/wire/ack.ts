// Ack — what the task of a node tells the home task when a node invocation has ended, which is
// also the record of it that the home task keeps.
//
//   ack      [kind][invocation 16][node invocation 8] and then the record
//   record   what the node was, its emits, how it ended (NodeRecord)
//
// Owns: these layouts. Leaves to others: what home does with them (home/), when an ack leaves
// (execution.ts, failed-nodes.ts), the meaning of a trace's bytes (its writer and its reader).
//
// Invariants:
//   A1. The record in an ack is its last part, byte for byte what is kept: home copies, and never
//       encodes it anew.
//   A2. Decoded bytes are views of what was decoded.

import { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { assert } from "../../base/invariant.js";
import {
  type InvocationId,
  invocationIdBytes,
  isZeroId,
  type NodeInvocationId,
  noScope,
  xorOf,
} from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import {
  noBytes,
  readId,
  readKey,
  readName,
  readNodeId,
  writeKey,
  writeName,
  writeNodeId,
  written,
} from "./wire-field.js";

/**
 * How a node invocation ended: with the result, with a failure (failure.ts), with none of these, or
 * not at all: it was stopped or given up, and its invocation does not wait for it any more.
 */
export type NodeEnd =
  | { readonly kind: "plain" }
  | { readonly kind: "result"; readonly value: Uint8Array }
  | {
      readonly kind: "failure";
      readonly error: Uint8Array;
      /** No other attempt could end in another way. */
      readonly final: boolean;
    }
  | { readonly kind: "unfinished" };

/** One emit of a node invocation that has ended. */
export interface EmitRecord {
  /** Of the node invocation that it started, or that it would have been. */
  readonly id: NodeInvocationId;
  readonly node: string;
  /** Where that runs; `undefined` for an input of the scope's gather, which starts nothing. */
  readonly task: number | undefined;
  readonly key: Uint8Array | undefined;
  readonly message: Uint8Array;
}

/** What is known of a node invocation that has ended. */
export interface NodeRecord {
  readonly node: string;
  /** The innermost scope that it was in: the node invocation of its scatter (`noScope`). */
  readonly scope: NodeInvocationId;
  /** The attempt of the invocation that it ended in. */
  readonly attempt: number;
  /** The task that it ran on. */
  readonly task: number;
  readonly end: NodeEnd;
  readonly emits: readonly EmitRecord[];
  /** Of a scatter: the gather that ends the scope it has opened. "" for other nodes. */
  readonly gather: string;
  /** What a scatter returned; no bytes for other nodes, and for `undefined`. */
  readonly carry: Uint8Array;
  /** When it ran and what it did: opaque here. */
  readonly trace: Uint8Array;
}

/** To the home task: a node invocation has ended. */
export interface AckMessage extends NodeRecord {
  readonly kind: "ack";
  readonly invocationId: InvocationId;
  readonly nodeInvocationId: NodeInvocationId;
}

const ends = { plain: 0, result: 1, failure: 2, unfinished: 3 } as const;
/** Stands for the task of an input: no task has this number. */
const inputTask = 0xffff;
/** Which parts of a record are there; the others are zero or empty. */
const parts = { scope: 1, attempt: 2, gather: 4, carry: 8 } as const;
const headerBytes = 1 + invocationIdBytes + 8;

export function encodeAck(message: AckMessage): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds.ack);
    writer.bytes(message.invocationId);
    writeNodeId(writer, message.nodeInvocationId);
    writeRecord(writer, message);
  });
}

/** What `recordBytesOf` an ack would give (A1). */
export function encodeNodeRecord(record: NodeRecord): Uint8Array {
  return written((writer) => writeRecord(writer, record));
}

/** An ack whose kind, the first byte, is read. */
export function readAck(reader: ByteReader): AckMessage {
  const invocationId = readId(reader);
  const nodeInvocationId = readNodeId(reader);
  // The spread first: that is how the engine copies all of it at once.
  return { ...readRecord(reader), kind: "ack", invocationId, nodeInvocationId };
}

/** The bytes of the record in an ack (A1). */
export function recordBytesOf(ack: Uint8Array): Uint8Array {
  return ack.subarray(headerBytes);
}

export function decodeNodeRecord(bytes: Uint8Array): NodeRecord {
  return readRecord(new ByteReader(bytes));
}

/** The xor of the ids of all node invocations that the emits have started. */
export function startedOf(emits: readonly EmitRecord[]): NodeInvocationId {
  let xor = noScope;
  for (const { id, task } of emits) if (task !== undefined) xor = xorOf(xor, id);
  return xor;
}

/** Whether a node invocation that ended like this has done what it is there for. */
export function isDone(end: NodeEnd): boolean {
  return end.kind === "plain" || end.kind === "result";
}

function writeEnd(writer: ByteWriter, end: NodeEnd): void {
  writer.u8(ends[end.kind]);
  if (end.kind === "result") writer.lengthPrefixed(end.value);
  if (end.kind !== "failure") return;
  writer.u8(end.final ? 1 : 0);
  writer.lengthPrefixed(end.error);
}

function readEnd(reader: ByteReader): NodeEnd {
  const kind = reader.u8();
  if (kind === ends.plain) return { kind: "plain" };
  if (kind === ends.result) return { kind: "result", value: reader.lengthPrefixed() };
  if (kind === ends.unfinished) return { kind: "unfinished" };
  assert(kind === ends.failure, () => `node end ${kind} is not in the protocol`);
  return { kind: "failure", final: reader.u8() === 1, error: reader.lengthPrefixed() };
}

function writeRecord(writer: ByteWriter, record: NodeRecord): void {
  const { scope, attempt, gather, carry } = record;
  const hasScope = !isZeroId(scope);
  writer.u8(
    (hasScope ? parts.scope : 0) |
      (attempt > 0 ? parts.attempt : 0) |
      (gather === "" ? 0 : parts.gather) |
      (carry.length > 0 ? parts.carry : 0),
  );
  writeName(writer, record.node);
  if (hasScope) writeNodeId(writer, scope);
  if (attempt > 0) writer.u32(attempt);
  writer.u16(record.task);
  writeEnd(writer, record.end);
  writeEmits(writer, record.emits);
  if (gather !== "") writeName(writer, gather);
  if (carry.length > 0) writer.lengthPrefixed(carry);
  writer.bytes(record.trace);
}

function readRecord(reader: ByteReader): NodeRecord {
  const there = reader.u8();
  return {
    node: readName(reader),
    scope: there & parts.scope ? readNodeId(reader) : noScope,
    attempt: there & parts.attempt ? reader.u32() : 0,
    task: reader.u16(),
    end: readEnd(reader),
    emits: readEmits(reader),
    gather: there & parts.gather ? readName(reader) : "",
    carry: there & parts.carry ? reader.lengthPrefixed() : noBytes,
    trace: reader.rest(),
  };
}

function writeEmits(writer: ByteWriter, emits: readonly EmitRecord[]): void {
  writer.u32(emits.length);
  for (const { id, node, task, key, message } of emits) {
    writeNodeId(writer, id);
    writeName(writer, node);
    writer.u16(task ?? inputTask);
    writeKey(writer, key);
    writer.lengthPrefixed(message);
  }
}

function readEmits(reader: ByteReader): EmitRecord[] {
  const count = reader.u32();
  const emits: EmitRecord[] = [];
  for (let left = count; left > 0; left -= 1) {
    const id = readNodeId(reader);
    const node = readName(reader);
    const task = reader.u16();
    const key = readKey(reader);
    const message = reader.lengthPrefixed();
    emits.push({ id, node, task: task === inputTask ? undefined : task, key, message });
  }
  return emits;
}
