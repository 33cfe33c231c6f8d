import { describe, expect, it } from "vitest";
import { cutText, isWellFormed, wellFormed } from "../../../base/text.js";

describe("text — lone surrogates", () => {
  it("tells pairs from lone halves", () => {
    expect(isWellFormed("a😀b")).toBe(true);
    for (const text of ["\ud800", "a\udc00", "\udc00\ud800", "x\ud83dy"]) {
      expect(isWellFormed(text)).toBe(false);
    }
  });

  it("replaces only the lone halves", () => {
    expect(wellFormed("😀\ud800a\udc00")).toBe("😀\ufffda\ufffd");
    expect(wellFormed("same")).toBe("same");
  });
});

describe("text — cutting", () => {
  it("leaves a text that fits", () => {
    expect(cutText("é".repeat(32), 64)).toBe("é".repeat(32));
  });

  it("cuts at a character, says so, and keeps within the bytes", () => {
    for (const character of ["a", "é", "€", "😀"]) {
      const cut = cutText(character.repeat(200), 100);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(100);
      expect(cut).toMatch(/^(.)\1*\n\(cut: the text took \d+ bytes\)$/u);
      expect(isWellFormed(cut)).toBe(true);
    }
  });

  it("changes nothing the second time", () => {
    const cut = cutText("€".repeat(500), 128);
    expect(cutText(cut, 128)).toBe(cut);
  });
});
