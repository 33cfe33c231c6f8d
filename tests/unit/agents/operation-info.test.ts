// A bug here would look like this: an argument that a trace shows as another, or a value that makes
// the operation fail which was to be traced.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeInfo, encodeCall, encodeInfo } from "../../../agents/wire/operation-info.js";
import { limits } from "../../../base/limits.js";
import { check } from "../../support/property.js";

const value = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 100 }),
  fc.record({ a: fc.integer(), b: fc.array(fc.string()) }),
  fc.bigInt(),
);
const about = fc.record({ store: fc.string({ maxLength: 70 }), call: fc.string() });

describe("operation info — there and back", () => {
  it("calls are the same after they have been bytes", async () => {
    await check(
      fc.property(about, fc.array(value, { maxLength: 4 }), value, (named, given, result) => {
        const shown = decodeInfo(encodeCall(named, given, { value: result }));
        expect(shown).toEqual({ ...named, arguments: given, result });
        const refused = decodeInfo(encodeCall(named, given, { error: "Error: no" }));
        expect(refused).toEqual({ ...named, arguments: given, error: "Error: no" });
      }),
    );
  });

  it("values are the same after they have been bytes", async () => {
    await check(
      fc.property(value, (info) => {
        expect(decodeInfo(encodeInfo(info, "a test"))).toEqual(info);
      }),
    );
  });

  it("leaves out what takes too much or cannot be carried, and says so", () => {
    const named = { store: "s", call: "put" };
    const cut = { ...named, cut: true };
    const large = "x".repeat(limits.operationTraceBytesMax + 1);
    for (const wrong of [large, [large], () => {}, Symbol("s"), new Map([[1, () => {}]])]) {
      expect(decodeInfo(encodeCall(named, [wrong], { value: 1 }))).toEqual(cut);
      expect(decodeInfo(encodeCall(named, [], { value: wrong }))).toEqual(cut);
      const error = "Error: no";
      expect(decodeInfo(encodeCall(named, [wrong], { error }))).toEqual({ ...cut, error });
    }
  });
});
