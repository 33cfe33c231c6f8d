import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";

describe("limits — the table", () => {
  it("holds positive whole numbers only", () => {
    for (const [name, value] of Object.entries(limits)) {
      expect(Number.isSafeInteger(value) && value > 0, name).toBe(true);
    }
  });

  it("keeps the room LMDB leaves to a key", () => {
    expect(limits.keyBytesMax).toBe(1_976);
  });
});
