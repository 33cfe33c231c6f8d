// Error wire — an error as plain data, and back, so that it is the same after a hop.
//
// Used between threads and for the failures that are kept on disk. Owns: the wire form and its
// bounds. Leaves to others: its bytes (store/value.ts encodes the wire form like any value).
//
// Invariants:
//   X1. `toWire` never throws, whatever it is given, and its result is plain, bounded, well-formed
//       data: at most `errorCauseDepthMax` errors, texts of at most `errorTextBytesMax` bytes.
//   X2. `toWire(fromWire(wire))` equals `wire`: a second hop changes nothing.
//   X3. A PartitaError stays one, with code, details, message, stack and causes. Anything else that
//       was thrown becomes a plain Error with its name, message and stack.

import type { DetailsOf, PartitaErrorCode } from "./error-codes.js";
import { errorCodes } from "./error-messages.js";
import { PartitaError, replaceStack } from "./errors.js";
import { limits } from "./limits.js";
import { show } from "./show.js";
import { cutText, wellFormed } from "./text.js";

/** An error as plain data. `code` is `null` for what is no PartitaError. */
export interface ErrorWire {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: string | null;
  readonly details: unknown;
  readonly cause: ErrorWire | null;
}

/** The wire form of whatever was thrown (X1). */
export function toWire(error: unknown): ErrorWire {
  return wireOf(error, limits.errorCauseDepthMax);
}

/** The error that a wire form stands for (X2, X3). */
export function fromWire(wire: ErrorWire): Error {
  const { code, message } = wire;
  const options = wire.cause === null ? {} : { cause: fromWire(wire.cause) };
  const error = isKnownCode(code)
    ? // cast: the sender's details fit its code (E1)
      new PartitaError(code, wire.details as DetailsOf<PartitaErrorCode>, { ...options, message })
    : new Error(message, options);
  if (error.name !== wire.name) setHiddenName(error, wire.name);
  replaceStack(error, wire.stack);
  return error;
}

function wireOf(error: unknown, depthLeft: number): ErrorWire {
  if (typeof error !== "object" || error === null) {
    return { ...noError, name: "NonError", message: boundedText(`thrown: ${show(error)}`) };
  }
  const code = isBranded(error) ? read(error, "code") : null;
  const known = isKnownCode(code);
  const cause = depthLeft > 1 ? read(error, "cause") : undefined;
  return {
    name: boundedText(read(error, "name"), "Error"),
    message: boundedText(read(error, "message"), show(error)),
    stack: boundedText(read(error, "stack"), ""),
    code: known ? code : null,
    details: known ? plain(read(error, "details"), limits.errorCauseDepthMax) : null,
    cause: cause === undefined ? null : wireOf(cause, depthLeft - 1),
  };
}

const noError: ErrorWire = {
  name: "Error",
  message: "",
  stack: "",
  code: null,
  details: null,
  cause: null,
};

/** Details as data that can be encoded: what a buggy caller put in besides becomes text. */
function plain(value: unknown, depthLeft: number): unknown {
  if (typeof value === "string") return boundedText(value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object" || depthLeft === 0) return boundedText(show(value));
  if (Array.isArray(value)) {
    return value.slice(0, limits.errorListMax).map((item) => plain(item, depthLeft - 1));
  }
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value).slice(0, limits.errorListMax)) {
    if (name !== "__proto__") copy[wellFormed(name)] = plain(read(value, name), depthLeft - 1);
  }
  return copy;
}

function boundedText(value: unknown, fallback = ""): string {
  const text = typeof value === "string" ? value : fallback;
  return cutText(wellFormed(text), limits.errorTextBytesMax);
}

function isKnownCode(code: unknown): code is PartitaErrorCode {
  return typeof code === "string" && errorCodes.includes(code);
}

function isBranded(error: object): boolean {
  try {
    return PartitaError.is(error);
  } catch {
    return false;
  }
}

/** A property of an object that may be a proxy or have getters that throw. */
function read(object: object, property: string): unknown {
  try {
    return Reflect.get(object, property);
  } catch {
    return undefined;
  }
}

/** Sets what `new Error` would leave to its class: an own name that does not enumerate. */
function setHiddenName(error: Error, value: string): void {
  Object.defineProperty(error, "name", {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
