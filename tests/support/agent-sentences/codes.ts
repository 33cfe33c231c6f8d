// What promises reject with, from whichever copy of the package.

import { PartitaError, type PartitaErrorCode } from "../../../base/errors.js";

/** The code that it rejects with, "none" when it does not reject; throws what has no code. */
export async function codeOf(promise: Promise<unknown>): Promise<PartitaErrorCode | "none"> {
  try {
    await promise;
    return "none";
  } catch (error) {
    if (PartitaError.is(error)) return error.code;
    throw error;
  }
}

/** What it rejects with, which must have this code. */
export async function errorOf<C extends PartitaErrorCode>(
  code: C,
  promise: Promise<unknown>,
): Promise<PartitaError<C>> {
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (error) {
    if (PartitaError.is(error, code)) return error;
    throw new Error(`expected ${code}`, { cause: error });
  }
  throw new Error(`expected ${code}, but it resolved with ${String(outcome)}`);
}
