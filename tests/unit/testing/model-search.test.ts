// Bugs here would look like a history that is accused although some order explains it, or one that
// is believed although none does. The property tests compare the search with the other checker.
import { describe, expect, it } from "vitest";
import {
  checkLinearizable,
  type ModelOperation,
  type SequentialModel,
} from "../../../testing/index.js";

const never = Number.POSITIVE_INFINITY;

type CasInput = { readonly from: number; readonly to: number } | "read";
type CasOutput = boolean | number;

/** One number: compare-and-set answers whether it was set. */
const cas: SequentialModel<number, CasInput, CasOutput> = {
  init: 0,
  step(state, input) {
    if (input === "read") return { state, output: state };
    const isSame = state === input.from;
    return { state: isSame ? input.to : state, output: isSame };
  },
};

type Cas = ModelOperation<CasInput, CasOutput>;

function set(from: number, to: number, isSet: boolean, invoked: number, returned: number): Cas {
  return { input: { from, to }, output: isSet, invoked, returned };
}

function read(output: number, invoked: number, returned: number): Cas {
  return { input: "read", output, invoked, returned };
}

function outcome(history: readonly Cas[]): string {
  return checkLinearizable(history, { model: cas }).outcome;
}

describe("model search — compare-and-set", () => {
  it("finds the order in which overlapping calls must have happened", () => {
    expect(outcome([set(0, 1, true, 1, 9), set(1, 2, true, 2, 8), read(2, 10, 11)])).toBe("holds");
    expect(outcome([set(1, 2, true, 1, 9), set(0, 1, true, 2, 8), read(2, 3, 4)])).toBe("holds");
  });

  it("finds that two callers cannot both have won", () => {
    expect(outcome([set(0, 1, true, 1, 9), set(0, 2, true, 2, 8)])).toBe("violated");
    expect(outcome([set(0, 1, true, 1, 9), set(0, 2, false, 2, 8)])).toBe("holds");
  });

  it("keeps to the order of calls that do not overlap", () => {
    expect(outcome([set(0, 1, true, 1, 2), read(0, 3, 4)])).toBe("violated");
    expect(outcome([set(0, 1, true, 1, 3), read(0, 3, 4)])).toBe("holds");
  });

  it("lets a call that never returned happen late, or never", () => {
    const unknown = set(0, 1, false, 1, never);
    expect(outcome([unknown, read(0, 2, 3), read(1, 4, 5)])).toBe("holds");
    expect(outcome([unknown, read(0, 2, 3)])).toBe("holds");
    expect(outcome([unknown, read(1, 2, 3), read(0, 4, 5)])).toBe("violated");
    expect(outcome([read(1, 0, 0.5), unknown])).toBe("violated");
  });

  it("says how far an order goes and what cannot come next", () => {
    const history = [set(0, 1, true, 1, 2), { ...read(0, 3, 4), client: "ada", call: 7 }];
    const { violations } = checkLinearizable(history, { model: cas });

    expect(violations).toHaveLength(1);
    expect(violations[0]?.message).toBe(
      "no order explains all answers. The longest one explains 1 of 2 and ends after " +
        '{ from: 0, to: 1 } -> true [1, 2]; next must be one of: ada/7 "read" -> 0 [3, 4]',
    );
    expect(violations[0]?.operations).toEqual([history[1]]);
  });
});

describe("model search — keys and bounds", () => {
  it("gives each key a model of its own", () => {
    const [one, other] = [set(0, 1, true, 1, 2), set(0, 5, true, 3, 4)];
    expect(outcome([one, other])).toBe("violated");
    expect(
      outcome([
        { ...one, key: "a" },
        { ...other, key: "b" },
      ]),
    ).toBe("holds");
    const { violations } = checkLinearizable([{ ...read(3, 1, 2), key: "c" }], { model: cas });
    expect(violations[0]?.message).toMatch(/^key "c": no order explains all answers/);
  });

  it("gives up at the bound, and says so", () => {
    // Forty increments at once whose sum is wrong: all their orders are alike, but not to a search.
    const adders = Array.from({ length: 40 }, (_, i) => ({
      input: 2 ** i,
      output: undefined,
      invoked: 1,
      returned: 9,
    }));
    const model: SequentialModel<number, number, number | undefined> = {
      init: 0,
      step: (sum, n) => ({ state: sum + n, output: n === 0 ? sum + n : undefined }),
    };
    const history = [...adders, { input: 0, output: -1, invoked: 10, returned: 11 }];
    const verdict = checkLinearizable(history, { model, searchStepsMax: 5_000 });

    // The bound is for all keys together.
    const keys = ["a", "b", "c"].map((key) => ({ ...set(0, 1, true, 1, 2), key }));
    const some = (searchStepsMax: number) =>
      checkLinearizable(keys, { model: cas, searchStepsMax });
    expect(some(3).outcome).toBe("holds");
    expect(some(2).outcome).toBe("undecided");
    expect(verdict.outcome).toBe("undecided");
    expect(verdict.violations.map(({ message }) => message)).toEqual([
      "given up after 5000 steps, 41 operations",
    ]);
  });

  it("looks at no state twice: twelve increments at once take thousands of steps", () => {
    const model: SequentialModel<number, "add" | "read", number> = {
      init: 0,
      step: (n, input) => {
        return input === "add" ? { state: n + 1, output: 0 } : { state: n, output: n };
      },
    };
    const call = (input: "add" | "read", output: number, invoked: number) => {
      return { input, output, invoked, returned: input === "add" ? 9 : invoked + 1 };
    };
    const adds = Array.from({ length: 12 }, () => call("add", 0, 1));
    // 12 increments have 479,001,600 orders, and 4,096 subsets with up to 13 calls to try in each.
    const options = { model, searchStepsMax: 4_096 * 13 };
    const wrong = checkLinearizable([...adds, call("read", 13, 10)], options);
    const right = checkLinearizable([...adds, call("read", 12, 10)], options);

    expect(wrong.outcome).toBe("violated");
    expect(right.outcome).toBe("holds");
  });

  it("compares answers deeply, or as the model says", () => {
    const history = [{ input: 1, output: { n: 2, note: "x" }, invoked: 1, returned: 2 }];
    const step = (state: number, input: number) => ({
      state,
      output: { n: input + 1, note: "y" },
    });
    expect(checkLinearizable(history, { model: { init: 0, step } }).outcome).toBe("violated");
    const same = (one: { n: number }, other: { n: number }) => one.n === other.n;
    expect(checkLinearizable(history, { model: { init: 0, step, same } }).outcome).toBe("holds");
  });
});

describe("model search — what it is not given", () => {
  it("refuses options that it does not know, and histories that are none", () => {
    // @ts-expect-error: no such option
    const misspelt = () => checkLinearizable([], { model: cas, searchStepMax: 1 });
    expect(misspelt).toThrow(expect.objectContaining({ code: "OPTION_UNKNOWN" }));
    expect(() => checkLinearizable([], { model: cas, searchStepsMax: 0 })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(() => checkLinearizable([read(0, 2, 1)], { model: cas })).toThrow(/history\[0\]/);
  });
});
