// Values. A bug here would look like a value that comes back a little different and nobody was
// told: -0 as 0, a Map as an object, a text without its first character. N1 and N3 of
// store/value.ts.

import { Encoder } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../base/byte-reader.js";
import { ByteWriter } from "../../base/byte-writer.js";
import { PartitaError } from "../../base/errors.js";
import { appendValue, decodeValue, encodeValue } from "../../store/value.js";
import { anyValue, carriedValue } from "../../testing/arbitraries.js";
import { sameValue } from "../../testing/same-value.js";
import { check } from "../support/property.js";

const refusals = [
  "VALUE_UNDEFINED",
  "VALUE_UNSUPPORTED",
  "VALUE_CYCLIC",
  "VALUE_TOO_DEEP",
  "VALUE_TOO_LARGE",
];

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value));
}

/** The bytes, or `undefined` when the value is refused with one of the codes for that. */
function encodedOrRefused(value: unknown): Uint8Array | undefined {
  try {
    return encodeValue(value);
  } catch (error) {
    if (PartitaError.is(error) && refusals.includes(error.code)) return undefined;
    throw error;
  }
}

const plainValue = fc.anything({
  maxDepth: 4,
  values: [
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
    fc.boolean(),
    fc.constantFrom(null, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, -24, -25, -(2 ** 32)),
    fc.string({ maxLength: 80 }),
    fc.nat({ max: 400 }).map((length) => "x".repeat(length)),
  ],
  key: fc.string({ maxLength: 30 }).filter((name) => name !== "__proto__"),
});

describe("value — round trip", () => {
  it("gives back whatever it carries, with types, prototypes and order", async () => {
    await check(
      fc.property(carriedValue(), (value) => {
        fc.pre(value !== undefined);
        expect(sameValue(roundTrip(value), value)).toBe(true);
      }),
      { runs: 5_000 },
    );
  });

  it("carries or refuses anything, and never changes it", async () => {
    await check(
      fc.property(anyValue(), (value) => {
        const encoded = encodedOrRefused(value);
        if (encoded !== undefined) expect(sameValue(decodeValue(encoded), value)).toBe(true);
      }),
      { runs: 5_000 },
    );
  });

  it("carries a value the same way wherever it is nested", async () => {
    await check(
      fc.property(carriedValue(), (value) => {
        const nested = {
          list: [value, value],
          map: new Map([["k", value]]),
          set: new Set([[value]]),
        };
        expect(sameValue(roundTrip(nested), nested)).toBe(true);
      }),
      { runs: 1_000 },
    );
  });

  it("shares no memory with the bytes, which keep their value", async () => {
    await check(
      fc.property(carriedValue(), carriedValue(), (first, second) => {
        fc.pre(first !== undefined && second !== undefined);
        const bytes = encodeValue(first);
        const kept = Buffer.from(bytes);
        const decoded = decodeValue(bytes);
        decodeValue(encodeValue(second));
        expect(kept.equals(bytes)).toBe(true);
        bytes.fill(0);
        expect(sameValue(decoded, first)).toBe(true);
      }),
      { runs: 1_000 },
    );
  });
});

const codec = new Encoder({
  useRecords: false,
  variableMapSize: true,
  copyBuffers: true,
  tagUint8Array: true,
});

describe("value — the bytes", () => {
  it("are appended with their length as they would stand alone, or not at all", async () => {
    const parts = fc.array(fc.oneof(carriedValue(), anyValue()), { maxLength: 5 });
    const property = fc.property(parts, (values) => {
      const writer = new ByteWriter(1);
      for (const value of values) {
        const alone = encodedOrRefused(value);
        const before = writer.finish();
        if (alone === undefined) {
          expect(() => appendValue(writer, value)).toThrow(PartitaError);
          expect(writer.finish()).toEqual(before);
          continue;
        }
        appendValue(writer, value);
        const [start, end] = [before.length + 4, writer.length];
        expect(writer.finish().subarray(start)).toEqual(new Uint8Array(alone));
        expect(new ByteReader(writer.finish(), before.length).u32()).toBe(end - start);
        expect(sameValue(decodeValue(writer.finish(), start, end), decodeValue(alone))).toBe(true);
      }
    });
    await check(property, { runs: 1_000 });
  });

  it("are those of the codec for plain data, whether a short cut wrote them or not", async () => {
    await check(
      fc.property(plainValue, (value) => {
        fc.pre(value !== undefined);
        const bytes = encodeValue(value);
        expect(Buffer.compare(bytes, codec.encode(value))).toBe(0);
        expect(sameValue(codec.decode(bytes), value)).toBe(true);
      }),
      { runs: 3_000 },
    );
  });

  it("are read as the codec reads them, also those that nothing here writes", async () => {
    const head = fc.constantFrom(0x17, 0x18, 0x19, 0x1a, 0x1b, 0x38, 0x39, 0x61, 0x78, 0xf4, 0xfb);
    const few = fc.tuple(head, fc.uint8Array({ maxLength: 9 }));
    await check(
      fc.property(few, ([first, rest]) => {
        const bytes = Uint8Array.of(first, ...rest);
        const theirs = attempt(() => codec.decode(bytes.slice()));
        expect(
          sameValue(
            attempt(() => decodeValue(bytes)),
            theirs,
          ),
        ).toBe(true);
      }),
      { runs: 3_000 },
    );
  });

  it("are a value or VALUE_CORRUPT when they are cut or rotten, and end either way", async () => {
    await check(
      fc.property(carriedValue(), fc.nat(), fc.nat(), (value, at, flip) => {
        fc.pre(value !== undefined);
        const bytes = encodeValue(value).slice();
        const cut = bytes.subarray(0, at % bytes.length);
        const rotten = bytes.slice();
        rotten[at % bytes.length] = flip & 0xff;
        for (const damaged of [cut, rotten]) decodedOrCorrupt(damaged);
      }),
      { runs: 1_000 },
    );
    await check(fc.property(fc.uint8Array({ maxLength: 200 }), decodedOrCorrupt), { runs: 1_000 });
  });
});

/** What `decode` returns, or that it throws. */
function attempt(decode: () => unknown): unknown {
  try {
    return [decode()];
  } catch {
    return "thrown";
  }
}

function decodedOrCorrupt(bytes: Uint8Array): void {
  try {
    decodeValue(bytes);
  } catch (error) {
    expect(PartitaError.is(error)).toBe(true);
    if (PartitaError.is(error)) expect(["VALUE_CORRUPT", "CLASS_UNKNOWN"]).toContain(error.code);
  }
}
