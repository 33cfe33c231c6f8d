import { describe, expect, it } from "vitest";
import { checksum } from "../../../store/checksum.js";
import { string } from "../../../store/key.js";
import { hashKey } from "../../../store/key-hash.js";

describe("checksum — part of the on-disk format", () => {
  it("gives the number that frames already hold, and not the key hash", () => {
    const bytes = string.encode("alice");
    expect(checksum(bytes)).toBe(3_894_206_067);
    expect(checksum(bytes)).not.toBe(hashKey(bytes));
  });

  it("changes with every bit", () => {
    const bytes = new Uint8Array(100).fill(0x55);
    const whole = checksum(bytes);
    for (let bit = 0; bit < 800; bit += 1) {
      const rotten = bytes.slice();
      rotten[bit >> 3] = (rotten[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(checksum(rotten)).not.toBe(whole);
    }
  });
});
