// A number that differs from xxHash's would look for keys at other tasks than those that have them,
// and find every record of an old log damaged.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import xxhash from "xxhash-wasm";
import { xxHash32 } from "../../../store/short-hash.js";
import { check } from "../../support/property.js";

const { h32Raw } = await xxhash();
const seeds = fc.nat(0xffff_ffff);

describe("short hash — 32-bit xxHash in place", () => {
  it("is the number of xxhash-wasm for every length, from none to beyond the long way", () => {
    for (let length = 0; length < 400; length += 1) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 167 + length) & 0xff);
      expect(xxHash32(bytes, 0, length, 0x7061_7274)).toBe(h32Raw(bytes, 0x7061_7274));
    }
  });

  it("is it for any bytes, seed and place, and looks at no byte around them", async () => {
    const around = fc.uint8Array({ maxLength: 20 });
    const property = fc.property(
      fc.uint8Array({ maxLength: 200 }),
      seeds,
      around,
      around,
      (bytes, seed, before, behind) => {
        const whole = Uint8Array.from([...before, ...bytes, ...behind]);
        const found = xxHash32(whole, before.length, before.length + bytes.length, seed);
        expect(found).toBe(h32Raw(bytes, seed));
      },
    );
    await check(property, { runs: 1_000 });
  });
});
