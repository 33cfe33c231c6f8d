// A bug here would look like this: two scopes that share a state, two equal objects that are two
// items, an input that nobody checked.

import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  accumulate,
  type Aggregator,
  type AggregatorDefinition,
  aggregatorOf,
  combine,
  finished,
  isFinished,
  multi,
} from "../../../agents/declare/aggregator.js";
import * as builtIn from "../../../agents/declare/aggregators.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { decodeValue, encodeValue } from "../../../store/value.js";

function definition(of: Aggregator<unknown, unknown>): AggregatorDefinition {
  const found = aggregatorOf(of);
  if (found === undefined) throw new Error("no aggregator");
  return found;
}

/** The state behind inputs, each of them checked as it is when it is emitted. */
function fold(of: Aggregator<unknown, unknown>, inputs: readonly unknown[]): unknown {
  const { init, step, check } = definition(of);
  return inputs.reduce((state, input) => step(state, check(input, "here")), init());
}

/** The same with a state that goes through its bytes behind every input. */
function foldOverBytes(of: Aggregator<unknown, unknown>, inputs: readonly unknown[]): unknown {
  const { init, step, check } = definition(of);
  return inputs.reduce((state, input) => {
    const next = step(state, check(input, "here"));
    return next === undefined ? undefined : decodeValue(encodeValue(next, "state"));
  }, init());
}

const text = type<string>();
const item = type<unknown>();

describe("aggregators — the built-in ones", () => {
  it.each<[string, Aggregator<unknown, unknown>, readonly unknown[], unknown, unknown]>([
    ["list", builtIn.list(text), ["b", "a", "b"], ["b", "a", "b"], []],
    ["set", builtIn.set(text), ["b", "a", "b"], new Set(["b", "a"]), new Set()],
    [
      "multiSet",
      builtIn.multiSet(text),
      ["b", "a", "b"],
      new Map([
        ["b", 2],
        ["a", 1],
      ]),
      new Map(),
    ],
    [
      "map",
      builtIn.map(text, type<number>()),
      [
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ],
      new Map([
        ["a", 3],
        ["b", 2],
      ]),
      new Map(),
    ],
    [
      "mergeMap",
      builtIn.mergeMap(text, type<number>()),
      [new Map([["a", 1]]), new Map(), new Map([["a", 3]])],
      new Map([["a", 3]]),
      new Map(),
    ],
    ["sum", builtIn.sum, [1, 2, 3.5], 6.5, 0],
    ["min", builtIn.min, [2, -1, 3], -1, undefined],
    ["max", builtIn.max, [2, -1, 3], 3, undefined],
    ["first", builtIn.first(item), [null, 2, 3], null, undefined],
    ["last", builtIn.last(item), [1, 2, null], null, undefined],
    ["and", builtIn.and, [true, false, true], false, true],
    ["or", builtIn.or, [false, true, false], true, false],
  ])("%s collects, and begins with its initial value", (name, of, inputs, expected, initial) => {
    expect(fold(of, inputs)).toEqual(expected);
    expect(foldOverBytes(of, inputs)).toEqual(expected);
    expect(fold(of, [])).toEqual(initial);
    expect(definition(of)).toMatchObject({ name, problems: [] });
  });

  it("every scope gets an initial value of its own", () => {
    for (const of of [builtIn.list(item), builtIn.set(item), builtIn.multiSet(item)]) {
      const { init } = definition(of);
      expect(init()).not.toBe(init());
    }
    const { init } = definition(combine({ names: ["a"] }, (one) => one));
    expect(init()).toEqual({ names: ["a"] });
    expect(init()).not.toBe(init());
  });

  it("values are equal when their content is, whatever objects hold it", () => {
    const inputs = [
      { a: 1, b: [new Date(5)] },
      { b: [new Date(5)], a: 1 },
      { a: 1, b: [new Date(6)] },
      "1",
      1,
      Number.NaN,
      Number.NaN,
      -0,
      0,
      new Map([
        [1, "x"],
        [2, "y"],
      ]),
      new Map([
        [2, "y"],
        [1, "x"],
      ]),
      new Set(["x", "y"]),
      new Set(["y", "x"]),
      ["x", "y"],
      new Uint8Array([1]),
      new Uint8Array([1]),
    ];
    for (const folded of [fold, foldOverBytes]) {
      expect(folded(builtIn.set(item), inputs)).toHaveProperty("size", 10);
      const counts = folded(builtIn.multiSet(item), inputs);
      if (!(counts instanceof Map)) throw new Error("no map");
      expect([...counts.values()]).toEqual([2, 1, 1, 1, 2, 2, 2, 2, 1, 2]);
    }
    const pairs = [
      [{ id: 1 }, "a"],
      [{ id: 2 }, "b"],
      [{ id: 1 }, "c"],
    ];
    const expected = new Map([
      [{ id: 1 }, "c"],
      [{ id: 2 }, "b"],
    ]);
    expect(fold(builtIn.map(item, item), pairs)).toEqual(expected);
  });

  it.each<[string, Aggregator<unknown, unknown>, unknown, string]>([
    ["sum", builtIn.sum, "1", 'expected a number, got "1"'],
    ["min", builtIn.min, null, "expected a number, got null"],
    ["and", builtIn.and, 1, "expected a boolean, got 1"],
    ["map", builtIn.map(text, text), ["a"], "expected [key, value], got [ 'a' ]"],
    ["mergeMap", builtIn.mergeMap(text, text), { a: "b" }, "expected a Map, got { a: 'b' }"],
    ["list", builtIn.list(z.string()), 5, "Invalid input"],
    ["map", builtIn.map(z.string(), z.string()), [5, "a"], "Invalid input"],
  ])("%s refuses an input that is none where it is emitted", (_name, of, input, message) => {
    expect(() => definition(of).check(input, "emit")).toThrow(
      expect.objectContaining({
        code: "SCHEMA_INVALID",
        details: { where: expect.stringContaining("emit"), issues: [expect.anything()] },
        message: expect.stringContaining(message),
      }),
    );
  });

  it("keeps what a schema has made of an input", () => {
    const sizes = builtIn.list(z.string().transform((given) => given.length));
    expect(fold(sizes, ["a", "abc"])).toEqual([1, 3]);
  });
});

describe("aggregators — of the user's functions", () => {
  it("accumulate begins with init and goes on with step", () => {
    const longest = accumulate(
      () => 0,
      (most, word: string) => Math.max(most, word.length),
    );
    expect(fold(longest, ["a", "abc", "ab"])).toBe(3);
    expect(fold(longest, [])).toBe(0);
  });

  it("combine begins with zero", () => {
    const product = combine(1, (one, other) => one * other);
    expect(fold(product, [2, 3])).toBe(6);
    expect(fold(product, [])).toBe(1);
  });

  it("finished(state) is told from a state that looks like it", () => {
    const { step } = definition(combine(0, (one, other: number) => finished(one + other)));
    const outcome = step(1, 2);
    expect(isFinished(outcome)).toBe(true);
    expect(outcome).toMatchObject({ state: 3 });
    expect(isFinished({ state: 3 })).toBe(false);
    expect(isFinished(undefined)).toBe(false);
  });

  const summary = multi({
    init: () => ({ done: 0, failed: [""] }),
    on: {
      done: (state) => ({ ...state, done: state.done + 1 }),
      failed: (state, file: string) => ({ ...state, failed: [...state.failed, file] }),
    },
  });

  it("multi takes a step by the tag that an emit names", () => {
    const inputs = [{ tag: "done" }, { tag: "failed", value: "a" }, { tag: "done" }];
    expect(fold(summary, inputs)).toEqual({ done: 2, failed: ["", "a"] });
  });

  it("an unknown tag is an error naming the valid ones", () => {
    const { check } = definition(summary);
    expect(() => check({ tag: "lost" }, "emit")).toThrow(
      expect.objectContaining({
        code: "TAG_UNKNOWN",
        details: { where: "emit", tag: '"lost"', known: ["done", "failed"] },
        message: 'emit: there is no tag "lost"; there are "done", "failed"',
      }),
    );
    for (const input of [{ tag: "toString" }, { tag: 5 }]) {
      expect(() => check(input, "emit")).toThrow(expect.objectContaining({ code: "TAG_UNKNOWN" }));
    }
    for (const input of [undefined, null, "done", { value: 1 }]) {
      expect(() => check(input, "emit")).toThrow(PartitaError);
    }
  });

  it("what is wrong with its declaration is kept for the topology to report", () => {
    // cast: what a JavaScript caller could pass
    const none = undefined as never;
    const wrong = [
      accumulate(none, none),
      combine(
        () => 1,
        (one) => one,
      ),
      multi(none),
      multi({ init: () => 0, on: { "a b": none } }),
      builtIn.list(none),
    ].map((of) => definition(of).problems.map(({ code }) => code));
    expect(wrong).toEqual([
      ["OPTION_INVALID", "OPTION_INVALID"],
      ["OPTION_INVALID"],
      ["OPTION_INVALID", "OPTION_INVALID"],
      ["NAME_INVALID", "OPTION_INVALID"],
      ["SCHEMA_INVALID"],
    ]);
  });
});
