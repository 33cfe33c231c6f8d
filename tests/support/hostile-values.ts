// Values that break careless codecs, for properties: what must be carried, and what may be refused.

import fc from "fast-check";

const byteOrderMark = "\ufeff";

/** A text that decoders of long texts lose the first character of. */
const markedText = `${byteOrderMark}${"x".repeat(100)}`;

const exotic = [
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.MIN_VALUE,
  2 ** 32,
  2 ** 53,
  -(2 ** 32) - 1,
  0n,
  -1n,
  2n ** 64n,
  -(2n ** 64n),
  2n ** 64n - 1n,
  -(2n ** 4_096n),
  "",
  "\0",
  byteOrderMark,
  markedText,
  "é".repeat(200),
  "😀".repeat(40),
  undefined,
  null,
  new Date(0),
  new Date(Number.NaN),
  new Date(8.64e15),
  new Date(-8.639_999_999_999_999e15),
  /a\/b[\ud83d\ude00]/giu,
  /(?:)/,
  new Map<unknown, unknown>([
    [-0, -0],
    ["a", new Map([[{}, new Set([undefined])]])],
  ]),
  new Set<unknown>(["a", 1, [], new Date(1)]),
  [[[]]],
  { "": 1, constructor: 1, toString: null, hasOwnProperty: false, toJSON: 2, length: -1 },
  { tag: 1_210, value: [0, null] },
  { kind: 0, payload: null },
  [0, null],
  { [byteOrderMark]: 1, [markedText]: { [byteOrderMark]: -0 } },
  Object.assign(Object.create(null), { a: 1, constructor: "x", [markedText]: markedText }),
  Buffer.from("buffer"),
  Buffer.alloc(0),
  new ArrayBuffer(0),
  Uint8Array.of(1, 2, 3).buffer,
  new DataView(Uint8Array.of(1, 2, 3).buffer, 1, 1),
  Uint8Array.of(0, 1, 2, 3).subarray(1, 3),
  new Float64Array([-0, Number.NaN, Number.POSITIVE_INFINITY]),
  new BigInt64Array([-1n]),
  new Uint8ClampedArray([255]),
  new Array(300).fill(7),
  Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, index])),
] as const;

const settings = {
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
  withObjectString: true,
  stringUnit: "binary",
} as const;

const propertyName = fc
  .oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("constructor", "length", "", "é", markedText),
  )
  .filter((name) => name !== "__proto__");

/** Values that must be carried, nested. */
export const carriedValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...exotic),
  fc.anything({ ...settings, key: propertyName }),
  fc.anything({
    ...settings,
    key: propertyName,
    values: [
      fc.constantFrom<unknown>(...exotic),
      fc.date(),
      fc.bigInt(),
      fc.double(),
      fc.integer(),
    ],
  }),
);

const refused: readonly unknown[] = [
  "\ud800",
  "a\udc00",
  Symbol("s"),
  () => 1,
  new Error("e"),
  new URL("http://a"),
  new WeakMap(),
  new SharedArrayBuffer(1),
  new Uint8Array(new SharedArrayBuffer(1)),
  Object.assign([1], { extra: 1 }),
  Object.assign(new Map(), { extra: 1 }),
  Object.assign(new Date(0), { extra: 1 }),
  Object.assign(new Uint8Array(1), { extra: 1 }),
  Object.assign(/a/g, { lastIndex: 1 }),
  { [Symbol("s")]: 1 },
  JSON.parse('{"__proto__":1}'),
  { "\ud800": 1 },
  Object.create({ inherited: 1 }),
  new (class Own {
    own = 1;
  })(),
  new (class More extends Map {})(),
  Object.create(Array.prototype),
  new Number(1),
];

/** Anything at all: carried or refused, but never changed. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: carriedValue },
  fc.constantFrom(...refused),
  fc.anything({ ...settings, withBoxedValues: true, withSparseArray: true }),
  fc.anything({
    ...settings,
    withBoxedValues: true,
    withSparseArray: true,
    stringUnit: "grapheme",
    key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "\ud800")),
    values: [fc.constantFrom<unknown>(...refused, ...exotic), fc.integer()],
  }),
);
