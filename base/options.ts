// Options — the checks that every options object of the public surface gets before anything
// happens.

import { PartitaError } from "./errors.js";
import { show } from "./show.js";

/**
 * Refuses what is not an options object, and names that `known` does not hold: a misspelt option
 * must not be silently ignored. `where` names the operation.
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN
 */
export function checkOptionNames(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw optionInvalid(where, "options", options, "an object");
  }
  for (const option of Object.keys(options)) {
    if (!known.includes(option)) throw new PartitaError("OPTION_UNKNOWN", { where, option, known });
  }
}

/** The error for an option whose value is not what it must be; `valid` follows "must be". */
export function optionInvalid(
  where: string,
  option: string,
  value: unknown,
  valid: string,
): PartitaError<"OPTION_INVALID"> {
  return new PartitaError("OPTION_INVALID", { where, option, value: show(value), valid });
}
