// A bug here would look like this: a gather that runs twice, too early or never, an input that is
// lost or counts in another scope.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { accumulate, finished } from "../../../agents/declare/aggregator.js";
import { list, sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { treeOf } from "../../support/tree-rows.js";

/** Counts below its input are squared one by one, and added up. */
function squares(onGather: (state: number, carry: string) => void = () => {}) {
  return agent({
    entry: "split",
    result: type<string>(),
    nodes: {
      split: scatter({ input: type<number>(), to: ["square"], carry: type<string>() }),
      square: node({ input: type<number>(), to: ["total"] }),
      total: gather({ collect: sum, carry: type<string>() }),
    },
  }).implement({
    split(ctx, count) {
      for (let n = 0; n < count; n += 1) ctx.emit("square", n);
      return `of ${count}`;
    },
    square: (ctx, n) => ctx.emit("total", n * n),
    total(ctx, state, carry) {
      onGather(state, carry);
      ctx.result(`${state} ${carry}`);
    },
  });
}

describe("scopes — from a scatter to its gather", () => {
  it("runs the gather once, when the whole scope has finished", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const gathered: number[] = [];
      const declared = squares((state) => gathered.push(state));
      const harness = new ProgramHarness({ agents: { declared }, seed });
      const client = clientsOf(harness).agent(declared);
      expect(await harness.until(client.invoke(10))).toBe("285 of 10");
      await harness.run();
      expect(gathered).toEqual([285]);
    }
  });

  it("runs it on the initial value when there were no inputs", async () => {
    const declared = squares();
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(0))).toBe("0 of 0");
  });

  it("gives it what the scatter has returned, undefined if that returns nothing", async () => {
    const seen: unknown[] = [];
    const declared = agent({
      entry: "split",
      result: type<null>(),
      nodes: {
        split: scatter({ input: type<null>(), to: ["all"] }),
        all: gather({ collect: list(type<number>()) }),
      },
    }).implement({
      split: (ctx) => ctx.emit("all", 1),
      all(ctx, state, carry) {
        seen.push(state, carry);
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    await harness.until(clientsOf(harness).agent(declared).invoke(null));
    expect(seen).toEqual([[1], undefined]);
  });

  it("refuses what a scatter has returned when it is not what it declares to carry", async () => {
    const declared = agent({
      entry: "split",
      result: type<null>(),
      maxRetries: 0,
      nodes: {
        split: scatter({ input: type<null>(), to: ["all"], carry: type<unknown>() }),
        all: gather({ collect: sum, carry: type<unknown>() }),
      },
    }).implement({ split: () => () => {}, all: (ctx) => ctx.result(null) });
    const harness = new ProgramHarness({ agents: { declared } });
    await expect(
      harness.until(clientsOf(harness).agent(declared).invoke(null)),
    ).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
      details: { failures: [{ node: "split", message: expect.stringContaining("has returned") }] },
    });
  });

  it("collects a list in the order of arrival", async () => {
    const hold = [latch(), latch(), latch()];
    const declared = agent({
      entry: "split",
      result: type<readonly number[]>(),
      nodes: {
        split: scatter({ input: type<null>(), to: ["wait"] }),
        wait: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: list(type<number>()) }),
      },
    }).implement({
      split(ctx) {
        for (const n of hold.keys()) ctx.emit("wait", n);
      },
      async wait(ctx, n) {
        await hold[n]?.opened;
        ctx.emit("all", n);
        ctx.emit("all", n + 10);
      },
      all: (ctx, state) => ctx.result(state),
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    for (const n of [2, 0, 1]) {
      hold[n]?.open();
      await harness.run();
    }
    expect(await harness.until(invocation.result())).toEqual([2, 12, 0, 10, 1, 11]);
  });

  it("runs scatter and gather nodes on the home task, whoever emits to them", async () => {
    const declared = agent({
      entry: "fan",
      result: type<null>(),
      nodes: {
        fan: node({ input: type<number>(), to: ["split"] }),
        split: scatter({ input: type<number>(), to: ["leaf"] }),
        leaf: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: sum }),
      },
    }).implement({
      fan(ctx, count) {
        for (let n = 0; n < count; n += 1) ctx.emit("split", n);
      },
      split(ctx, count) {
        for (let n = 0; n < count; n += 1) ctx.emit("leaf", n);
      },
      leaf: (ctx, n) => ctx.emit("all", n),
      all() {},
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 5 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(7));
    await harness.run();
    const { home, nodes } = treeOf(harness, invocation.id);
    const tasksOf = (name: string) => {
      const own = nodes.filter(({ node: of }) => of === name);
      return { count: own.length, tasks: new Set(own.map(({ task }) => task)) };
    };
    expect(tasksOf("split")).toEqual({ count: 7, tasks: new Set([home]) });
    expect(tasksOf("all")).toEqual({ count: 7, tasks: new Set([home]) });
    expect(tasksOf("leaf").tasks.size).toBe(5);
  });

  it("lets a node inside a scope give the result", async () => {
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<number>(), to: ["look"] }),
        look: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: list(type<number>()) }),
      },
    }).implement({
      split(ctx, count) {
        for (let n = 0; n < count; n += 1) ctx.emit("look", n);
      },
      look(ctx, n) {
        if (n === 3) ctx.result(n);
        else ctx.emit("all", n);
      },
      all(_ctx, state) {
        gathered.push([...state].sort());
      },
    });
    const gathered: number[][] = [];
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(5))).toBe(3);
    await harness.run();
    expect(gathered).toEqual([[0, 1, 2, 4]]);
  });
});

/** Scopes within scopes: `depth` levels, `width` of each, and the number of leaves at the end. */
function nested(hold?: Promise<void>) {
  return agent({
    entry: "outer",
    result: type<number>(),
    nodes: {
      outer: scatter({ input: type<number>(), to: ["inner"], carry: type<number>() }),
      inner: scatter({ input: type<number>(), to: ["leaf"], carry: type<number>() }),
      leaf: node({ input: type<number>(), to: ["leaf", "row"] }),
      row: gather({ collect: sum, carry: type<number>(), to: ["table"] }),
      table: gather({ collect: list(type<number>()), carry: type<number>() }),
    },
  }).implement({
    outer(ctx, width) {
      for (let n = 1; n <= width; n += 1) ctx.emit("inner", n);
      return width;
    },
    inner(ctx, n) {
      for (let leaf = 0; leaf < n; leaf += 1) ctx.emit("leaf", leaf);
      return n;
    },
    // A loop inside one scope: each leaf goes round once for each number below it.
    leaf(ctx, left) {
      if (left > 0) ctx.emit("leaf", left - 1);
      else ctx.emit("row", 1);
    },
    async row(ctx, count, n) {
      if (n === 1) await hold;
      if (count !== n) throw new Error(`a scope of ${n} has gathered ${count}`);
      ctx.emit("table", n * count);
    },
    table(ctx, rows, width) {
      if (rows.length !== width) throw new Error(`${rows.length} of ${width} rows`);
      ctx.result(rows.reduce((total, row) => total + row, 0));
    },
  });
}

describe("scopes — several of them", () => {
  it("nests scopes, and never mixes those of the same nodes that are open at once", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const declared = nested();
      const harness = new ProgramHarness({ agents: { declared }, seed });
      const client = clientsOf(harness).agent(declared);
      const all = Promise.all([4, 6, 5].map((width) => client.invoke(width)));
      expect(await harness.until(all)).toEqual([1 + 4 + 9 + 16, 91, 55]);
    }
  });

  it("acks the parent scope only after the gather function has finished itself", async () => {
    const hold = latch();
    const declared = nested(hold.opened);
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(3));
    await harness.run();
    const names = (): readonly string[] =>
      treeOf(harness, invocation.id).nodes.map((of) => of.node);
    expect(names().filter((name) => name === "row").length).toBe(2);
    expect(names()).not.toContain("table");
    hold.open();
    expect(await harness.until(invocation.result())).toBe(14);
  });

  it("lets a gather emit to its own scatter: a new scope each time", async () => {
    const declared = agent({
      entry: "halve",
      result: type<number>(),
      nodes: {
        halve: scatter({ input: type<number>(), to: ["part"], carry: type<number>() }),
        part: node({ input: type<number>(), to: ["join"] }),
        join: gather({ collect: sum, carry: type<number>(), to: ["halve"] }),
      },
    }).implement({
      halve(ctx, n) {
        for (let part = 0; part < n; part += 1) ctx.emit("part", 1);
        return n;
      },
      part: (ctx, n) => ctx.emit("join", n),
      join(ctx, total, n) {
        if (total > 1) ctx.emit("halve", total >> 1);
        else ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(20));
    expect(await harness.until(invocation.result())).toBe(1);
    const { scopes } = treeOf(harness, invocation.id);
    expect(scopes.map(({ inputs }) => inputs).sort((a, b) => b - a)).toEqual([20, 10, 5, 2, 1]);
  });
});

/** Ends its scope at the number it is told; numbers wait for `hold` when they are told to. */
function racing(hold: Promise<void>, onGather: (state: number) => void, onRun: () => void) {
  return agent({
    entry: "outer",
    result: type<string>(),
    nodes: {
      outer: scatter({ input: type<null>(), to: ["split"] }),
      split: scatter({ input: type<null>(), to: ["run"] }),
      run: node({ input: type<number>(), to: ["winner"] }),
      winner: gather({
        collect: accumulate(
          () => -1,
          (state, n: number) => (n >= 7 ? finished(n) : Math.max(state, n)),
        ),
        to: ["done"],
      }),
      done: gather({ collect: list(type<number>()) }),
    },
  }).implement({
    outer: (ctx) => ctx.emit("split", null),
    split(ctx) {
      for (const n of [1, 7, 8, 9]) ctx.emit("run", n);
    },
    async run(ctx, n) {
      if (n > 7) await hold;
      onRun();
      ctx.emit("winner", n);
    },
    winner(ctx, state) {
      onGather(state);
      ctx.emit("done", state);
    },
    done: (ctx, state) => ctx.result(state.join()),
  });
}

describe("scopes — finished early", () => {
  it("runs the gather exactly once, at once; later inputs are recorded and ignored", async () => {
    const hold = latch();
    const gathered: number[] = [];
    let runs = 0;
    const declared = racing(
      hold.opened,
      (state) => gathered.push(state),
      () => {
        runs += 1;
      },
    );
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    expect(gathered).toEqual([7]);
    expect(runs).toBe(2);
    hold.open();
    expect(await harness.until(invocation.result())).toBe("7");
    await harness.run();
    // Running siblings are not stopped.
    expect(runs).toBe(4);
    expect(gathered).toEqual([7]);
    const [inputs] = treeOf(harness, invocation.id)
      .scopes.filter(({ gather: name }) => name === "winner")
      .map((scope) => scope.inputs);
    expect(inputs).toBe(4);
  });

  it("does not end the scope around it before the siblings that still run", async () => {
    const hold = latch();
    const declared = racing(
      hold.opened,
      () => {},
      () => {},
    );
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    const names = treeOf(harness, invocation.id).nodes.map((of) => of.node);
    expect(names).toContain("winner");
    expect(names).not.toContain("done");
    hold.open();
    expect(await harness.until(invocation.result())).toBe("7");
  });
});
