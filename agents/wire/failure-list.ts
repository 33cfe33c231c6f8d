// Failure list — the failures that a row keeps, oldest first, and the number of those it has no
// room for.
//
// Owns: the bounds and what is dropped. Leaves to others: a failure's bytes (failure.ts), the rows
// (invocation-record.ts, node-queue.ts, dead-letters.ts).
//
// Invariants:
//   L1. A list takes at most `failuresMax` failures of about `failuresBytesMax` bytes in all.
//   L2. The first failure stays: it says what began. Those in between go first.

import type { ByteReader } from "../../base/byte-reader.js";
import type { ByteWriter } from "../../base/byte-writer.js";
import { readList, writeList } from "./wire-field.js";

/** Failures that a row keeps: enough to see what went wrong, and it stays small. */
export const failuresMax = 64;
/** Bytes of those failures, after the first, which is always kept. */
export const failuresBytesMax: number = 64 * 1024;

export interface FailureList {
  /** failure.ts has their bytes; oldest first. */
  readonly failures: readonly Uint8Array[];
  /** Failures there was no room for (L1). */
  readonly failuresLost: number;
}

export const noFailures: FailureList = { failures: [], failuresLost: 0 };

/** The list with one more failure as its newest; those before it make room (L2). */
export function withNewest(list: FailureList, failure: Uint8Array): FailureList {
  const kept = [...list.failures];
  while (kept.length > 1 && !fits(kept, failure)) kept.pop();
  // The first one may be all there is room for.
  if (kept.length === 1 && !fits(kept, failure)) {
    return { failures: kept, failuresLost: list.failures.length - 1 + list.failuresLost + 1 };
  }
  const failuresLost = list.failuresLost + list.failures.length - kept.length;
  return { failures: [...kept, failure], failuresLost };
}

/** The list with one more failure if there is room, and with one more counted if not. */
export function withLate(list: FailureList, failure: Uint8Array): FailureList {
  const { failures, failuresLost } = list;
  if (fits(failures, failure)) return { failures: [...failures, failure], failuresLost };
  return { failures, failuresLost: failuresLost + 1 };
}

export function writeFailures(writer: ByteWriter, list: FailureList): void {
  writer.u32(list.failuresLost);
  writeList(writer, list.failures);
}

/** What it returns are views of the reader's bytes. */
export function readFailures(reader: ByteReader): FailureList {
  const failuresLost = reader.u32();
  return { failures: readList(reader), failuresLost };
}

function fits(kept: readonly Uint8Array[], failure: Uint8Array): boolean {
  if (kept.length === 0) return true;
  const keptBytes = kept.reduce((sum, { length }) => sum + length, 0);
  return kept.length < failuresMax && keptBytes + failure.length <= failuresBytesMax;
}
