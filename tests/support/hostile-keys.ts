// Keys that break careless encodings: prefixes, NULs, 0xFF, astral characters, huge and negative
// numbers.

import fc from "fast-check";
import type { DynamicKey } from "../../store/tuple-key.js";

const hostileTexts = [
  "",
  "\0",
  "\0\0",
  "\0\u00ff",
  "a",
  "a\0",
  "a\0b",
  "ab",
  "a\u0001",
  "\u007f",
  "\u0080",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\ufeff",
  "\uffff",
  "😀",
  "\u{10ffff}",
  "\u{10000}",
  "é",
  "e\u0301",
  "__proto__",
];

const hostileIntegers = [
  0,
  -0,
  1,
  -1,
  255,
  256,
  -255,
  -256,
  65_535,
  65_536,
  2 ** 24,
  -(2 ** 24),
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  -(2 ** 32),
  2 ** 48,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
];

const hostileBigints = [
  0n,
  1n,
  -1n,
  255n,
  256n,
  -255n,
  -256n,
  2n ** 63n,
  2n ** 64n,
  -(2n ** 64n),
  2n ** 2_048n,
  -(2n ** 2_048n),
  2n ** 2_048n - 1n,
];

/** Texts a string key can hold, the empty one included. */
export const keyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...hostileTexts),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.array(fc.constantFrom(...hostileTexts), { maxLength: 4 }).map((texts) => texts.join("")),
);

export const keyInteger: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(...hostileIntegers),
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
);

export const keyBigint: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(...hostileBigints),
  fc.bigInt(),
  fc.bigInt({ min: -300n, max: 300n }),
);

export const keyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc
    .array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 5 })
    .map((bytes) => Uint8Array.from(bytes)),
  fc.uint8Array({ maxLength: 12 }),
);

/** Keys of any built-in type but uuid, nested; texts and bytes may be empty. */
export const { dynamicKey } = fc.letrec<{ dynamicKey: DynamicKey }>((tie) => ({
  dynamicKey: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    keyText,
    keyInteger,
    keyBigint,
    fc.boolean(),
    keyBytes,
    fc.array(tie("dynamicKey"), { maxLength: 4 }),
  ),
}));

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
