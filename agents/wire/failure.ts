// Failure — what a node function threw, as an invocation's record keeps it and its client gets it.
//
// Owns: the bytes of a failure and the text that names it. Leaves to others: errors as plain data
// (base/error-wire.ts), the list of failures (invocation-record.ts).
//
// Invariant F1. `encodeFailure` never throws, whatever was thrown, and its bytes are at most
// `failureBytesMax`: an error that does not fit loses its causes and details, then the end of its
// texts.

import type { InvocationFailureDetails } from "../../base/error-codes.js";
import { type ErrorWire, fromWire, toWire } from "../../base/error-wire.js";
import { PartitaError } from "../../base/errors.js";
import { cutText } from "../../base/text.js";
import { decodeValue, encodeValue } from "../../store/value.js";

/** One failure: a frame holds several with everything else that a message brings about. */
export const failureBytesMax: number = 32 * 1024;

/** A text of a failure that had to be cut down. */
const cutTextBytesMax = 8 * 1024;

/** One failure of an invocation. */
export interface Failure {
  readonly node: string;
  /** Text form: sixteen hex digits. */
  readonly nodeInvocationId: string;
  /** The retry number of the invocation: 0 for its first attempt. */
  readonly attempt: number;
  readonly error: ErrorWire;
}

/** The bytes of a failure of `node`, with what was thrown (F1). */
export function encodeFailure(failure: Omit<Failure, "error">, thrown: unknown): Uint8Array {
  const error = toWire(thrown);
  const bytes = encodeIfSmall({ ...failure, error });
  if (bytes !== undefined) return bytes;
  // Without its code it is a plain error: details that were cut would no longer fit the code.
  const cut: ErrorWire = {
    name: cutText(error.name, cutTextBytesMax),
    message: cutText(error.message, cutTextBytesMax),
    stack: cutText(error.stack, cutTextBytesMax),
    code: null,
    details: null,
    cause: null,
  };
  return encodeValue({ ...failure, error: cut }, "failure");
}

/** `undefined` when it takes too many bytes, or more than a value can have. */
function encodeIfSmall(failure: Failure): Uint8Array | undefined {
  try {
    const bytes = encodeValue(failure, "failure");
    return bytes.length <= failureBytesMax ? bytes : undefined;
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    return undefined;
  }
}

export function decodeFailure(bytes: Uint8Array): Failure {
  // cast: only `encodeFailure` makes these bytes
  return decodeValue(bytes) as Failure;
}

/** The error that was thrown, as the client's `cause`. */
export function errorOf(failure: Failure): Error {
  return fromWire(failure.error);
}

/** A failure as `details.failures` of INVOCATION_FAILED shows it. */
export function failureDetails(failure: Failure): InvocationFailureDetails {
  const { node, attempt, error } = failure;
  return { node, attempt, message: error.message, stack: error.stack };
}

/** Why a node invocation that `last` ended, and with it its invocation, has failed. */
export function nodeFailureText(last: Failure): string {
  return failureText(`Node "${last.node}" failed`, last);
}

/** Why an invocation failed: `<reason> (last failure: <first line of the last error>)`. */
export function failureText(reason: string, last: Failure | undefined): string {
  if (last === undefined) return reason;
  const { message, name } = last.error;
  const line = message === "" ? name : message.split("\n", 1).join();
  return `${reason} (last failure: ${line})`;
}
