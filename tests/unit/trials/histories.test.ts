// Histories — lines of clients become a history, and what contradicts itself in it is said.

import { describe, expect, it } from "vitest";
import { History } from "../../../trials/histories/history.js";

function told(...lines: readonly string[]): History {
  const history = new History();
  for (const line of lines) {
    const space = line.indexOf(" ");
    history.hear(line.slice(0, space), line.slice(space + 1));
  }
  return history;
}

const first = ["began a 1 k 10", "wrote a 1 1 20"];
const second = ["began b 1 k 30", "wrote b 1 2 40"];

describe("histories — what clients tell", () => {
  it("has nothing against reads of the newest or of a concurrent write", () => {
    const history = told(...first, ...second, "read r 1 k 1 a/1 15 25", "read r 2 k 2 b/1 35 36");
    expect(history.violations()).toEqual([]);
    expect([history.size, history.unknown]).toEqual([4, 0]);
  });

  it("takes a write without an answer for done or not, as reads say", () => {
    expect(told(...first, "began b 1 k 30").violations()).toEqual([]);
    expect(told(...first, "began b 1 k 30", "read r 1 k 2 b/1 50 60").violations()).toEqual([]);
    expect(told(...first, "began b 1 k 30").unknown).toBe(1);
  });

  it("lets a write take effect late once its client was told that nobody knows", () => {
    const late = ["read a 2 k 1 a/1 50 55", "read r 1 k 2 a/0 70 80"];
    expect(told(...first, "began a 0 k 30", "lost a 0", ...late).violations()).toEqual([]);
    expect(told(...first, "began a 0 k 30", ...late).violations()).not.toEqual([]);
  });

  it.each([
    ["a stale read", [...first, ...second, "read r 1 k 1 a/1 41 45"], "stale"],
    ["nothing where something was acknowledged", [...first, "read r 1 k 0 - 21 25"], "stale"],
    ["a value that nobody wrote", [...first, "read r 1 k 2 c/9 41 45"], "unwritten"],
    [
      "a version that was given twice",
      [...first, "began b 1 k 30", "wrote b 1 1 40"],
      "two writes",
    ],
    ["a lost write", [...first, "began b 1 k 30", "wrote b 1 3 40"], "lost write"],
    [
      "writes of one client that overtook each other",
      ["began a 1 k 10", "began a 2 k 11", "wrote a 1 2 20", "wrote a 2 1 20"],
      "reordered",
    ],
  ])("finds %s", (_what, lines, rule) => {
    expect(
      told(...lines)
        .violations()
        .join("\n"),
    ).toContain(rule);
  });
});
