// Message bounds — how large what users send may be, so that every row that carries it fits.
//
// A row that does not fit cannot be refused any more when it arrives: nobody is there to be
// told. So messages and results are refused where they are given.
// Owns: the arithmetic. Leaves to others: what a row may take (the storage), refusing
// (active-node.ts, execution.ts).

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import { failureBytesMax } from "./failure.js";
import { failuresBytesMax } from "./failure-list.js";

/** In bytes of encoded values. */
export interface MessageBounds {
  /** A message, and all that one node invocation emits, with what a scatter returns. */
  readonly messageBytesMax: number;
  readonly resultBytesMax: number;
}

/** What surrounds a message in its row: two names, three ids, a key, lengths, what is carried. */
const runOverheadBytesMax: number =
  2 * limits.nameLengthMax + limits.keyBytesMax + limits.carriedBytesMax + 64;
/** What surrounds emits and a carry in the record of a node invocation: a name, ids, a trace. */
const nodeRecordOverheadBytesMax: number = limits.nameLengthMax + limits.nodeTraceBytesMax + 192;
const messageOverheadBytesMax: number = Math.max(runOverheadBytesMax, nodeRecordOverheadBytesMax);
/** What surrounds a result in its row: the failures, and as above. */
const recordOverheadBytesMax: number = failuresBytesMax + failureBytesMax + messageOverheadBytesMax;

assert(
  recordOverheadBytesMax + limits.errorTextBytesMax < limits.arenaBytesMin / 4,
  "a record without a result fits the smallest row",
);

/** The bounds where a row takes at most `rowBytesMax` bytes. */
export function messageBounds(rowBytesMax: number): MessageBounds {
  return {
    messageBytesMax: Math.min(limits.messageBytesMax, rowBytesMax - messageOverheadBytesMax),
    resultBytesMax: Math.min(limits.messageBytesMax, rowBytesMax - recordOverheadBytesMax),
  };
}

/** @throws PartitaError MESSAGE_TOO_LARGE */
export function assertFits(where: string, messageBytes: number, messageBytesMax: number): void {
  if (messageBytes <= messageBytesMax) return;
  throw new PartitaError("MESSAGE_TOO_LARGE", { where, messageBytes, messageBytesMax });
}
