// Key codecs. Bugs here would look like two keys sharing a value, a key that is never found again,
// or entries out of order. Invariants C1 to C4 of store/key-form.ts over hostile values.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../base/limits.js";
import { bigint, boolean, bytes, integer, string, uuid } from "../../store/key.js";
import type { KeyCodec } from "../../store/key-form.js";
import { hashKey } from "../../store/key-hash.js";
import { keyRangeOf } from "../../store/key-range.js";
import {
  type DynamicKey,
  decodeDynamicKey,
  encodeDynamicKey,
  tuple,
} from "../../store/tuple-key.js";
import {
  dynamicKey,
  keyBigint,
  keyBytes,
  keyInteger,
  keyOf,
  keyText,
} from "../../testing/key-arbitraries.js";
import { compareKeys } from "../support/key-order.js";
import { check } from "../support/property.js";

const runs = 2_000;

interface Case<K extends DynamicKey> {
  readonly codec: KeyCodec<K>;
  readonly keys: fc.Arbitrary<K>;
}

function filled<K extends string | Uint8Array>(keys: fc.Arbitrary<K>): fc.Arbitrary<K> {
  return keys.filter((key) => key.length > 0);
}

const pair = tuple(string, integer);
const deep = tuple(bytes, tuple(string, tuple(bigint, boolean)), string);
const pairKey = keyOf(pair);
const deepKey = keyOf(deep);

async function eachCodec(
  run: <K extends DynamicKey>(one: Case<K>) => Promise<void>,
): Promise<void> {
  for (const codec of [string, uuid]) await run({ codec, keys: keyOf(codec) });
  await run({ codec: integer, keys: keyOf(integer) });
  await run({ codec: bigint, keys: keyOf(bigint) });
  await run({ codec: boolean, keys: keyOf(boolean) });
  await run({ codec: bytes, keys: keyOf(bytes) });
  await run<readonly [string, number]>({ codec: pair, keys: pairKey });
  await run<readonly [Uint8Array, readonly [string, readonly [bigint, boolean]], string]>({
    codec: deep,
    keys: deepKey,
  });
}

/** -0 and 0 are one key. */
function positiveZero(key: DynamicKey): DynamicKey {
  if (Array.isArray(key)) return key.map(positiveZero);
  return Object.is(key, -0) ? 0 : key;
}

describe("key codec — one declared type", () => {
  it("gives every key back", async () => {
    await eachCodec(async ({ codec, keys }) => {
      await check(
        fc.property(keys, (key) => {
          expect(codec.decode(codec.encode(key))).toEqual(positiveZero(key));
        }),
        { runs },
      );
    });
  });

  it("orders bytes as keys, and gives different keys different bytes", async () => {
    await eachCodec(async ({ codec, keys }) => {
      await check(
        fc.property(keys, keys, (left, right) => {
          const order = Buffer.compare(codec.encode(left), codec.encode(right));
          expect(order).toBe(compareKeys(left, right));
        }),
        { runs },
      );
    });
  });
});

describe("key codec — any type", () => {
  it("orders bytes as keys over all types and nestings", async () => {
    await check(
      fc.property(dynamicKey, dynamicKey, (left, right) => {
        fc.pre(isKey(left) && isKey(right));
        const order = Buffer.compare(encodeDynamicKey(left), encodeDynamicKey(right));
        expect(order).toBe(compareKeys(left, right));
      }),
      { runs: 5_000 },
    );
  });

  it("gives a key back from its bytes", async () => {
    await check(
      fc.property(dynamicKey, (key) => {
        fc.pre(isKey(key));
        expect(compareKeys(decodeDynamicKey(encodeDynamicKey(key)), key)).toBe(0);
      }),
      { runs: 5_000 },
    );
  });

  it("keeps apart keys that differ in one part only", async () => {
    await check(
      fc.property(
        fc.array(dynamicKey, { maxLength: 3 }),
        dynamicKey,
        dynamicKey,
        (around, a, b) => {
          fc.pre(compareKeys(a, b) !== 0);
          const left = encodeDynamicKey([...around, a, ...around]);
          const right = encodeDynamicKey([...around, b, ...around]);
          expect(Buffer.compare(left, right)).toBe(compareKeys(a, b));
        },
      ),
      { runs: 3_000 },
    );
  });

  it("gives the bytes of the declared codec, so that node and store share an owner", async () => {
    await check(
      fc.property(filled(keyText), keyInteger, keyBigint, deepKey, (text, whole, big, nested) => {
        const same: [Uint8Array, Uint8Array][] = [
          [encodeDynamicKey(text), string.encode(text)],
          [encodeDynamicKey(whole), integer.encode(whole)],
          [encodeDynamicKey(big), bigint.encode(big)],
          [encodeDynamicKey([text, whole]), pair.encode([text, whole])],
          [encodeDynamicKey(nested), deep.encode(nested)],
        ];
        for (const [dynamic, declared] of same) {
          expect(dynamic).toEqual(declared);
          expect(hashKey(dynamic)).toBe(hashKey(declared));
        }
      }),
      { runs },
    );
  });
});

describe("key range — bounds", () => {
  it("holds exactly the keys that begin with a text", async () => {
    await check(
      fc.property(keyText, filled(keyText), (prefix, key) => {
        expect(within(string, { prefix }, key)).toBe(key.startsWith(prefix));
      }),
      { runs },
    );
    await check(
      fc.property(keyText, keyText, (prefix, rest) => {
        fc.pre(prefix + rest !== "");
        expect(within(string, { prefix }, prefix + rest)).toBe(true);
      }),
      { runs },
    );
  });

  it("holds exactly the keys that begin with bytes, 0xFF among them", async () => {
    await check(
      fc.property(keyBytes, filled(keyBytes), (prefix, key) => {
        const expected = Buffer.from(key).subarray(0, prefix.length).equals(prefix);
        expect(within(bytes, { prefix }, key)).toBe(expected);
        const longer = Uint8Array.of(...prefix, ...key);
        expect(within(bytes, { prefix }, longer)).toBe(true);
      }),
      { runs },
    );
  });

  it("holds exactly the keys with these leading parts", async () => {
    const part = fc.constantFrom("", "\0", "a", "a\0", "b");
    const three = tuple(string, string, integer);
    const prefixes = fc.oneof(fc.tuple(part), fc.tuple(part, part));
    const parts = fc.tuple(part, part, fc.integer({ min: -1, max: 1 }));
    await check(
      fc.property(prefixes, parts, (prefix, key) => {
        const expected = prefix.every((value, index) => value === key[index]);
        expect(within(three, { prefix }, key)).toBe(expected);
      }),
      { runs },
    );
  });

  it("holds exactly the keys from the first bound up to the second", async () => {
    await check(
      fc.property(keyInteger, keyInteger, keyInteger, (a, b, key) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        expect(within(integer, { from, to }, key)).toBe(from <= key && key < to);
      }),
      { runs },
    );
  });
});

/** Whether a key can stand alone: not empty, and small enough. */
function isKey(key: DynamicKey): boolean {
  if ((typeof key === "string" || typeof key === "object") && key.length === 0) return false;
  return JSON.stringify(key, (_, part) => String(part)).length < limits.keyBytesMax / 8;
}

function within<K>(
  codec: KeyCodec<K>,
  bounds: Parameters<typeof keyRangeOf<K>>[1],
  key: K,
): boolean {
  const { from, to } = keyRangeOf(codec, bounds);
  const encoded = codec.encode(key);
  const above = from === undefined || Buffer.compare(from, encoded) <= 0;
  return above && (to === undefined || Buffer.compare(encoded, to) < 0);
}
