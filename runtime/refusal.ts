// Refusal — an owner's error, thrown where its caller awaits.

import { type ErrorWire, fromWire } from "../base/error-wire.js";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { decodeValue } from "../store/value.js";
import { type Reply, status } from "./lane-encoding.js";

/**
 * The reply of a request, unless it is an error.
 * @throws PartitaError the owner's, made anew here: called in the async function that the user
 *   awaits, its stack names the line that called. What the owner saw is its cause.
 */
export function checked(reply: Reply): Reply {
  if (reply.status === status.error) refuse(reply.bytes);
  return reply;
}

/** Throws what `checked` throws for a reply of these bytes that is an error. */
export function refuse(bytes: Uint8Array): never {
  // cast: the owner's toWire made these bytes.
  const error = fromWire(decodeValue(bytes) as ErrorWire);
  assert(PartitaError.is(error), "an owner refuses with a PartitaError");
  // Made anew here: the stack is to name the line that called, the cause keeps what the owner saw.
  const { cause, message } = error;
  throw new PartitaError(
    error.code,
    error.details,
    cause === undefined ? { message } : { cause, message },
  );
}
