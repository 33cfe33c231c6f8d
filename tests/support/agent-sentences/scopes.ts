// Sentences of agents.md, "Aggregation". A bug here would look like a gather that runs twice or too
// soon, an input that is in two scopes or in none.

import { describe, expect } from "vitest";
import scopes from "../../topologies/agents-scopes.js";
import { errorOf } from "./codes.js";
import { finishedNodes, type Implementation, type Sentences, sentences } from "./stage.js";

type Told = Sentences<(typeof scopes)["parts"]>;

export function scopeSentences(implementation: Implementation): void {
  const told = sentences(implementation, scopes);
  aggregators(told);
  gathers(told);
  nestings(told);
  earlyEnds(told);
  throwingSteps(told);
}

/** What each collects, in this order, and what becomes of it. */
const collected = {
  list: [
    ["b", "a", "b"],
    ["b", "a", "b"],
  ],
  set: [["b", "a", "b"], new Set(["b", "a"])],
  multiSet: [
    ["b", "a", "b"],
    new Map([
      ["b", 2],
      ["a", 1],
    ]),
  ],
  map: [
    [
      ["k", 1],
      ["l", 2],
      ["k", 3],
    ],
    new Map([
      ["k", 3],
      ["l", 2],
    ]),
  ],
  mergeMap: [
    [
      new Map([
        ["k", 1],
        ["l", 2],
      ]),
      new Map([["k", 3]]),
    ],
    new Map([
      ["k", 3],
      ["l", 2],
    ]),
  ],
  sum: [[1, 2, 4], 7],
  min: [[3, 1, 2], 1],
  max: [[1, 3, 2], 3],
  first: [["x", "y", "z"], "x"],
  last: [["x", "y", "z"], "z"],
  and: [[true, false, true], false],
  or: [[false, true, false], true],
  accumulate: [["x", "y"], "<x><y>"],
  combine: [[2, 3, 7], 42],
  multi: [[{ tag: "more", value: 1 }, { tag: "none" }, { tag: "more", value: 5 }], 5],
} as const;

/** What a gather gets that was given nothing. */
const initial = {
  list: [],
  set: new Set(),
  multiSet: new Map(),
  map: new Map(),
  mergeMap: new Map(),
  sum: 0,
  min: undefined,
  max: undefined,
  first: undefined,
  last: undefined,
  and: true,
  or: false,
  accumulate: "",
  combine: 1,
  multi: 0,
} as const;

type Collecting = keyof typeof collected;

// cast: Object.keys says only that they are texts.
const names = Object.keys(collected) as Collecting[];

function aggregators({ whole, both }: Told): void {
  describe("aggregation — built-in aggregators", () => {
    both(`collect in the order of arrival: ${names.join(", ")}`, async (scene) => {
      const ids = new Map<Collecting, string>();
      for (const name of names) {
        const [inputs] = collected[name];
        ids.set(name, (await scene.runtime.agent(name).initiate(inputs, scene.given)).id);
      }
      await scene.cut(...names);
      for (const [name, id] of ids) {
        expect([name, await scene.runtime.agent(name).get(id).result()]).toEqual([
          name,
          collected[name][1],
        ]);
      }
    });

    whole("also with zero inputs: then on the initial value", async (scene) => {
      for (const name of names) {
        const state = await scene.runtime.agent(name).invoke([], scene.given);
        expect([name, state]).toEqual([name, initial[name]]);
      }
    });

    whole("an unknown tag is an error naming the valid ones", async (scene) => {
      expect(await scene.runtime.agent("tagging").invoke("none", scene.given)).toBe(5);
      expect(scene.notes()[0]).toMatch(/none.*more.*less/);
      expect(await scene.runtime.agent("tagging").invoke("less", scene.given)).toBe(4);
    });
  });
}

function gathers({ whole, both }: Told): void {
  describe("aggregation — the gather", () => {
    both("what the scatter returns is its third argument; it runs once", async (scene) => {
      const carry = { a: 1n };
      const input = { carry, leaves: 4 };
      const { id } = await scene.runtime.agent("carrying").initiate(input, scene.given);
      await scene.cut("all");
      expect(await scene.runtime.agent("carrying").get(id).result()).toEqual([10, carry]);
      // When the whole scope has finished. A run that is cut off is none.
      expect(scene.times("all")).toBe(scene.isCut ? 2 : 1);
    });

    whole("its third argument is undefined if the scatter returns nothing", async (scene) => {
      const input = { carry: undefined, leaves: 0 };
      const given = await scene.runtime.agent("carrying").invoke(input, scene.given);
      expect(given).toEqual([0, undefined]);
    });

    whole("a node inside a scope may give the result", async (scene) => {
      expect(await scene.runtime.agent("inside").invoke("x", scene.given)).toBe("inside: x");
      await scene.noted("all 0");
    });

    both("may emit to its own scatter; loops inside one scope are fine", async (scene) => {
      const { id } = await scene.runtime.agent("rounds").initiate([], scene.given);
      await scene.cut("leaf");
      expect(await scene.runtime.agent("rounds").get(id).result()).toEqual([0, 1, 3, 5]);
    });
  });
}

function nestings({ both }: Told): void {
  describe("aggregation — several scopes", () => {
    both("nest; of the same nodes several are open at once and never mix", async (scene) => {
      const { id } = await scene.runtime.agent("nested").initiate([3, 4, 0, 5, 7], scene.given);
      await scene.cut("row");
      for (const field of [1, 2, 3, 4]) await scene.noted(`basket ${field}`);
      // The gather acks the parent scope only after it has finished itself.
      await finishedNodes(scene.runtime.agent("nested").get(id), "basket", 4);
      expect(scene.times("barn")).toBe(0);
      scene.note("go");
      const baskets = await scene.runtime.agent("nested").get(id).result();
      expect([...baskets].sort()).toEqual([
        [1, 10],
        [2, 0],
        [3, 15],
        [4, 28],
      ]);
      const lines = scene.notes();
      expect(lines.slice(-2)).toEqual(["basket 0", "barn"]);
    });
  });
}

/** Those that run a function of the user's, which can return `finished(state)`. */
const endings: readonly [
  string,
  "earlyAccumulate" | "earlyCombine" | "earlyMulti",
  (n: number) => unknown,
][] = [
  ["accumulate", "earlyAccumulate", (n) => n],
  ["combine", "earlyCombine", (n) => n],
  ["multi", "earlyMulti", (n) => ({ tag: "some", value: n })],
];

function earlyEnds({ both }: Told): void {
  describe("aggregation — finished(state) from accumulate, combine or multi ends it early", () => {
    both(
      "the gather runs exactly once, at once; running siblings are not stopped",
      async (scene) => {
        const ids = new Map<string, string>();
        for (const [by, name] of endings) {
          ids.set(by, (await scene.runtime.agent(name).initiate(4, scene.given)).id);
        }
        await scene.cut(...endings.map(([by]) => `${by}: all`));
        const notesOf = (by: string, what = "") =>
          scene.notes().filter((line) => line.startsWith(`${by}: ${what}`));
        for (const [by, name] of endings) {
          // The siblings wait until they are told.
          const invocation = scene.runtime.agent(name).get(ids.get(by) ?? "");
          expect([by, await invocation.result()]).toEqual([by, 1]);
          expect(notesOf(by)).toEqual([`${by}: leaf 1`, `${by}: all 1`]);
        }
        scene.note("go");
        await scene.cut(...endings.map(([by]) => `${by}: sibling`));
        for (const [by, name, inputOf] of endings) {
          // Later inputs are recorded and ignored.
          const invocation = scene.runtime.agent(name).get(ids.get(by) ?? "");
          const traces = await finishedNodes(invocation, "leaf", 4);
          const emits = traces.filter(({ node }) => node === "leaf").flatMap((one) => one.emits);
          const inputs = emits.map(({ message }) => message);
          expect(inputs.length).toBe(4);
          expect(inputs).toEqual(expect.arrayContaining([1, 2, 3, 4].map(inputOf)));
          expect(notesOf(by, "all")).toEqual([`${by}: all 1`]);
          expect(await invocation.result()).toBe(1);
        }
      },
    );
  });
}

function throwingSteps({ both }: Told): void {
  describe("aggregation — failures", () => {
    both("a throwing init or step is a failure of the attempt, of the gather", async (scene) => {
      const { id: init } = await scene.runtime.agent("brokenInit").initiate(3, scene.given);
      const { id: step } = await scene.runtime.agent("brokenStep").initiate(3, scene.given);
      await scene.cut("leaf of init", "leaf of step");
      const begun = [
        ["no init", scene.runtime.agent("brokenInit").get(init)],
        ["no step", scene.runtime.agent("brokenStep").get(step)],
      ] as const;
      for (const [message, invocation] of begun) {
        const { details } = await errorOf("INVOCATION_FAILED", invocation.result());
        const failures = [0, 1].map((attempt) => ({ node: "all", attempt, message }));
        expect(details.failures).toMatchObject(failures);
        expect(details.reason).toContain('Node "all" failed');
      }
    });

    both(
      "an unfinished scope begins with a fresh initial value, inputs re-applied",
      async (scene) => {
        const input = { leaves: 5, notes: scene.key };
        const invocation = await scene.runtime.agent("healing").initiate(input, scene.given);
        await finishedNodes(invocation, "leaf", 4);
        scene.note("go");
        await scene.cut("again");
        expect(await scene.runtime.agent("healing").get(invocation.id).result()).toBe(15);
        // Finished producers are not re-run.
        for (const n of [2, 3, 4, 5]) expect(scene.times(`leaf ${n}`)).toBe(1);
        expect(scene.times("leaf 1")).toBe(scene.isCut ? 3 : 2);
        // Behind it, only the gather's function re-runs, with the state that was collected.
        expect(scene.times("all of 5")).toBe(2);
        if (scene.isCut) return;
        expect(scene.times("step 4")).toBe(1);
        expect(scene.times("step 0")).toBe(2);
      },
    );
  });
}
