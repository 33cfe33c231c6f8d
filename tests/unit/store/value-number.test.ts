// Value number — a number's bytes are those of the codec, and as many as was said.

import { Encoder } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlainNumber, numberBytes, writeNumber } from "../../../store/value-number.js";
import { check } from "../../support/property.js";
import { hex } from "../../support/storage-bytes.js";

const codec = new Encoder({ useRecords: false, variableMapSize: true });

/** Those at which the number of bytes changes, and their neighbours. */
const edges = [0, 0x18, 0x100, 0x1_0000, 0x1_0000_0000, 2 ** 53].flatMap((edge) => {
  return [edge - 1, edge, edge + 1, -edge - 1, -edge, -edge + 1];
});

describe("the bytes of a number", () => {
  it("are the codec's, and as many as was said", async () => {
    const number = fc.oneof(
      fc.constantFrom(...edges.map((edge) => edge + 0)),
      fc.integer(),
      fc.double(),
      fc.maxSafeInteger(),
    );
    const property = fc.property(number, fc.nat({ max: 7 }), (value, at) => {
      fc.pre(isPlainNumber(value));
      const bytes = new Uint8Array(at + 9);
      const end = writeNumber(bytes, at, value);
      expect(hex(bytes.subarray(at, end))).toBe(hex(codec.encode(value)));
      expect(end - at).toBe(numberBytes(value));
    });
    await check(property, { runs: 2_000 });
  });

  it("are not written for -0, which is boxed, nor for what is no number", () => {
    for (const value of [-0, "1", 1n, null, undefined, true]) {
      expect(isPlainNumber(value)).toBe(false);
    }
    expect(isPlainNumber(0)).toBe(true);
  });
});
