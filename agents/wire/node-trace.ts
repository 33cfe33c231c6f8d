// Node trace — when one run of a node began and ended, and what it did meanwhile, in bytes.
//
//   [started ms u64][duration ms u32][lost u32][count u16], then for each operation
//   [type u8][started ms after the run's start u32][duration ms u32][info length u32][info]
//
// Owns: this layout. Leaves to others: gathering it (node/trace-recorder.ts), where it is kept (the
// record of a node invocation: ack.ts), showing it (client/trace-client.ts).

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import { written } from "./wire-field.js";

/** What a nested operation was. */
export type OperationType = (typeof operationTypes)[number];

/** In the order of their numbers on the wire. */
export const operationTypes = [
  "store-read",
  "store-write",
  "model-call",
  "agent-call",
  "human-input",
  "tool-call",
  "compute",
  "other",
] as const;

export interface OperationTrace {
  readonly type: OperationType;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly finishedMs: number;
  /** A value, in bytes: what it was about. */
  readonly info: Uint8Array;
}

export interface NodeTimes {
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly operations: readonly OperationTrace[];
  /** Operations that there was no room for. */
  readonly operationsLost: number;
}

/** What an operation takes beside its info. */
export const operationOverheadBytes = 13;
const u32Max = 0xffff_ffff;

export function encodeTrace(trace: NodeTimes): Uint8Array {
  const { startedMs, operations } = trace;
  return written((writer) => {
    writer.uint64(startedMs);
    writer.u32(durationOf(trace));
    writer.u32(trace.operationsLost);
    writer.u16(operations.length);
    for (const operation of operations) {
      writer.u8(operationTypes.indexOf(operation.type));
      // A clock may be set back.
      writer.u32(Math.min(u32Max, Math.max(0, operation.startedMs - startedMs)));
      writer.u32(durationOf(operation));
      writer.lengthPrefixed(operation.info);
    }
  });
}

/** `undefined` for no bytes: nothing ran. */
export function decodeTrace(bytes: Uint8Array): NodeTimes | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new ByteReader(bytes);
  const startedMs = reader.uint64();
  const finishedMs = startedMs + reader.u32();
  const operationsLost = reader.u32();
  const count = reader.u16();
  const operations = Array.from({ length: count }, () => {
    const type = operationTypes[reader.u8()];
    assert(type !== undefined, "a trace has an operation of a type that is not in the format");
    const started = startedMs + reader.u32();
    const finished = started + reader.u32();
    return { type, startedMs: started, finishedMs: finished, info: reader.lengthPrefixed() };
  });
  return { startedMs, finishedMs, operations, operationsLost };
}

function durationOf(of: { readonly startedMs: number; readonly finishedMs: number }): number {
  return Math.min(u32Max, Math.max(0, of.finishedMs - of.startedMs));
}
