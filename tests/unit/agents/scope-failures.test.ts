// A bug here would look like this: a gather that runs without what was given up, a step that throws
// and takes the task with it, a scope that never ends.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { accumulate, finished } from "../../../agents/declare/aggregator.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { treeOf } from "../../support/tree-rows.js";

/** Emits the numbers below its input to a gather that collects as it is told. */
function collecting(collect: {
  readonly init?: () => unknown;
  readonly step?: (state: unknown, input: number) => unknown;
}) {
  const { init = () => 0, step = (_state: unknown, input: number) => input } = collect;
  return agent({
    entry: "split",
    result: type<unknown>(),
    maxRetries: 0,
    nodes: {
      split: scatter({ input: type<number>(), to: ["leaf"] }),
      leaf: node({ input: type<number>(), to: ["all"] }),
      all: gather({ collect: accumulate(init, step) }),
    },
  }).implement({
    split(ctx, count) {
      for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
    },
    leaf: (ctx, n) => ctx.emit("all", n),
    all: (ctx, state) => ctx.result(state),
  });
}

describe("scopes — an init or a step that throws, a state that cannot be carried", () => {
  it.each([
    [
      "an init",
      {
        init: () => {
          throw new Error("no beginning");
        },
      },
      "no beginning",
    ],
    [
      "a step",
      {
        step: (state: unknown, n: number) => {
          if (n === 2) throw new Error("not 2");
          return state;
        },
      },
      "not 2",
    ],
    ["an init that is finished", { init: () => finished(7) }, "only a step ends its scope early"],
    ["a state", { step: () => () => {} }, 'state of gather "all"'],
    ["a state that is too large", { step: () => "x".repeat(9_000_000) }, 'state of gather "all"'],
  ] as const)("%s is a failure, attributed to the gather node", async (_what, collect, message) => {
    const declared = collecting(collect);
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    const invocation = await harness.until(client.initiate(4));
    await expect(harness.until(invocation.result())).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: {
        reason: expect.stringMatching(/^Node "all" failed \(last failure: /),
        failures: [{ node: "all", attempt: 0, message: expect.stringContaining(message) }],
      },
    });
    await harness.run();
    // What runs in the scope goes on, and everything comes to its end.
    const { nodes, scopes } = treeOf(harness, invocation.id);
    expect(nodes.map(({ node: of }) => of).sort()).toEqual([
      "leaf",
      "leaf",
      "leaf",
      "leaf",
      "split",
    ]);
    expect(scopes).toMatchObject([
      { phase: "broken", outstanding: { high: 0, low: 0 }, inputs: 4 },
    ]);
  });
});

interface Told {
  inits: number;
  readonly steps: string[];
  leafThrows: number;
  stepThrows: number;
}

/** A scope whose aggregator notes what it does, and one leaf of which throws as often as told. */
function noted(told: Told) {
  return agent({
    entry: "split",
    result: type<number>(),
    nodes: {
      split: scatter({ input: type<number>(), to: ["leaf"] }),
      leaf: node({ input: type<number>(), to: ["all"] }),
      all: gather({
        collect: accumulate(
          () => {
            told.inits += 1;
            return 0;
          },
          (total, n: number) => {
            told.steps.push(`${n} in ${told.inits}`);
            told.stepThrows -= n === 1 ? 1 : 0;
            if (n === 1 && told.stepThrows >= 0) throw new Error("not yet");
            return total + n;
          },
        ),
      }),
    },
  }).implement({
    split(ctx, count) {
      for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
    },
    leaf(ctx, n) {
      told.leafThrows -= n === 0 ? 1 : 0;
      if (n === 0 && told.leafThrows >= 0) throw new Error("not yet");
      ctx.emit("all", n);
    },
    all: (ctx, total) => ctx.result(total),
  });
}

describe("scopes — another attempt", () => {
  it("begins with a fresh initial value, inputs re-applied from finished producers", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const told: Told = { inits: 0, steps: [], leafThrows: 1, stepThrows: 0 };
      const declared = noted(told);
      const harness = new ProgramHarness({ agents: { declared }, seed });
      expect(await harness.until(clientsOf(harness).agent(declared).invoke(4))).toBe(6);
      // Whatever had come before the failure is in the new state too.
      const last = told.steps.filter((step) => step.endsWith(` in ${told.inits}`));
      expect([...last].sort()).toEqual([0, 1, 2, 3].map((n) => `${n} in ${told.inits}`));
      expect(told.inits).toBeLessThanOrEqual(2);
    }
  });

  it("comes when a step throws, until there are no retries left", async () => {
    for (const [stepThrows, isDone] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const) {
      const told: Told = { inits: 0, steps: [], leafThrows: 0, stepThrows };
      const declared = noted(told);
      const harness = new ProgramHarness({ agents: { declared } });
      const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(4));
      const result = harness.until(invocation.result());
      if (isDone) expect(await result).toBe(6);
      else {
        const failures = [0, 1, 2].map((attempt) => ({ node: "all", attempt, message: "not yet" }));
        await expect(result).rejects.toMatchObject({
          details: { reason: 'Node "all" failed (last failure: not yet)', failures },
        });
      }
      expect(told.inits).toBe(Math.min(stepThrows, 2) + 1);
      await harness.run();
    }
  });
});

/** Scopes within a scope; `fails` says which leaves, rows or tables throw. */
function failing(fails: Set<string>, gathered: string[]) {
  const check = (what: string): void => {
    if (fails.has(what)) throw new Error(`${what} fails`);
  };
  return agent({
    entry: "outer",
    result: type<number>(),
    maxRetries: 0,
    nodes: {
      outer: scatter({ input: type<number>(), to: ["inner"] }),
      inner: scatter({ input: type<number>(), to: ["leaf"], carry: type<number>() }),
      leaf: node({ input: type<string>(), to: ["row"] }),
      row: gather({ collect: sum, carry: type<number>(), to: ["table"] }),
      table: gather({ collect: sum }),
    },
  }).implement({
    outer(ctx, width) {
      for (let n = 0; n < width; n += 1) ctx.emit("inner", n);
    },
    inner(ctx, n) {
      for (let leaf = 0; leaf < 3; leaf += 1) ctx.emit("leaf", `leaf ${n}.${leaf}`);
      return n;
    },
    leaf(ctx, name) {
      check(name);
      ctx.emit("row", 1);
    },
    row(ctx, count, n) {
      check(`row ${n}`);
      gathered.push(`row ${n} of ${count}`);
      ctx.emit("table", count);
    },
    table(ctx, count) {
      check("table");
      gathered.push(`table of ${count}`);
      ctx.result(count);
    },
  });
}

describe("scopes — what is given up inside", () => {
  it.each([
    [["leaf 1.2"], ["row 0 of 3", "row 2 of 3"]],
    [
      ["leaf 1.0", "leaf 1.2"],
      ["row 0 of 3", "row 2 of 3"],
    ],
    [["leaf 0.0", "leaf 1.2", "row 2"], []],
    [["table"], ["row 0 of 3", "row 1 of 3", "row 2 of 3"]],
  ])("holds back the gathers around %j until it was replayed", async (given, before) => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const gathered: string[] = [];
      const fails = new Set(given);
      const declared = failing(fails, gathered);
      const harness = new ProgramHarness({ agents: { declared }, seed });
      const clients = clientsOf(harness);
      const invocation = await harness.until(clients.agent(declared).initiate(3));
      await expect(harness.until(invocation.result())).rejects.toMatchObject({
        code: "INVOCATION_FAILED",
      });
      await harness.run();
      expect([...gathered].sort()).toEqual(before);
      fails.clear();
      const letters = await lettersOf(harness);
      expect(letters.length).toBe(given.length);
      for (const { id } of letters) {
        expect(gathered).not.toContain("table of 9");
        await harness.until(clients.deadLetters.replay(id));
        await harness.run();
      }
      expect(await harness.until(invocation.result())).toBe(9);
      const rows = ["row 0 of 3", "row 1 of 3", "row 2 of 3"];
      expect([...gathered].sort()).toEqual([...rows, "table of 9"]);
    }
  });
});

describe("scopes — finished ones", () => {
  it("re-run nothing inside when something behind them fails", async () => {
    const ran: string[] = [];
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<number>(), to: ["leaf"] }),
        leaf: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: sum, to: ["behind"] }),
        behind: node({ input: type<number>() }),
      },
    }).implement({
      split(ctx, count) {
        ran.push("split");
        for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
      },
      leaf(ctx, n) {
        ran.push(`leaf ${n}`);
        ctx.emit("all", n);
      },
      all(ctx, total) {
        ran.push("all");
        ctx.emit("behind", total);
      },
      behind(ctx, total) {
        ran.push(`behind in attempt ${ctx.attempt}`);
        if (ctx.attempt < 2) throw new Error("not yet");
        ctx.result(total);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(3))).toBe(3);
    const behind = [0, 1, 2].map((attempt) => `behind in attempt ${attempt}`);
    expect(ran.filter((what) => what.startsWith("behind"))).toEqual(behind);
    expect(ran.length - behind.length).toBe(1 + 3 + 1);
  });
});

describe("scopes — a gather that throws", () => {
  it("runs again, and nothing else does, with the state that was collected", async () => {
    let folds = 0;
    let throws = 2;
    const states: unknown[] = [];
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<number>(), to: ["leaf"] }),
        leaf: node({ input: type<number>(), to: ["all"] }),
        all: gather({
          collect: accumulate(
            () => 0,
            (state, n: number) => {
              folds += 1;
              return state + n;
            },
          ),
        }),
      },
    }).implement({
      split(ctx, count) {
        for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
      },
      leaf: (ctx, n) => ctx.emit("all", n),
      all(ctx, state) {
        states.push(state);
        throws -= 1;
        if (throws >= 0) throw new Error("again");
        ctx.result(state);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(5))).toBe(10);
    expect(states).toEqual([10, 10, 10]);
    expect(folds).toBe(5);
  });
});
