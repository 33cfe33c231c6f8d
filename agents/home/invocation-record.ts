// Invocation record — the durable row of an invocation on its home task.
//
// Owns: what the row holds, its layout, and which failures it has room for. Leaves to others:
// when it changes (execution.ts) and when it is deleted (retention.ts).
//
// Invariants:
//   I1. `outstanding` is the xor of the ids of what was started and has not ended, as far as the
//       home task was told: node invocations outside of all scopes, and what stands for those
//       within (scopes.ts). Zero means that all have ended.
//   I2. A record is ended once: from then on its account goes on, and its list of failures grows.
//   I3. A row is bounded: of failures that its list (failure-list.ts) has no room for, only the
//       number is kept. While the invocation is pending the newest failure finds room; afterwards
//       no failure that was there when it failed goes.

import { ByteReader } from "../../base/byte-reader.js";
import { assert } from "../../base/invariant.js";
import {
  type FailureList,
  readFailures,
  withLate,
  withNewest,
  writeFailures,
} from "../wire/failure-list.js";
import { isZeroId, type NodeInvocationId } from "../wire/invocation-id.js";
import type { Outcome } from "../wire/outcome.js";
import {
  readName,
  readNodeId,
  readText,
  writeName,
  writeNodeId,
  writeText,
  written,
} from "../wire/wire-field.js";

/** Table of these rows; the key is the invocation's id. Part of the on-disk format. */
export const invocationTable = 8;

/** How far an invocation has come. */
export type InvocationState =
  | { readonly kind: "pending" }
  | { readonly kind: "result"; readonly value: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string; readonly failuresThen: number }
  | { readonly kind: "cancelled" };

export interface InvocationRecord extends FailureList {
  readonly agent: string;
  /** Its place in the order in which this task forgets them (retention.ts); 0 until it is over. */
  readonly placeNo: number;
  readonly outstanding: NodeInvocationId;
  /** What of its tree is kept here (parts.ts). */
  readonly parts: Uint8Array;
  /** Its tree has rows beside this one, to which its node invocations lead. */
  readonly isSpread: boolean;
  /** Its tree has rows that its node invocations do not lead to (tree.ts). */
  readonly extras: boolean;
  /** It is a fork, and what it has of its parent is still being copied (forks.ts). */
  readonly copying: boolean;
  readonly state: InvocationState;
  /** The attempt that counts: 0 at first. */
  readonly attempt: number;
  /** Retries that it has had, of those that its agent allows. */
  readonly retries: number;
  /** Nodes wait for its outcome (desk-rows.ts). */
  readonly isAwaited: boolean;
  /** Tasks may have fences of it (node/fences.ts). */
  readonly isFenced: boolean;
  /** Why what runs of it is to stop; `undefined` when it is not. */
  readonly stop: Stop | undefined;
  /** The version of its agent's graph in which the attempt began (graph-versions.ts). */
  readonly version: number;
  /** The attempt in which it began from its root: 0, unless an update has restarted it. */
  readonly rootAttempt: number;
}

/** It was cancelled; or its graph has changed, and it begins again or has failed with that. */
export type Stop = "cancel" | "restart" | "drop";

/** What differs between invocations that begin. */
export type FirstFields = Pick<
  InvocationRecord,
  "agent" | "outstanding" | "parts" | "isSpread" | "extras" | "copying"
>;

/** Of an invocation that begins, in a version of its agent's graph. */
export function firstRecord(given: FirstFields, version: number): InvocationRecord {
  const { agent, outstanding, parts, isSpread, extras, copying } = given;
  return {
    outstanding,
    parts,
    isSpread,
    extras,
    copying,
    placeNo: 0,
    agent,
    attempt: 0,
    retries: 0,
    isAwaited: false,
    isFenced: false,
    stop: undefined,
    version,
    rootAttempt: 0,
    failures: [],
    failuresLost: 0,
    state: { kind: "pending" },
  };
}

const lengthBytes = 4;
const states = { pending: 0, result: 1, failed: 2, cancelled: 3 } as const;
const stops = [undefined, "cancel", "restart", "drop"] as const;

export function encodeRecord(record: InvocationRecord): Uint8Array {
  const { state } = record;
  return written((writer) => {
    writer.u8(states[state.kind]);
    writeNodeId(writer, record.outstanding);
    writer.u8(record.isSpread ? 1 : 0);
    writer.u8(record.extras ? 1 : 0);
    writer.u8(record.copying ? 1 : 0);
    writer.uint64(record.placeNo);
    writeName(writer, record.agent);
    writer.u32(record.attempt);
    writer.u32(record.retries);
    writer.u8(record.isAwaited ? 1 : 0);
    writer.u8(record.isFenced ? 1 : 0);
    writer.u8(stops.indexOf(record.stop));
    writer.u32(record.version);
    writer.u32(record.rootAttempt);
    writeFailures(writer, record);
    if (state.kind === "result") writer.lengthPrefixed(state.value);
    if (state.kind === "failed") {
      writer.u32(state.failuresThen);
      writeText(writer, state.reason);
    }
    writer.bytes(record.parts);
    writer.u32(record.parts.length);
  });
}

/** What it returns are views of `bytes`. */
export function decodeRecord(bytes: Uint8Array): InvocationRecord {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  return {
    outstanding: readNodeId(reader),
    isSpread: reader.u8() === 1,
    extras: reader.u8() === 1,
    copying: reader.u8() === 1,
    placeNo: reader.uint64(),
    agent: readName(reader),
    attempt: reader.u32(),
    retries: reader.u32(),
    isAwaited: reader.u8() === 1,
    isFenced: reader.u8() === 1,
    stop: readStop(reader),
    version: reader.u32(),
    rootAttempt: reader.u32(),
    ...readFailures(reader),
    state: readState(kind, reader),
    parts: partsOf(bytes),
  };
}

/** The parts in a row of which nothing else is read: they come last, their length behind them. */
export function partsOf(row: Uint8Array): Uint8Array {
  const end = row.length - lengthBytes;
  return row.subarray(end - new ByteReader(row, end).u32(), end);
}

/**
 * Whether the invocation of a row has ended and nothing of it runs any more: as `decodeRecord` says
 * it, without reading the rest.
 */
export function isOver(bytes: Uint8Array): boolean {
  const reader = new ByteReader(bytes);
  return reader.u8() !== states.pending && isZeroId(readNodeId(reader));
}

/** What of a row says whether and how it may be forgotten, as `decodeRecord` says it. */
export function placeOf(
  bytes: Uint8Array,
): Pick<InvocationRecord, "isSpread" | "extras" | "placeNo"> {
  const reader = new ByteReader(bytes);
  reader.skip(1 + 8);
  const isSpread = reader.u8() === 1;
  const extras = reader.u8() === 1;
  reader.skip(1);
  return { isSpread, extras, placeNo: reader.uint64() };
}

/** The record with one more failure, or with one more counted (I3). */
export function withFailure(record: InvocationRecord, failure: Uint8Array): InvocationRecord {
  const isPending = record.state.kind === "pending";
  return { ...record, ...(isPending ? withNewest(record, failure) : withLate(record, failure)) };
}

/** How the invocation of a record ended; `undefined` while it is pending. */
export function outcomeOf(record: InvocationRecord): Outcome | undefined {
  const { state, failures, failuresLost } = record;
  switch (state.kind) {
    case "pending":
      return undefined;
    case "result":
    case "cancelled":
      return state;
    case "failed":
      return { ...state, failures, failuresLost };
  }
}

function readState(kind: number, reader: ByteReader): InvocationState {
  if (kind === states.pending) return { kind: "pending" };
  if (kind === states.result) return { kind: "result", value: reader.lengthPrefixed() };
  if (kind === states.cancelled) return { kind: "cancelled" };
  assert(kind === states.failed, () => `invocation state ${kind} is not in the format`);
  return { kind: "failed", failuresThen: reader.u32(), reason: readText(reader) };
}

function readStop(reader: ByteReader): Stop | undefined {
  const stop = reader.u8();
  assert(stop < stops.length, () => `reason ${stop} of a stop is not in the format`);
  return stops[stop];
}
