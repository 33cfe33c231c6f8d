// A bug here would look like this: two invocations of one key at once, a gate that never opens,
// more functions running than allowed, a queue that fills the memory.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { agentProgram } from "../../../agents/execution.js";
import { node } from "../../../agents/declare/node.js";
import { queueTable } from "../../../agents/node/node-queue.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { type Latch, latch } from "../../support/latch.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";

/**
 * A keyed agent whose invocations wait for a latch of their own, and say when they start and end.
 */
function heldAgent() {
  const log: string[] = [];
  const latches = new Map<string, Latch>();
  const latchOf = (name: string): Latch => {
    const known = latches.get(name) ?? latch();
    latches.set(name, known);
    return known;
  };
  const held = agent({
    entry: "a",
    result: type<null>(),
    nodes: { a: node({ input: type<[string, number]>(), key: ([key]) => key }) },
  }).implement({
    async a(ctx, [key, n]) {
      log.push(`+${key}${n}`);
      await latchOf(`${key}${n}`).opened;
      log.push(`-${key}${n}`);
      ctx.result(null);
    },
  });
  return { held, log, open: (name: string) => latchOf(name).open() };
}

/** A plain agent whose invocations all wait for one latch. */
function waitingAgent() {
  const started: number[] = [];
  const hold = latch();
  const waiting = agent({
    entry: "a",
    result: type<number>(),
    nodes: { a: node({ input: type<number>() }) },
  }).implement({
    async a(ctx, n) {
      started.push(n);
      await hold.opened;
      ctx.result(n);
    },
  });
  return { waiting, started, hold };
}

describe("node runner — keys", () => {
  it("runs one invocation at a time per key, in arrival order, waits included", async () => {
    const { held, log, open } = heldAgent();
    const harness = new ProgramHarness({ agents: { held } });
    const client = clientsOf(harness).agent(held);
    for (let n = 0; n < 3; n += 1) {
      void client.invoke(["x", n]);
      void client.invoke(["y", n]);
    }
    await harness.run();
    expect([...log].sort()).toEqual(["+x0", "+y0"]);
    log.length = 0;
    open("x1");
    await harness.run();
    expect(log).toEqual([]);
    open("x0");
    await harness.run();
    expect(log).toEqual(["-x0", "+x1", "-x1", "+x2"]);
    for (const name of ["x2", "y0", "y1", "y2"]) open(name);
    await harness.run();
    expect(log.filter((entry) => entry.includes("y"))).toEqual(["-y0", "+y1", "-y1", "+y2", "-y2"]);
  });

  it("opens a gate when the completion is committed, not when the function returns", async () => {
    const { held, log, open } = heldAgent();
    const submitted: Parameters<TaskPort["submit"]>[0][] = [];
    let submit: TaskPort["submit"] = () => {};
    const harness = new ProgramHarness({
      agents: { held },
      tasks: 1,
      program: (port, entries) => {
        submit = port.submit;
        return agentProgram()(
          { ...port, submit: (message) => void submitted.push(message) },
          entries,
        );
      },
    });
    const client = clientsOf(harness).agent(held);
    void client.invoke(["x", 0]);
    void client.invoke(["x", 1]);
    open("x0");
    await harness.run();
    expect(log).toEqual(["+x0", "-x0"]);
    expect(harness.program(0).running).toBe(1);
    for (const message of submitted) submit(message);
    await harness.run();
    expect(log).toEqual(["+x0", "-x0", "+x1"]);
  });

  it("starts nothing before the frame that says so is durable", async () => {
    const { held, log, open } = heldAgent();
    const harness = new ProgramHarness({ agents: { held }, tasks: 1 });
    const client = clientsOf(harness).agent(held);
    void client.invoke(["x", 0]).catch(() => {});
    void client.invoke(["x", 1]).catch(() => {});
    const applied = async (): Promise<void> => {
      while (!harness.hasBatchInHand(0)) await harness.step();
      await settled();
    };
    await applied();
    expect(log).toEqual([]);
    await harness.run();
    expect(log).toEqual(["+x0"]);
    open("x0");
    await settled();
    await applied();
    expect(log).toEqual(["+x0", "-x0"]);
    await harness.run();
    expect(log).toEqual(["+x0", "-x0", "+x1"]);
  });

  it("keeps keys of different nodes and agents apart", async () => {
    const one = heldAgent();
    const two = heldAgent();
    const harness = new ProgramHarness({ agents: { one: one.held, two: two.held } });
    const clients = clientsOf(harness);
    void clients.agent(one.held).invoke(["x", 0]);
    void clients.agent(two.held).invoke(["x", 0]);
    await harness.run();
    expect([one.log, two.log]).toEqual([["+x0"], ["+x0"]]);
  });

  it("keeps the gate closed until the last attempt has failed, then opens it", async () => {
    const seen: number[] = [];
    const failing = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<number>(), key: () => "same" }) },
    }).implement({
      a(_ctx, n) {
        seen.push(n);
        throw new Error("on purpose");
      },
    });
    const harness = new ProgramHarness({ agents: { failing } });
    const client = clientsOf(harness).agent(failing);
    const calls = Promise.allSettled([1, 2, 3].map((n) => client.invoke(n)));
    await harness.run();
    await calls;
    expect(seen).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  });
});

describe("node runner — bounds", () => {
  it("runs at most so many functions at once, and starts the rest in arrival order", async () => {
    const { waiting, started, hold } = waitingAgent();
    const program = agentProgram({ runningNodesMax: 3 });
    const harness = new ProgramHarness({ agents: { waiting }, tasks: 1, program });
    const client = clientsOf(harness).agent(waiting);
    const calls = Promise.all(Array.from({ length: 10 }, (_, n) => client.invoke(n)));
    await harness.run();
    expect(started).toEqual([0, 1, 2]);
    expect(harness.program(0).running).toBe(3);
    hold.open();
    expect(await harness.until(calls)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(harness.program(0).running).toBe(0);
  });

  it.each([
    ["rows", { rowsKeptMax: 2 }],
    ["bytes", { rowsKeptBytesMax: 10 }],
  ])("keeps a bounded number of %s in memory and reads the rest back", async (_what, bounds) => {
    const { waiting, started, hold } = waitingAgent();
    let reads = 0;
    const harness = new ProgramHarness({
      agents: { waiting },
      tasks: 1,
      program: (port, entries) => {
        const counted: TaskPort = {
          ...port,
          get(table, key) {
            reads += 1;
            return port.get(table, key);
          },
        };
        return agentProgram({ runningNodesMax: 1, ...bounds })(counted, entries);
      },
    });
    const client = clientsOf(harness).agent(waiting);
    const calls = Promise.all(Array.from({ length: 30 }, (_, n) => client.invoke(n)));
    await harness.run();
    const before = reads;
    hold.open();
    await harness.until(calls);
    expect(started).toEqual(Array.from({ length: 30 }, (_, n) => n));
    expect(reads - before).toBeGreaterThan(15);
    expect(reads - before).toBeLessThan(30);
    const drained = reads;
    for (let n = 0; n < 5; n += 1) await harness.until(client.invoke(n));
    expect(reads).toBe(drained);
  });

  it("lets others run while one waits: a wait never holds a thread", async () => {
    const hold = latch();
    const recursive = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>(), to: ["a"] }) },
    }).implement({
      async a(ctx, n) {
        if (n === 0) await hold.opened;
        if (n === 5) {
          hold.open();
          ctx.result(n);
        } else {
          for (const next of [0, n + 1]) if (n > 0) ctx.emit("a", next);
        }
      },
    });
    const harness = new ProgramHarness({ agents: { recursive }, tasks: 2 });
    expect(await harness.until(clientsOf(harness).agent(recursive).invoke(1))).toBe(5);
  });
});

describe("node runner — abort", () => {
  it("aborts the signals of what runs, and leaves the rows for the next launch", async () => {
    const reasons: unknown[] = [];
    const hold = latch();
    let runs = 0;
    const waiting = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      async a(ctx, n) {
        runs += 1;
        if (runs > 4) {
          ctx.result(n);
          return;
        }
        if (n % 2 === 0) {
          const { signal } = ctx;
          signal.addEventListener("abort", () => void reasons.push(signal.reason));
        }
        await hold.opened;
        // Half of them ask only now: it is aborted already.
        reasons.push(ctx.signal.reason);
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { waiting }, tasks: 1 });
    const client = clientsOf(harness).agent(waiting);
    const calls = Promise.all([0, 1, 2, 3].map((n) => client.initiate(n)));
    const invocations = await harness.until(calls);
    await harness.run();
    const reason = new Error("closed by force");
    harness.program(0).abort(reason);
    expect(reasons).toEqual([reason, reason]);
    expect(harness.program(0).running).toBe(0);
    hold.open();
    await harness.run();
    expect(reasons).toEqual(new Array(6).fill(reason));
    // One of them is the mark of the numbers used.
    expect(harness.rowCount(queueTable)).toBe(5);
    harness.crash(0);
    const results = Promise.all(invocations.map((invocation) => invocation.result()));
    expect(await harness.until(results)).toEqual([0, 1, 2, 3]);
    expect(runs).toBe(8);
  });

  it("starts nothing any more, and takes what was submitted before", async () => {
    const { waiting, started, hold } = waitingAgent();
    const harness = new ProgramHarness({ agents: { waiting }, tasks: 1 });
    const client = clientsOf(harness).agent(waiting);
    void client.invoke(1).catch(() => {});
    await harness.run();
    hold.open();
    await settled();
    // The completion of 1 waits in the mailbox.
    void client.invoke(2).catch(() => {});
    harness.program(0).abort(new Error("closed by force"));
    await harness.run();
    expect(started).toEqual([1]);
    expect(harness.rowCount(queueTable)).toBe(2);
  });
});
