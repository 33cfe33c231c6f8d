import { describe, expect, it } from "vitest";
import { object } from "../../../agents/declare/object.js";

/** What a JavaScript caller could pass, and the types would refuse. */
const problemsOf = (given: unknown) => Reflect.apply(object, undefined, [given]).problems("o");

const build = (): number => 1;

describe("object — the declaration", () => {
  it("is a value, shared as it is, or a way to build one", () => {
    for (const given of [1, null, "a", [], new Map(), { currency: "EUR" }, { build: 5 }]) {
      expect(problemsOf(given)).toEqual([]);
    }
    expect(problemsOf({ build, shared: true })).toEqual([]);
    expect(problemsOf({ build, limit: 4, acquireTimeoutMs: 30_000 })).toEqual([]);
    expect(Object.isFrozen(object(1))).toBe(true);
  });

  it("takes an instance of a class for a value, whatever methods it has", () => {
    class House {
      build = build;
    }
    expect(problemsOf(new House())).toEqual([]);
  });

  it.each<[string, object, string, string]>([
    ["neither shared nor of a pool", {}, "OBJECT_INVALID", "o"],
    ["shared and of a pool", { shared: true, limit: 1 }, "OBJECT_INVALID", "o"],
    ["shared: false", { shared: false, limit: 1 }, "OPTION_INVALID", "o.shared"],
    ["a limit of 0", { limit: 0 }, "OPTION_INVALID", "o.limit"],
    ["a limit of 10,001", { limit: 10_001 }, "OPTION_INVALID", "o.limit"],
    ["a wait of 0", { limit: 1, acquireTimeoutMs: 0 }, "OPTION_INVALID", "o.acquireTimeoutMs"],
    [
      "a wait for a shared one",
      { shared: true, acquireTimeoutMs: 5 },
      "OPTION_INVALID",
      "o.acquireTimeoutMs",
    ],
    ["an unknown option", { shared: true, max: 1 }, "OPTION_UNKNOWN", "o.max"],
  ])("reports %s", (_name, options, code, path) => {
    const problems = problemsOf({ build, ...options });
    expect(problems[0]).toMatchObject({ code, path });
    expect(problems[0]?.valid).not.toEqual([]);
  });
});
