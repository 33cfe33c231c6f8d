// Invocation record — the durable row of an invocation on its home task.
//
// Owns: what the row holds, its layout, and which failures it has room for. Leaves to others:
// when it changes (execution.ts) and when it is deleted (retention.ts).
//
// Invariants:
//   I1. `outstanding` is the xor of the ids of all node invocations that were started and have not
//       ended, as far as the home task was told: zero means that all have ended.
//   I2. A record is ended once: from then on only its list of failures grows.
//   I3. A row is bounded: at most `failuresMax` failures of about `failuresBytesMax` bytes; of
//       those beyond, only the number is kept.

import { ByteReader } from "../base/byte-reader.js";
import { assert } from "../base/invariant.js";
import type { NodeInvocationId } from "./invocation-id.js";
import type { Outcome } from "./outcome.js";
import {
  readList,
  readName,
  readNodeId,
  readText,
  writeList,
  writeName,
  writeNodeId,
  writeText,
  written,
} from "./wire-field.js";

/** Table of these rows; the key is the invocation's id. Part of the on-disk format. */
export const invocationTable = 8;

/** Failures that a record keeps: enough to see what went wrong, and a row stays small. */
export const failuresMax = 64;
/** Bytes of those failures, after the first, which is always kept. */
export const failuresBytesMax: number = 64 * 1024;

/** How far an invocation has come. */
export type InvocationState =
  | { readonly kind: "pending" }
  | { readonly kind: "result"; readonly value: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string; readonly failuresThen: number };

export interface InvocationRecord {
  readonly agent: string;
  /** Which of this task's invocations it is, counted in the order they began. */
  readonly createdNo: number;
  readonly outstanding: NodeInvocationId;
  /** failure.ts has their bytes; oldest first. */
  readonly failures: readonly Uint8Array[];
  /** Failures there was no room for (I3). */
  readonly failuresLost: number;
  readonly state: InvocationState;
}

const states = { pending: 0, result: 1, failed: 2 } as const;

export function encodeRecord(record: InvocationRecord): Uint8Array {
  const { state } = record;
  return written((writer) => {
    writer.u8(states[state.kind]);
    writer.uint64(record.createdNo);
    writeName(writer, record.agent);
    writeNodeId(writer, record.outstanding);
    writer.u32(record.failuresLost);
    writeList(writer, record.failures);
    if (state.kind === "result") writer.bytes(state.value);
    if (state.kind === "failed") {
      writer.u32(state.failuresThen);
      writeText(writer, state.reason);
    }
  });
}

/** What it returns are views of `bytes`. */
export function decodeRecord(bytes: Uint8Array): InvocationRecord {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  return {
    createdNo: reader.uint64(),
    agent: readName(reader),
    outstanding: readNodeId(reader),
    failuresLost: reader.u32(),
    failures: readList(reader),
    state: readState(kind, reader),
  };
}

/** Whether the invocation of a row has ended: as `decodeRecord`, without reading the rest. */
export function hasEnded(bytes: Uint8Array): boolean {
  return bytes[0] !== states.pending;
}

/** The record with one more failure, or with one more counted (I3). */
export function withFailure(record: InvocationRecord, failure: Uint8Array): InvocationRecord {
  const { failures } = record;
  const keptBytes = failures.reduce((sum, kept) => sum + kept.length, 0);
  const fits = failures.length < failuresMax && keptBytes + failure.length <= failuresBytesMax;
  if (failures.length === 0 || fits) return { ...record, failures: [...failures, failure] };
  return { ...record, failuresLost: record.failuresLost + 1 };
}

/** How the invocation of a record ended; `undefined` while it is pending. */
export function outcomeOf(record: InvocationRecord): Outcome | undefined {
  const { state, failures } = record;
  switch (state.kind) {
    case "pending":
      return undefined;
    case "result":
      return state;
    case "failed":
      return { ...state, failures };
  }
}

function readState(kind: number, reader: ByteReader): InvocationState {
  if (kind === states.pending) return { kind: "pending" };
  if (kind === states.result) return { kind: "result", value: reader.rest() };
  assert(kind === states.failed, () => `invocation state ${kind} is not in the format`);
  return { kind: "failed", failuresThen: reader.u32(), reason: readText(reader) };
}
