// Key arbitraries — keys that break careless encodings: prefixes of each other, NULs, 0xFF, astral
// characters, huge and negative numbers, keys as long as they may be.

import fc from "fast-check";
import { limits } from "../base/limits.js";
import { optionInvalid } from "../base/options.js";
import { bigint, boolean, bytes, integer, string, uuid } from "../store/key.js";
import type { KeyCodec } from "../store/key-form.js";
import { type DynamicKey, partsOf } from "../store/tuple-key.js";

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

/** Bytes of a key's body when it is a text or bytes: all but its tag. */
const bodyBytesMax = limits.keyBytesMax - 1;

const longText = fc.constantFrom(
  "x".repeat(bodyBytesMax),
  "é".repeat(Math.floor(bodyBytesMax / 2)),
);
const longBytes = fc.constant(new Uint8Array(bodyBytesMax).fill(0xff));

function isFilled(key: { readonly length: number }): boolean {
  return key.length > 0;
}

const keysByCodec = new Map<unknown, fc.Arbitrary<unknown>>([
  [string, rarely(longText, keyText.filter(isFilled))],
  [bytes, rarely(longBytes, keyBytes.filter(isFilled))],
  [integer, keyInteger],
  [bigint, keyBigint],
  [boolean, fc.boolean()],
  [uuid, fc.uuid()],
]);

/** Parts of tuples: texts and bytes may be empty, and are short, since the whole has one limit. */
const partsByCodec = new Map<unknown, fc.Arbitrary<unknown>>([
  ...keysByCodec,
  [string, keyText],
  [bytes, keyBytes],
]);

/**
 * Keys of a built-in codec, tuples included: those that break careless code come first. All of them
 * are valid. -0 is one of the integers: it is the same key as 0.
 * @throws PartitaError OPTION_INVALID for a codec of your own: only you know its keys
 */
export function keyOf<K>(codec: KeyCodec<K>): fc.Arbitrary<K> {
  // cast: the table and the parts of a tuple have the keys of each codec
  return keysFrom(codec, keysByCodec) as fc.Arbitrary<K>;
}

function keysFrom(
  codec: unknown,
  table: ReadonlyMap<unknown, fc.Arbitrary<unknown>>,
): fc.Arbitrary<unknown> {
  const known = table.get(codec);
  if (known !== undefined) return known;
  const parts = partsOf(codec);
  if (parts !== undefined) return fc.tuple(...parts.map((part) => keysFrom(part, partsByCodec)));
  throw optionInvalid("keyOf", "codec", codec, "a built-in codec; make keys of your own by hand");
}

function rarely<K>(rare: fc.Arbitrary<K>, usual: fc.Arbitrary<K>): fc.Arbitrary<K> {
  return fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: rare });
}
