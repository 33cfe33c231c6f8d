// A bug here would look like this: records without end, or a pending invocation that is forgotten.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { sum } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import type { TaskProgramFactory } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf, lettersOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { treesSize } from "../../support/tree-rows.js";

const retained = 5;
const program: TaskProgramFactory = agentProgram({ invocationsRetainedMax: retained });

/** Numbers above 0 give themselves as the result; 0 waits. */
function heldAgent() {
  const hold = latch();
  const declared = agent({
    entry: "a",
    result: type<number>(),
    nodes: { a: node({ input: type<number>() }) },
  }).implement({
    async a(ctx, n) {
      if (n === 0) await hold.opened;
      ctx.result(n);
    },
  });
  return { declared, hold };
}

/** Gives its result in one node, while another runs on: in the first invocation until `hold`. */
function branchingAgent() {
  const hold = latch();
  const declared = agent({
    entry: "a",
    result: type<number>(),
    nodes: { a: node({ input: type<number>(), to: ["b"] }), b: node({ input: type<number>() }) },
  }).implement({
    a(ctx, n) {
      ctx.emit("b", n);
      ctx.emit("b", -n);
    },
    async b(ctx, n) {
      if (n === -1) await hold.opened;
      if (n < 0) throw new Error("late");
      ctx.result(n);
    },
  });
  return { declared, hold };
}

/** Emits to as many leaves as it is told, and to itself. */
function bushyAgent() {
  return agent({
    entry: "a",
    result: type<number>(),
    nodes: {
      a: node({ input: type<readonly [number, number]>(), to: ["a", "leaf"] }),
      leaf: node({ input: type<number>() }),
    },
  }).implement({
    a(ctx, [depth, width]) {
      for (let n = 0; n < width; n += 1) ctx.emit("leaf", n);
      if (depth > 0) ctx.emit("a", [depth - 1, width]);
      if (depth === 0 && width === 0) ctx.result(0);
    },
    leaf() {},
  });
}

describe("retention — ended records", () => {
  it("keeps the newest records of each agent and task", async () => {
    const { declared } = heldAgent();
    const other = heldAgent().declared;
    const agents = { declared, other };
    const harness = new ProgramHarness({ agents, tasks: 1, program });
    const clients = clientsOf(harness);
    const others = await harness.until(clients.agent(other).initiate(7));
    const invocations = [];
    for (let n = 1; n <= 20; n += 1) {
      invocations.push(await harness.until(clients.agent(declared).initiate(n)));
      await harness.run();
    }
    expect(harness.rowCount(invocationTable)).toBe(retained + 1);
    for (const [index, invocation] of invocations.entries()) {
      const result = harness.until(invocation.result());
      if (index >= 15) expect(await result).toBe(index + 1);
      else await expect(result).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
    }
    expect(await harness.until(others.result())).toBe(7);
  });

  it("goes on where it was after a restart", async () => {
    const { declared } = heldAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    const invocations = [];
    for (let n = 1; n <= 12; n += 1) {
      invocations.push(await harness.until(client.initiate(n)));
      await harness.run();
      harness.crash(0);
    }
    expect(harness.rowCount(invocationTable)).toBe(retained);
    const newest = Promise.all(invocations.slice(-retained).map((one) => one.result()));
    expect(await harness.until(newest)).toEqual([8, 9, 10, 11, 12]);
  });
});

describe("retention — pending records", () => {
  it("skips them; one that ends at last is the newest, also after a restart", async () => {
    const { declared, hold } = heldAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    const pending = await harness.until(client.initiate(0));
    const more = async (count: number) => {
      for (let n = 1; n <= count; n += 1) {
        await harness.until(client.initiate(n));
        await harness.run();
      }
    };
    await more(20);
    expect(harness.rowCount(invocationTable)).toBe(retained + 1);
    hold.open();
    expect(await harness.until(pending.result())).toBe(0);
    expect(harness.rowCount(invocationTable)).toBe(retained);
    await more(retained - 2);
    harness.crash(0);
    await more(1);
    expect(await harness.until(pending.result())).toBe(0);
    await more(1);
    expect(harness.rowCount(invocationTable)).toBe(retained);
    await expect(harness.until(pending.result())).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
  });

  it("judges one that was replayed by when it was over last", async () => {
    let isBroken = true;
    const broken = agent({
      entry: "a",
      result: type<number>(),
      maxRetries: 0,
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      a(ctx, n) {
        if (n === 0 && isBroken) throw new Error("broken");
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { broken }, tasks: 1, program });
    const clients = clientsOf(harness);
    const client = clients.agent(broken);
    const failed = await harness.until(client.initiate(0));
    const more = async (count: number) => {
      for (let n = 1; n <= count; n += 1) await harness.until(client.invoke(n));
    };
    await more(retained - 1);
    isBroken = false;
    const [letter] = await lettersOf(harness);
    await harness.until(clients.deadLetters.replay(letter?.id ?? ""));
    expect(await harness.until(failed.result())).toBe(0);
    await more(retained - 1);
    expect(await harness.until(failed.result())).toBe(0);
    await more(1);
    await expect(harness.until(failed.result())).rejects.toMatchObject({
      code: "INVOCATION_UNKNOWN",
    });
  });

  it("skips one that has its result while something of it runs", async () => {
    const { declared, hold } = branchingAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    const first = await harness.until(client.initiate(1));
    await harness.run();
    for (let n = 2; n <= 9; n += 1) {
      await harness.until(client.initiate(n));
      await harness.run();
    }
    expect(harness.rowCount(invocationTable)).toBe(retained + 1);
    expect(await harness.until(first.result())).toBe(1);
    hold.open();
    await harness.run();
    expect(harness.rowCount(invocationTable)).toBe(retained);
  });

  it("catches up on a backlog a few records for each message", async () => {
    const { declared, hold } = heldAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    await harness.until(Promise.all(Array.from({ length: 40 }, () => client.initiate(0))));
    await harness.run();
    expect(harness.rowCount(invocationTable)).toBe(40);
    hold.open();
    await harness.run();
    expect(harness.rowCount(invocationTable)).toBe(retained);
  });
});

describe("retention — threads that wait", () => {
  it("forgets a thread that died", async () => {
    const { declared, hold } = heldAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const dying = clientsOf(harness);
    const living = clientsOf(harness);
    const { id } = await harness.until(dying.agent(declared).initiate(0));
    const lost = dying.agent(declared).get(id).result();
    const kept = living.agent(declared).get(id).result();
    await harness.run();
    harness.program(0).threadExited(dying.thread);
    hold.open();
    expect(await harness.until(kept)).toBe(0);
    await expect(harness.until(lost)).rejects.toThrow(/still pending/);
  });
});

describe("retention — whole trees", () => {
  it.each([
    ["small", [2, 3], 3 + 9],
    ["large", [3, 30], 4 + 120],
  ] as const)("forgets every row of a %s tree with its record", async (_size, shape, nodes) => {
    const declared = bushyAgent();
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    for (let n = 0; n < 9; n += 1) {
      await harness.until(client.initiate(shape));
      await harness.run();
    }
    expect(harness.rowCount(invocationTable)).toBe(retained);
    // Beside the records of its node invocations a tree has its input.
    expect(treesSize(harness, 0)).toBe(retained * (nodes + 1));
  });

  it("forgets many large ones that are over at once", async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const declared = bushyAgent();
      const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program, seed });
      const client = clientsOf(harness).agent(declared);
      await harness.until(Promise.all(Array.from({ length: 9 }, () => client.initiate([2, 30]))));
      await harness.run();
      expect(harness.rowCount(invocationTable)).toBe(retained);
      expect(treesSize(harness, 0)).toBe(retained * (3 + 90 + 1));
    }
  });

  it("forgets scopes and their inputs with it", async () => {
    const declared = agent({
      entry: "outer",
      result: type<number>(),
      nodes: {
        outer: scatter({ input: type<number>(), to: ["inner"] }),
        inner: scatter({ input: type<number>(), to: ["leaf", "row"] }),
        leaf: node({ input: type<number>(), to: ["row"] }),
        row: gather({ collect: sum, to: ["table"] }),
        table: gather({ collect: sum }),
      },
    }).implement({
      outer(ctx, n) {
        for (let row = 0; row < n; row += 1) ctx.emit("inner", row);
      },
      inner(ctx, n) {
        ctx.emit("row", n);
        ctx.emit("leaf", n);
      },
      leaf: (ctx, n) => ctx.emit("row", n),
      row: (ctx, total) => ctx.emit("table", total),
      table: (ctx, total) => ctx.result(total),
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    const client = clientsOf(harness).agent(declared);
    for (let n = 0; n < 12; n += 1) {
      const invocation = await harness.until(client.initiate(3));
      expect(await harness.until(invocation.result())).toBe(6);
      await harness.run();
    }
    // 3 leaves; for each of 4 scopes two nodes, the scope, what the gather was run with; of rows
    // two that gave inputs each, of the table three; the input of it all.
    expect(harness.rowCount(invocationTable)).toBe(retained);
    expect(treesSize(harness, 0)).toBe(retained * (3 + 4 * 4 + 3 * 2 + 3 + 1));
  });

  it("keeps as many of an agent as it says", async () => {
    const declared = agent({
      entry: "a",
      result: type<null>(),
      maxInvocationsPerTask: 2,
      nodes: { a: node({ input: type<null>() }) },
    }).implement({ a: (ctx) => ctx.result(null) });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program });
    for (let n = 0; n < 9; n += 1) {
      await harness.until(clientsOf(harness).agent(declared).invoke(null));
    }
    expect(harness.rowCount(invocationTable)).toBe(2);
    expect(treesSize(harness, 0)).toBe(2 * 2);
  });

  it("goes on behind a crash: no row of a tree outlives its record", async () => {
    const declared = bushyAgent();
    let cutShort = 0;
    for (let steps = 0; steps < 24; steps += 1) {
      const harness = new ProgramHarness({ agents: { declared }, tasks: 1, program, seed: steps });
      const client = clientsOf(harness).agent(declared);
      const large = await harness.until(client.initiate([3, 30]));
      await harness.run();
      for (let n = 0; n < retained; n += 1) await harness.until(client.initiate([0, 0]));
      for (let n = 0; n < steps; n += 1) await harness.stepNow();
      harness.crash(0);
      const left = treesSize(harness, 0) - 2 * retained;
      if (left > 0 && left < 125) cutShort += 1;
      const isKept = harness.rowCount(invocationTable) > retained;
      if (left > 0) expect(isKept).toBe(true);
      await harness.until(client.initiate([0, 0]));
      await harness.run();
      expect(harness.rowCount(invocationTable)).toBe(retained);
      expect(treesSize(harness, 0)).toBe(2 * retained);
      await expect(harness.until(large.result())).rejects.toMatchObject({
        code: "INVOCATION_UNKNOWN",
      });
    }
    expect(cutShort).toBeGreaterThan(0);
  });
});
