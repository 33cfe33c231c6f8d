// The natural order of keys, written down once more and plainly: the bytes of keys must follow it.

import type { DynamicKey } from "../../store/tuple-key.js";

const typeRanks = ["number", "bigint", "boolean", "string", "bytes", "tuple"];

function rankOf(key: DynamicKey): number {
  if (typeof key !== "object") return typeRanks.indexOf(typeof key);
  return typeRanks.indexOf(key instanceof Uint8Array ? "bytes" : "tuple");
}

/** Natural order: by type, then numbers by value, texts by code point, the rest part by part. */
export function compareKeys(left: DynamicKey, right: DynamicKey): number {
  const rank = rankOf(left) - rankOf(right);
  if (rank !== 0) return Math.sign(rank);
  if (typeof left === "string" && typeof right === "string") {
    return compareLists(codePoints(left), codePoints(right), (a, b) => a - b);
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) {
    return compareLists([...left], [...right], (a, b) => a - b);
  }
  if (Array.isArray(left) && Array.isArray(right)) return compareLists(left, right, compareKeys);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareLists<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (a: T, b: T) => number,
): number {
  for (const [index, a] of left.entries()) {
    const b = right[index];
    if (index >= right.length || b === undefined) return 1;
    const order = compare(a, b);
    if (order !== 0) return Math.sign(order);
  }
  return left.length < right.length ? -1 : 0;
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}
