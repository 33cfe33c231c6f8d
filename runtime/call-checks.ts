// Call checks — what a caller can get wrong beside keys and values, refused before anything is
// sent.

import { checkOptionNames, optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";

/**
 * Refuses what is no options object, unknown names, and a `signal` that is none.
 * @throws PartitaError OPTION_INVALID, OPTION_UNKNOWN
 */
export function checkCallOptions(
  where: string,
  options: { readonly signal?: unknown },
  known: readonly string[],
): void {
  checkOptionNames(where, options, known);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw optionInvalid(where, "signal", signal, "an AbortSignal");
  }
}

/**
 * The elements of an iterable.
 * @throws PartitaError OPTION_INVALID when it is none
 */
export function listOf<T>(where: string, option: string, elements: Iterable<T>): T[] {
  const given: unknown = elements;
  const isIterable =
    typeof given === "string" ||
    (typeof given === "object" &&
      given !== null &&
      typeof Reflect.get(given, Symbol.iterator) === "function");
  if (!isIterable) throw optionInvalid(where, option, given, "an iterable");
  return Array.from(elements);
}

/** A name for an error's details; what is no text is shown. */
export function nameShown(name: unknown): string {
  return typeof name === "string" ? name : show(name);
}
