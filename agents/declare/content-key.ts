// Content key — what two values have in common when they are equal by content, whatever objects
// hold it: so a set of objects knows the one it has already, over restarts too.

import { encodeMessage } from "../wire/wire-field.js";

/**
 * Equal for two values if and only if they are equal by content: primitives as a `Map` has them
 * (`NaN` is one, `-0` is `0`), plain objects whatever the order of their properties, maps and sets
 * whatever the order of their entries.
 */
export function contentKey(value: unknown): unknown {
  if (typeof value === "string") return `"${value}`;
  if (typeof value !== "object" || value === null) return value;
  return textOf(ordered(value));
}

/** An equal value whose parts stand in an order that their content gives. */
function ordered(value: unknown): unknown {
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  if (value instanceof Set) return new Set(sorted(value, (part) => part).map(ordered));
  if (value instanceof Map) {
    const entries = sorted(value, ([key]) => key);
    return new Map(entries.map(([key, part]) => [ordered(key), ordered(part)]));
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = sorted(Object.entries(value), ([name]) => name);
  return Object.fromEntries(entries.map(([name, part]) => [name, ordered(part)]));
}

function sorted<T>(parts: Iterable<T>, keyOf: (part: T) => unknown): readonly T[] {
  const keyed = Array.from(parts, (part) => ({ text: textOf(ordered(keyOf(part))), part }));
  return keyed.sort((one, other) => (one.text < other.text ? -1 : 1)).map(({ part }) => part);
}

/** Begins with a byte that no text key of `contentKey` begins with: none is a quotation mark. */
function textOf(value: unknown): string {
  return `\0${Buffer.from(encodeMessage(value, "an input")).toString("latin1")}`;
}
