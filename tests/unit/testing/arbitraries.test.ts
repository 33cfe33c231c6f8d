// Bugs here would look like an arbitrary that makes what a store refuses, or never makes what
// breaks careless code.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { bigint, boolean, bytes, integer, string, uuid } from "../../../store/key.js";
import type { KeyCodec } from "../../../store/key-form.js";
import { tuple } from "../../../store/tuple-key.js";
import { decodeValue, encodeValue } from "../../../store/value.js";
import {
  anyValue,
  carriedValue,
  keyOf,
  refusedValue,
  valuesAtLimits,
} from "../../../testing/arbitraries.js";
import { sameValue } from "../../../testing/same-value.js";
import { check, suiteSeed } from "../../support/property.js";

function sampled<T>(arbitrary: fc.Arbitrary<T>, count = 4_000): readonly T[] {
  return fc.sample(arbitrary, { seed: suiteSeed(), numRuns: count });
}

/** The code with which a value is refused; undefined when it is carried. */
function refusal(value: unknown): string | undefined {
  try {
    encodeValue(value);
    return undefined;
  } catch (error) {
    return PartitaError.is(error) ? error.code : String(error);
  }
}

describe("arbitraries — keys", () => {
  const codecs: readonly (readonly [string, KeyCodec<never>])[] = [
    ["string", string],
    ["uuid", uuid],
    ["integer", integer],
    ["bigint", bigint],
    ["bytes", bytes],
    ["boolean", boolean],
    ["tuple", tuple(string, tuple(bytes, integer), uuid)],
  ] as unknown as readonly (readonly [string, KeyCodec<never>])[]; // cast: never encoded as typed

  it.each(codecs)("of %s are all valid", async (_name, codec) => {
    await check(
      fc.property(keyOf(codec), (key) => {
        expect(codec.encode(key).length).toBeGreaterThan(0);
      }),
      { runs: 1_000 },
    );
  });

  it("hold what breaks careless code", () => {
    const texts = sampled(keyOf(string));
    for (const text of ["\0", "__proto__", "a\0b", "\uffff", "😀", "x".repeat(1_975)]) {
      expect(texts).toContain(text);
    }
    const integers = sampled(keyOf(integer));
    expect(integers.some((key) => Object.is(key, -0))).toBe(true);
    expect(integers).toContain(Number.MIN_SAFE_INTEGER);
    expect(sampled(keyOf(bigint))).toContain(-(2n ** 2_048n));
    const parts = sampled(keyOf(tuple(string, bytes)));
    expect(parts.some(([text]) => text === "")).toBe(true);
    expect(parts.some(([, part]) => part.length === 0)).toBe(true);
  });

  it("of a codec of one's own are not known", () => {
    const own: KeyCodec<string> = { ...string, name: "string" };
    expect(() => keyOf(own)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
});

describe("arbitraries — values", () => {
  it("that are carried are carried", async () => {
    await check(
      fc.property(carriedValue(), (value) => {
        expect(refusal(value)).toBe(undefined);
      }),
      { runs: 2_000 },
    );
  });

  it("that are refused are refused with a code, each for its own reason", () => {
    const values = sampled(refusedValue());
    for (const value of values) expect(refusal(value)).toMatch(/^VALUE_/);
    const codes = new Set(values.map(refusal));
    expect(codes).toEqual(new Set(["VALUE_UNSUPPORTED", "VALUE_CYCLIC", "VALUE_TOO_DEEP"]));
  });

  it("of any sort are both", () => {
    const codes = new Set(sampled(anyValue()).map(refusal));
    expect(codes).toContain(undefined);
    expect(codes).toContain("VALUE_CYCLIC");
    expect(codes).toContain("VALUE_TOO_DEEP");
  });

  it.each([
    ["NaN", (value: unknown) => Number.isNaN(value)],
    ["-0", (value: unknown) => Object.is(value, -0)],
    ["a bigint of thousands of bits", (value: unknown) => value === -(2n ** 4_096n)],
    ["an invalid date", (value: unknown) => value instanceof Date && Number.isNaN(+value)],
    ["a Map", (value: unknown) => value instanceof Map],
    ["a Set", (value: unknown) => value instanceof Set],
    ["an empty text", (value: unknown) => value === ""],
    ["an array of arrays, sixty deep", (value: unknown) => depthOf(value) === 60],
  ])("hold %s", (_what, isIt) => {
    expect(sampled(carriedValue()).some(isIt)).toBe(true);
  });

  it("at their limits are carried, and beyond them refused", () => {
    for (const { name, value, isCarried } of valuesAtLimits()) {
      expect([name, refusal(value) === undefined]).toEqual([name, isCarried]);
      if (isCarried) expect(sameValue(decodeValue(encodeValue(value)), value)).toBe(true);
    }
    expect(valuesAtLimits()).toHaveLength(6);
  });
});

/** Containers around the first element of the first element and so on. */
function depthOf(value: unknown): number {
  return Array.isArray(value) && value.length === 1 ? 1 + depthOf(value[0]) : 0;
}
