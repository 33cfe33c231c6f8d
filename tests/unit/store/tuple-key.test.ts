// Tuples, keys of any type, and a user's own codecs.

import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { boolean, bytes, integer, string, uuid } from "../../../store/key.js";
import type { KeyCodec } from "../../../store/key-form.js";
import { keyRangeOf } from "../../../store/key-range.js";
import { type DynamicKey, encodeDynamicKey, tuple } from "../../../store/tuple-key.js";
import { refusalOf } from "../../support/refusal.js";

function hex(encoded: Uint8Array): string {
  return Buffer.from(encoded).toString("hex");
}

/** What a caller without types could pass. */
function anything<K>(value: unknown): K {
  // cast: that is the point
  return value as K;
}

/** A user's codec: dates as whole days. */
const day: KeyCodec<Date> = {
  name: "day",
  encode(date) {
    if (Number.isNaN(date.getTime())) throw new RangeError("no such day");
    return Buffer.from(date.toISOString().slice(0, 10), "latin1");
  },
  decode: (encoded) => new Date(Buffer.from(encoded).toString("latin1")),
  prefix: (prefix: never) => Buffer.from(String(prefix), "latin1"),
};

describe("tuple key — bytes on disk", () => {
  it("writes the bytes that every directory already holds", () => {
    expect(hex(tuple(string, integer).encode(["a\0", 1]))).toBe(
      "4830" + "6100ff" + "0000" + "1501",
    );
    expect(hex(tuple(boolean).encode([true]))).toBe("4829");
    expect(hex(tuple(tuple(bytes)).encode([[Uint8Array.of(0)]]))).toBe(
      "48" + "48" + "40" + "00ffff" + "00ff00ff" + "0000",
    );
  });
});

describe("tuple key — parts", () => {
  it("takes empty texts and bytes as parts", () => {
    const codec = tuple(string, bytes, tuple(string));
    const key = ["", new Uint8Array(0), [""]] as const;
    expect(codec.decode(codec.encode(key))).toEqual(key);
  });

  it("names the part that is no key", () => {
    const codec = tuple(string, tuple(integer, uuid));
    const inner = refusalOf("KEY_INVALID", () => codec.encode(["a", [1.5, "x"]]));
    expect(inner.details).toMatchObject({ codec: "integer", path: "$[1][0]", value: "1.5" });
    const outer = refusalOf("KEY_INVALID", () => codec.encode(["\ud800", [1, "x"]]));
    expect(outer.details).toMatchObject({ codec: "string", path: "$[0]" });
  });

  it("refuses another number of parts, holes, and what is no array", () => {
    const codec = tuple(string, integer);
    expect(codec.name).toBe("tuple(string, integer)");
    for (const key of [[], ["a"], ["a", 1, 2], "a", null, { 0: "a", 1: 1, length: 2 }]) {
      const error = refusalOf("KEY_INVALID", () => codec.encode(anything(key)));
      expect(error.message).toContain("an array of 2 part(s)");
    }
    const sparse: unknown[] = [];
    sparse[1] = 1;
    refusalOf("KEY_INVALID", () => codec.encode(anything(sparse)));
  });

  it("refuses a tuple without parts, and parts that are no codecs", () => {
    expect(refusalOf("OPTION_INVALID", () => tuple()).details.valid).toBe("at least one key codec");
    refusalOf("OPTION_INVALID", () => tuple(string, anything<KeyCodec<string>>({ name: "x" })));
  });

  it("counts all parts against the size of a key", () => {
    const codec = tuple(string, string);
    refusalOf("KEY_TOO_LARGE", () => codec.encode(["x".repeat(1_000), "y".repeat(1_000)]));
    expect(() => codec.encode(["x".repeat(985), "y".repeat(984)])).not.toThrow();
  });

  it("refuses stored bytes that are no such tuple", () => {
    const codec = tuple(string, integer);
    const good = codec.encode(["ab", 300]);
    for (let length = 0; length < good.length; length += 1) {
      refusalOf("KEY_INVALID", () => codec.decode(good.subarray(0, length)));
    }
    refusalOf("KEY_INVALID", () => codec.decode(tuple(integer, string).encode([300, "ab"])));
    refusalOf("KEY_INVALID", () => codec.decode(string.encode("ab")));
  });
});

describe("dynamic key — types", () => {
  it("refuses what is no key, and names where it is", () => {
    for (const key of [undefined, null, {}, new Date(), Symbol("s"), () => 1]) {
      const error = refusalOf("KEY_INVALID", () => encodeDynamicKey(anything(key)));
      expect(error.details.path).toBe("$");
      const inner = refusalOf("KEY_INVALID", () => encodeDynamicKey(["a", [anything(key)]]));
      expect(inner.details.path).toBe("$[1][0]");
    }
  });

  it("refuses holes", () => {
    const sparse: DynamicKey[] = ["a"];
    sparse[2] = "c";
    const error = refusalOf("KEY_INVALID", () => encodeDynamicKey(sparse));
    expect(error.details).toMatchObject({ path: "$[1]", value: "undefined" });
  });

  it("refuses empty keys by the name of their type", () => {
    for (const [key, codec] of [
      ["", "string"],
      [[], "tuple"],
      [new Uint8Array(0), "bytes"],
    ] as const) {
      expect(refusalOf("KEY_EMPTY", () => encodeDynamicKey(key)).details.codec).toBe(codec);
    }
  });

  it("ends on tuples that are nested too deep, or in themselves", () => {
    const circle: DynamicKey[] = [];
    circle.push(circle);
    refusalOf("KEY_INVALID", () => encodeDynamicKey(circle));
    let nested: DynamicKey = "x";
    for (let level = 0; level < limits.keyDepthMax; level += 1) nested = [nested];
    expect(() => encodeDynamicKey(nested)).not.toThrow();
    refusalOf("KEY_INVALID", () => encodeDynamicKey([nested]));
  });

  it("keeps a number and a bigint apart", () => {
    expect(encodeDynamicKey(1)).not.toEqual(encodeDynamicKey(1n));
  });
});

describe("custom key — a user's own codec", () => {
  it("stands in a tuple like any other, in the order of its bytes", () => {
    const codec = tuple(day, integer);
    const first = codec.encode([new Date("2026-01-31"), 2]);
    const second = codec.encode([new Date("2026-02-01"), 1]);
    expect(Buffer.compare(first, second)).toBe(-1);
    expect(codec.decode(first)).toEqual([new Date("2026-01-31"), 2]);
  });

  it("shares no bytes with a built-in key", () => {
    const raw: KeyCodec<string> = {
      name: "raw",
      encode: (text) => string.encode(text),
      decode: (encoded) => string.decode(encoded),
    };
    expect(hex(tuple(raw).encode(["a"]))).not.toBe(hex(tuple(string).encode(["a"])));
    expect(tuple(raw).decode(tuple(raw).encode(["a"]))).toEqual(["a"]);
  });

  it("turns what it throws, or returns by mistake, into a coded error", () => {
    const threw = refusalOf("KEY_INVALID", () => tuple(day).encode([new Date(Number.NaN)]));
    expect(threw.details).toMatchObject({ codec: "day", path: "$[0]", reason: "its codec threw" });
    expect(threw.cause).toBeInstanceOf(RangeError);
    const wrong = { name: "wrong", encode: () => anything<Uint8Array>("text"), decode: () => 1 };
    const error = refusalOf("KEY_INVALID", () => tuple(wrong).encode([1]));
    expect(error.message).toContain('gave "text" instead of a Uint8Array');
  });
});

describe("key range — refusals", () => {
  it("refuses a first bound above the second, and says how to go down", () => {
    const error = refusalOf("RANGE_INVALID", () => keyRangeOf(integer, { from: 2, to: 1 }));
    expect(error.details).toMatchObject({ option: "from", value: "2" });
    expect(error.message).toContain("reverse: true");
    expect(keyRangeOf(integer, { from: 1, to: 1 })).toEqual({
      from: integer.encode(1),
      to: integer.encode(1),
    });
  });

  it("refuses a prefix where keys have none", () => {
    const error = refusalOf("RANGE_INVALID", () => keyRangeOf(uuid, { prefix: "12" }));
    expect(error.details).toEqual({
      option: "prefix",
      value: '"12"',
      reason: "uuid keys have no prefixes",
    });
  });

  it("refuses bounds that are no keys", () => {
    refusalOf("KEY_INVALID", () => keyRangeOf(integer, { from: 0.5 }));
    refusalOf("KEY_EMPTY", () => keyRangeOf(string, { to: "" }));
    refusalOf("KEY_INVALID", () => keyRangeOf(string, { prefix: "a\ud800" }));
    const pair = tuple(string, integer);
    refusalOf("KEY_INVALID", () => keyRangeOf(pair, { prefix: anything(["a", 1, 2]) }));
    refusalOf("KEY_INVALID", () => keyRangeOf(pair, { prefix: anything("a") }));
  });

  it("is empty, not wrong, when a prefix lies outside of the bounds", () => {
    const { from, to } = keyRangeOf(string, { prefix: "b", to: "a" });
    expect(from).toEqual(to);
  });

  it("has no bounds when none are given", () => {
    expect(keyRangeOf(string, {})).toEqual({});
  });
});
