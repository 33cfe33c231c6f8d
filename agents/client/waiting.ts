// Waiting — what all calls of agents' clients share: their options, and whose stack an error has.

import { PartitaError } from "../../base/errors.js";
import { checkOptionNames, optionInvalid } from "../../base/options.js";

/** Options of everything that waits. */
export interface WaitOptions {
  /** Aborting rejects with `signal.reason` and ends the waiting, nothing else. */
  readonly signal?: AbortSignal;
}

/**
 * What is waited for; the runtime's errors are made anew, so that their stack names who waits (C3).
 * Reasons of signals and errors of users go through as they are.
 */
export async function waited<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    const { code, details, message, cause } = error;
    throw new PartitaError(code, details, cause === undefined ? { message } : { message, cause });
  }
}

/** The same, but rejects with the reason of a signal that aborts before. */
export function unlessAborted<T>(answer: Promise<T>, { signal }: WaitOptions): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort);
    const release = (): void => signal.removeEventListener("abort", abort);
    answer.finally(release).then(resolve, reject);
  });
}

/** @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN; or the signal's reason */
export function checkWaitOptions(
  operation: string,
  options: WaitOptions,
  known: readonly string[] = ["signal"],
): void {
  checkOptionNames(operation, options, known);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw optionInvalid(operation, "signal", signal, "an AbortSignal");
  }
  signal?.throwIfAborted();
}
