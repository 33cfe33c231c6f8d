// Invariant — broken assumptions of our own code, as opposed to errors that a user can cause.
//
// An assertion that fails is a bug: nobody goes on behind it, and the process ends with a line that
// says where (runtime/fail-stop.ts). Errors that users can cause are PartitaErrors (errors.ts).

/** Thrown by `assert` and `assertNever`. Not a PartitaError: there is nothing to handle. */
export class InvariantViolation extends Error {
  static {
    InvariantViolation.prototype.name = "InvariantViolation";
  }
}

/**
 * Throws an InvariantViolation unless `condition` is truthy. On a hot path pass the message as a
 * function: it is built only when the assertion fails.
 */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) fail(typeof message === "string" ? message : message());
}

/**
 * Ends a `switch` over a union: does not compile while a case is missing, and throws if reached.
 */
export function assertNever(value: never, what = "value"): never {
  fail(`unexpected ${what}: ${String(value)}`);
}

function fail(message: string): never {
  throw new InvariantViolation(message);
}
