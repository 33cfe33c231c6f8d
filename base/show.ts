// Show — values and names as short texts for error messages. Never throws, whatever it is given.

import { inspect } from "node:util";
import { isNativeError } from "node:util/types";
import { wellFormed } from "./text.js";

const shownCharactersMax = 120;
const shownBigintMax = 10n ** 80n;

/** One line that shows `value`: enough to recognise it, never all of it. */
export function show(value: unknown): string {
  return oneLine(render(value));
}

/** `"a", "b"`, or `none`. */
export function showNames(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => JSON.stringify(name)).join(", ");
}

/** What kind of thing `value` is: `a function`, `an instance of URL`, `a Promise`. */
export function showKind(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return withArticle(typeof value);
  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null) return "an object without a prototype";
    const made: unknown = value.constructor;
    const name = typeof made === "function" ? made.name : "";
    if (name === "Object") return "an object";
    return name === "" ? "an instance of a class" : `an instance of ${oneLine(name)}`;
  } catch {
    return "an object that cannot be looked at";
  }
}

function render(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.slice(0, shownCharactersMax + 1));
    case "bigint":
      return value > shownBigintMax || value < -shownBigintMax ? "a large bigint" : `${value}n`;
    case "function":
      return value.name === "" ? "a function" : `the function ${value.name}`;
    case "object":
      return inspected(value);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function inspected(value: object | null): string {
  try {
    // Without its stack, which would fill the line.
    if (isNativeError(value)) return `${value.name}: ${value.message}`;
    return inspect(value, {
      depth: 1,
      maxArrayLength: 5,
      maxStringLength: 40,
      breakLength: Number.POSITIVE_INFINITY,
      // A value's own way to show itself is user code: it could throw, or change something.
      customInspect: false,
    });
  } catch {
    return "an object that cannot be shown";
  }
}

function oneLine(text: string): string {
  const line = wellFormed(text.replace(/\s+/g, " "));
  if (line.length <= shownCharactersMax) return line;
  return `${wellFormed(line.slice(0, shownCharactersMax - 1))}…`;
}

function withArticle(word: string): string {
  return word === "undefined" ? word : `a ${word}`;
}
