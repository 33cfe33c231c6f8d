// Trace messages — what a client asks of the home task about node invocations, and what it is told.
//
// Owns: their layouts. Leaves to others: all other messages (message.ts), what home looks up
// (home/traces.ts), the walk over the tree (client/trace-client.ts).
// Invariant M1 of message.ts.

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import { type FailureList, readFailures, writeFailures } from "./failure-list.js";
import type { InvocationId, NodeInvocationId } from "./invocation-id.js";
import { messageKinds } from "./message-kinds.js";
import {
  readId,
  readList,
  readName,
  readNodeId,
  writeList,
  writeName,
  writeNodeId,
  written,
} from "./wire-field.js";

/** A node invocation that is asked for. */
export interface AskedNode {
  /** `noScope` for the root, which is another one after an update has restarted the invocation. */
  readonly id: NodeInvocationId;
  /** Of a gather: the scope that it ends; `noScope` for all others. */
  readonly gathered: NodeInvocationId;
}

/** Client to the home task: what is known of these? Replied to with a TracePage. */
export interface TraceMessage {
  readonly kind: "trace";
  readonly agent: string;
  readonly invocationId: InvocationId;
  readonly nodes: readonly AskedNode[];
}

/** What is known of one of them. */
export interface KnownNode {
  /** Its record (ack.ts); no bytes while it has not finished. */
  readonly record: Uint8Array;
  /** The `run` message, of one that nothing has emitted: the entry, a gather. Else no bytes. */
  readonly origin: Uint8Array;
  /** Traces of runs that failed, in the order of their attempts (node-trace.ts). */
  readonly failed: readonly Uint8Array[];
  /** Of a gather: how many inputs have come. */
  readonly inputCount: number;
  /** And the first of them. */
  readonly inputs: readonly Uint8Array[];
}

/** Of the first of the nodes asked for, in their order: as many as fit, at least one. */
export interface TracePage {
  readonly nodes: readonly KnownNode[];
  readonly root: NodeInvocationId;
  /** Of the invocation, when the first of the nodes is its root; else none. */
  readonly failed: FailureList;
}

export function encodeTraceMessage({ agent, invocationId, nodes }: TraceMessage): Uint8Array {
  return written((writer) => {
    writer.u8(messageKinds.trace);
    writeName(writer, agent);
    writer.bytes(invocationId);
    writer.u32(nodes.length);
    for (const { id, gathered } of nodes) {
      writeNodeId(writer, id);
      writeNodeId(writer, gathered);
    }
  });
}

/** A message whose kind, the first byte, is read. */
export function readTraceMessage(reader: ByteReader): TraceMessage {
  const agent = readName(reader);
  const invocationId = readId(reader);
  const count = reader.u32();
  const nodes = Array.from({ length: count }, () => {
    return { id: readNodeId(reader), gathered: readNodeId(reader) };
  });
  return { kind: "trace", agent, invocationId, nodes };
}

export function encodeTracePage({ nodes, root, failed: all }: TracePage): Uint8Array {
  return written((writer) => {
    writer.u32(nodes.length);
    for (const { record, origin, failed, inputCount, inputs } of nodes) {
      writer.lengthPrefixed(record);
      writer.lengthPrefixed(origin);
      writeList(writer, failed);
      writer.uint64(inputCount);
      writeList(writer, inputs);
    }
    writeNodeId(writer, root);
    writeFailures(writer, all);
  });
}

/** What it returns are views of `bytes`. */
export function decodeTracePage(bytes: Uint8Array): TracePage {
  const reader = new ByteReader(bytes);
  const count = reader.u32();
  const nodes = Array.from({ length: count }, () => ({
    record: reader.lengthPrefixed(),
    origin: reader.lengthPrefixed(),
    failed: readList(reader),
    inputCount: reader.uint64(),
    inputs: readList(reader),
  }));
  const root = readNodeId(reader);
  const failed = readFailures(reader);
  assert(reader.done, "a page of a trace has bytes behind its end");
  return { nodes, root, failed };
}
