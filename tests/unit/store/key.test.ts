// Built-in key codecs: what they refuse, and the exact bytes, which are on disk for ever.

import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { bigint, boolean, bytes, integer, string, uuid } from "../../../store/key.js";
import { hashKey } from "../../../store/key-hash.js";
import { refusalOf } from "../../support/refusal.js";

function hex(encoded: Uint8Array): string {
  return Buffer.from(encoded).toString("hex");
}

/** What a caller without types could pass. */
function anything<K>(value: unknown): K {
  // cast: that is the point
  return value as K;
}

const id = "123e4567-e89b-12d3-a456-426614174000";

describe("key — bytes on disk", () => {
  it("writes the bytes that every directory already holds", () => {
    const golden: [Uint8Array, string][] = [
      [string.encode("a\0b"), "30610062"],
      [string.encode("é😀"), "30c3a9f09f9880"],
      [uuid.encode(id), "38123e4567e89b12d3a456426614174000"],
      [integer.encode(0), "14"],
      [integer.encode(255), "15ff"],
      [integer.encode(-255), "1300"],
      [integer.encode(65_536), "17010000"],
      [integer.encode(Number.MAX_SAFE_INTEGER), "1b1fffffffffffff"],
      [integer.encode(Number.MIN_SAFE_INTEGER), "0de0000000000000"],
      [bigint.encode(0n), "210000"],
      [bigint.encode(256n), "2100020100"],
      [bigint.encode(-256n), "20fffdfeff"],
      [boolean.encode(false), "28"],
      [boolean.encode(true), "29"],
      [bytes.encode(Uint8Array.of(0, 255)), "4000ff"],
    ];
    for (const [encoded, expected] of golden) expect(hex(encoded)).toBe(expected);
  });

  it("hashes keys as every directory already has them placed", () => {
    expect(hashKey(string.encode("alice"))).toBe(918_061_580);
    expect(hashKey(integer.encode(42))).toBe(1_328_338_270);
    expect(hashKey(new Uint8Array(0))).toBe(497_701_275);
  });

  it("returns plain arrays that share no memory with what was given", () => {
    const given = Buffer.from([1, 2, 3]);
    const encoded = bytes.encode(given);
    given[0] = 9;
    expect(hex(encoded)).toBe("40010203");
    const decoded = bytes.decode(Buffer.from(encoded));
    expect(Object.getPrototypeOf(decoded)).toBe(Uint8Array.prototype);
  });
});

describe("key — string", () => {
  it("takes any text of whole characters", () => {
    for (const text of ["a", "\0", "\ufeffmark", "é", "😀", "\u{10ffff}", "x".repeat(1_975)]) {
      expect(string.decode(string.encode(text))).toBe(text);
    }
  });

  it("refuses a lone surrogate and says why", () => {
    for (const text of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
      const error = refusalOf("KEY_INVALID", () => string.encode(text));
      expect(error.message).toContain("lone surrogate");
      expect(error.details).toMatchObject({ codec: "string", path: "$" });
    }
  });

  it("refuses the empty text", () => {
    const error = refusalOf("KEY_EMPTY", () => string.encode(""));
    expect(error.message).toBe("a string key must not be empty");
  });

  it("counts bytes, not characters, against the limit", () => {
    expect(() => string.encode("€".repeat(658))).not.toThrow();
    const error = refusalOf("KEY_TOO_LARGE", () => string.encode("€".repeat(659)));
    expect(error.details).toEqual({
      codec: "string",
      keyBytes: 1_978,
      keyBytesMax: limits.keyBytesMax,
    });
    expect(
      refusalOf("KEY_TOO_LARGE", () => string.encode("x".repeat(1_976))).details.keyBytes,
    ).toBe(1_977);
  });

  it("refuses what is no string", () => {
    for (const value of [7, null, undefined, {}, new String("a")]) {
      refusalOf("KEY_INVALID", () => string.encode(anything(value)));
    }
  });
});

describe("key — uuid", () => {
  it("is the same key in either case", () => {
    expect(uuid.encode(id.toUpperCase())).toEqual(uuid.encode(id));
    expect(uuid.decode(uuid.encode(id.toUpperCase()))).toBe(id);
  });

  it("refuses what is no UUID", () => {
    const bad = ["", "x", `${id}0`, id.slice(1), id.replaceAll("-", ""), `{${id}}`, `${id}\n`, 7];
    for (const value of bad) refusalOf("KEY_INVALID", () => uuid.encode(anything(value)));
  });
});

describe("key — integer", () => {
  it("takes -0 for 0", () => {
    expect(hex(integer.encode(-0))).toBe("14");
    expect(integer.decode(integer.encode(-0))).toBe(0);
  });

  it("refuses numbers that are no safe integers, and what is no number", () => {
    const infinity = Number.POSITIVE_INFINITY;
    for (const value of [
      Number.NaN,
      infinity,
      -infinity,
      1.5,
      2 ** 53,
      -(2 ** 53),
      "1",
      1n,
      null,
    ]) {
      const error = refusalOf("KEY_INVALID", () => integer.encode(anything(value)));
      expect(error.details.codec).toBe("integer");
    }
  });
});

describe("key — bigint, bytes, boolean", () => {
  it("takes bigints up to the size of a key", () => {
    const large = 256n ** 1_973n - 1n;
    expect(bigint.decode(bigint.encode(large))).toBe(large);
    expect(bigint.decode(bigint.encode(-large))).toBe(-large);
    refusalOf("KEY_TOO_LARGE", () => bigint.encode(large + 1n));
    refusalOf("KEY_TOO_LARGE", () => bigint.encode(-(2n ** 1_000_000n)));
  });

  it("refuses empty bytes, and values of other types", () => {
    refusalOf("KEY_EMPTY", () => bytes.encode(new Uint8Array(0)));
    refusalOf("KEY_INVALID", () => bytes.encode(anything([1, 2])));
    refusalOf("KEY_INVALID", () => bytes.encode(anything(new ArrayBuffer(2))));
    refusalOf("KEY_INVALID", () => bigint.encode(anything(1)));
    for (const value of [0, 1, "true", null]) {
      refusalOf("KEY_INVALID", () => boolean.encode(anything(value)));
    }
  });

  it("refuses stored bytes of another type", () => {
    const foreign = [string, uuid, integer, bigint, bytes, boolean].map((codec) => [
      codec.name,
      () => codec.decode(Uint8Array.of(0xee, 1)),
    ]) as [string, () => unknown][]; // cast: pairs
    for (const [name, decode] of foreign) {
      const error = refusalOf("KEY_INVALID", decode);
      expect(error.details).toMatchObject({ codec: name, value: '"ee01"' });
    }
  });
});
