// Value arbitraries — values that break careless codecs and careless code: what a store carries,
// what it refuses, and both.

import fc from "fast-check";
import { limits } from "../base/limits.js";

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
  nested(60, 0),
  nested(60, null, (value) => new Map([[value, value === null ? 1 : "deep"]])),
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

const carried: fc.Arbitrary<unknown> = fc.oneof(
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
  new Array(2),
  cyclicObject(),
  cyclicMap(),
  nested(limits.valueDepthMax + 1, 0),
];

const anything: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: carried },
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

/**
 * Values that every store with `type<T>()` carries without a change: NaN, -0, infinities, bigints
 * of thousands of bits, dates, Maps and Sets within each other, typed arrays, objects without a
 * prototype, deep nesting, empty texts, texts that careless decoders cut, names like `constructor`.
 * Never undefined by itself at the top: that is no value.
 */
export function carriedValue(): fc.Arbitrary<unknown> {
  return carried.filter((value) => value !== undefined);
}

/**
 * Values that every store refuses with a VALUE_* code, because they would come back changed: lone
 * surrogates, `__proto__`, cycles, holes in arrays, functions, symbols, instances of classes that
 * are not registered, shared memory, nesting that is too deep.
 */
export function refusedValue(): fc.Arbitrary<unknown> {
  return fc.constantFrom(...refused);
}

/** Anything at all: a store carries it as it is, or refuses it, and never changes it. */
export function anyValue(): fc.Arbitrary<unknown> {
  return anything;
}

/** A value at a limit, or just beyond it. */
export interface LimitValue {
  readonly name: string;
  readonly value: unknown;
  /** Whether a store takes it. */
  readonly isCarried: boolean;
}

/**
 * Values as large and as deep as a store takes, and those that are one too large or too deep, each
 * with its name. Several megabytes each: made when they are asked for, and no arbitrary, whose
 * counterexamples nobody could read.
 */
export function valuesAtLimits(): readonly LimitValue[] {
  const { valueBytesMax, valueDepthMax, bigintBytesMax } = limits;
  const bigint = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;
  const both = (name: string, make: (beyond: 0 | 1) => unknown): readonly LimitValue[] => [
    { name: `${name} at the limit`, value: make(0), isCarried: true },
    { name: `${name} beyond the limit`, value: make(1), isCarried: false },
  ];
  return [
    ...both("a text", (beyond) => "x".repeat(valueBytesMax - textHeadBytes + beyond)),
    ...both("a nesting", (beyond) => nested(valueDepthMax + beyond, 0)),
    ...both("a bigint", (beyond) => bigint(bigintBytesMax + beyond)),
  ];
}

/** What the encoding of a long text has in front of it. */
const textHeadBytes = 5;

/** `depth` containers around a value. */
function nested(
  depth: number,
  core: unknown,
  wrap: (value: unknown) => unknown = (value) => [value],
): unknown {
  let value = core;
  for (let level = 0; level < depth; level += 1) value = wrap(value);
  return value;
}

function cyclicObject(): object {
  const cyclic: { list: unknown[]; self?: unknown } = { list: [] };
  cyclic.self = cyclic;
  cyclic.list.push(cyclic);
  return cyclic;
}

function cyclicMap(): ReadonlyMap<unknown, unknown> {
  const cyclic = new Map<unknown, unknown>();
  return cyclic.set("self", new Set([cyclic]));
}
