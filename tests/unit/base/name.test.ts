import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { isName, nameRule } from "../../../base/name.js";

describe("name — what may be one", () => {
  it("takes letters, digits, _ and - behind a letter", () => {
    for (const name of ["a", "Z", "user-profiles", "a_1", `a${"b".repeat(63)}`]) {
      expect(isName(name), name).toBe(true);
    }
  });

  it("refuses what could be a path, a number, or nothing", () => {
    const bad = ["", "1a", "_a", "-a", "a/b", "..", "a.b", "a b", "é", "a\n", `a${"b".repeat(64)}`];
    for (const name of bad) expect(isName(name), JSON.stringify(name)).toBe(false);
    for (const value of [undefined, null, 7, {}, ["a"]]) expect(isName(value)).toBe(false);
  });

  it("says the limit in its rule", () => {
    expect(isName("a".repeat(limits.nameLengthMax))).toBe(true);
    expect(nameRule).toContain(String(limits.nameLengthMax - 1));
  });
});
