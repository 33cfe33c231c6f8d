// Options of the benchmark — what makes no sense is refused before anything is started.

import { describe, expect, it } from "vitest";
import { parseOptions } from "../../../bench/options.js";

const ids = ["P1", "P4", "P10", "keys"];
const parse = (...args: readonly string[]) => parseOptions(args, ids);

describe("options — given", () => {
  it("default to seven rounds of everything, written nowhere", () => {
    expect(parse()).toEqual({
      help: false,
      quick: false,
      waiting: false,
      only: undefined,
      rounds: 7,
      seed: 20261125,
      json: undefined,
      charts: undefined,
      from: undefined,
      again: undefined,
    });
  });

  it("name targets in any case and with blanks", () => {
    expect(parse("--only", "p1, P10,KEYS").only).toEqual(["P1", "P10", "keys"]);
  });

  it("take one round when it is to be quick, unless rounds are asked for", () => {
    expect(parse("--quick").rounds).toBe(1);
    expect(parse("--quick", "--rounds", "3")).toMatchObject({ quick: true, rounds: 3 });
  });

  it("hand the second process of a measurement what it was started with", () => {
    expect(parse("--again", "directory", "a,b").again).toEqual(["directory", "a,b"]);
  });
});

describe("options — without sense", () => {
  it.each([
    [["--only", "P11"], /--only knows P1, P4, P10, keys, not "P11"/],
    [["--only", ""], /--only knows/],
    [["--rounds", "0"], /--rounds takes a whole number of at least 1, not "0"/],
    [["--rounds", "1.5"], /--rounds/],
    [["--rounds", ""], /--rounds/],
    [["--seed", ""], /--seed takes a whole number of at least 0, not ""/],
    [["--seed", "-1"], /--seed|ambiguous/],
    [["--from", "a.json"], /--from needs --charts/],
    [["P1"], /unknown argument P1/],
    [["--fast"], /--fast/],
  ])("%j is refused", (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
});
