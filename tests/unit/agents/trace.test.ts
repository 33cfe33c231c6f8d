// A bug here would look like this: a trace that leaves out a node invocation, says what did not
// happen, or makes a node fail that it only looks at.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NodeTrace } from "../../../agents/client/trace.js";
import { list } from "../../../agents/declare/aggregators.js";
import { node } from "../../../agents/declare/node.js";
import { gather, scatter } from "../../../agents/declare/scatter-gather.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { StoreContent } from "../../support/program-store.js";
import { balances } from "./fixtures.js";

/** The whole trace of an invocation. */
async function traceOf(
  harness: ProgramHarness,
  invocation: { trace(): AsyncIterable<NodeTrace> },
): Promise<readonly NodeTrace[]> {
  const nodes: NodeTrace[] = [];
  const read = async (): Promise<void> => {
    for await (const one of invocation.trace()) nodes.push(one);
  };
  await harness.until(read());
  return nodes;
}

/** A tree: each number emits as many children with the next lower one; the leaves give results. */
function tree(harnessTasks = 3) {
  const declared = agent({
    entry: "branch",
    result: type<string>(),
    nodes: {
      branch: node({ input: type<number>(), to: ["branch"] }),
    },
  }).implement({
    branch(ctx, n) {
      if (n === 0) ctx.result(ctx.nodeInvocationId);
      for (let no = 0; no < n; no += 1) ctx.emit("branch", n - 1);
    },
  });
  const harness = new ProgramHarness({ agents: { declared }, tasks: harnessTasks });
  return { harness, client: clientsOf(harness).agent(declared) };
}

describe("traces — per node invocation", () => {
  it("says node, message, emits, result, task, start and finish time", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(1));
    await harness.run();
    const [first, second, ...others] = await traceOf(harness, invocation);
    expect(others).toEqual([]);
    const now = harness.clock.nowMs;
    expect(first).toEqual({
      nodeInvocationId: expect.stringMatching(/^[0-9a-f]{16}$/),
      parent: undefined,
      node: "branch",
      task: expect.any(Number),
      status: "finished",
      message: 1,
      emits: [
        {
          nodeInvocationId: second?.nodeInvocationId,
          task: second?.task,
          node: "branch",
          message: 0,
        },
      ],
      result: undefined,
      startedAt: now,
      finishedAt: now,
      attempt: 0,
      failures: [],
      operations: [],
      operationsLost: 0,
      gather: undefined,
    });
    expect(second).toMatchObject({
      parent: first?.nodeInvocationId,
      message: 0,
      emits: [],
      result: { value: second?.nodeInvocationId },
      status: "finished",
    });
  });

  it("shows what has not finished as open", async () => {
    const hold = latch();
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a: (ctx, text) => ctx.emit("b", text),
      b: () => hold.opened,
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate("x"));
    await harness.run();
    const nodes = await traceOf(harness, invocation);
    expect(nodes.map(({ node: name, status, message }) => [name, status, message])).toEqual([
      ["a", "finished", "x"],
      ["b", "open", "x"],
    ]);
    expect(nodes[1]).toMatchObject({ startedAt: undefined, attempt: undefined, emits: [] });
    hold.open();
  });
});

describe("traces — paged, breadth first", () => {
  it("gives every node invocation once, those nearer to the entry first", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(5));
    await harness.run();
    const nodes = await traceOf(harness, invocation);
    // 5 + 5·4 + 5·4·3 + …: more than some pages.
    expect(nodes.length).toBe(1 + 5 + 20 + 60 + 120 + 120);
    const depths = nodes.map(({ message }) => 5 - Number(message));
    expect(depths).toEqual([...depths].sort((a, b) => a - b));
    const ids = nodes.map(({ nodeInvocationId }) => nodeInvocationId);
    expect(new Set(ids).size).toBe(ids.length);
    const emitted = nodes.flatMap(({ emits }) => emits.map((emit) => emit.nodeInvocationId));
    expect(emitted).toEqual(ids.slice(1));
  });

  it("is the same after every task has been started again", async () => {
    const { harness, client } = tree();
    const invocation = await harness.until(client.initiate(3));
    await harness.run();
    const before = await traceOf(harness, invocation);
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    await harness.run();
    expect(await traceOf(harness, client.get(invocation.id))).toEqual(before);
  });

  it("refuses an unknown invocation and ends when its signal aborts", async () => {
    const { harness, client } = tree();
    const { id } = await harness.until(client.initiate(1));
    await harness.run();
    const unknown = client.get(`${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`);
    await expect(traceOf(harness, unknown)).rejects.toMatchObject({ code: "INVOCATION_UNKNOWN" });
    const controller = new AbortController();
    const nodes = client.get(id).trace({ signal: controller.signal })[Symbol.asyncIterator]();
    await harness.until(nodes.next());
    controller.abort(new Error("enough"));
    await expect(harness.until(nodes.next())).rejects.toThrow("enough");
  });
});

describe("traces — for a gather", () => {
  it("says input count, the first 10 inputs, carry, state", async () => {
    const declared = agent({
      entry: "split",
      result: type<number>(),
      nodes: {
        split: scatter({ input: type<number>(), to: ["each"], carry: type<string>() }),
        each: node({ input: type<number>(), to: ["all"] }),
        all: gather({ collect: list(type<number>()), carry: type<string>() }),
      },
    }).implement({
      split(ctx, count) {
        for (let no = 0; no < count; no += 1) ctx.emit("each", no);
        return `${count} of them`;
      },
      each: (ctx, no) => ctx.emit("all", no * 10),
      all: (ctx, numbers) => ctx.result(numbers.length),
    });
    const harness = new ProgramHarness({ agents: { declared }, tasks: 1 });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(12));
    await harness.run();
    const nodes = await traceOf(harness, invocation);
    expect(nodes.map(({ node: name }) => name)).toEqual([
      "split",
      ...Array.from({ length: 12 }, () => "each"),
      "all",
    ]);
    expect(nodes[1]?.emits).toEqual([
      { nodeInvocationId: undefined, task: undefined, node: "all", message: 0 },
    ]);
    const collected = nodes.at(-1);
    const state = collected?.gather?.state;
    expect(collected).toMatchObject({
      parent: nodes[0]?.nodeInvocationId,
      message: { state, carry: "12 of them" },
      result: { value: 12 },
      gather: { inputCount: 12, carry: "12 of them" },
    });
    expect(state).toHaveLength(12);
    // cast: a list of numbers.
    expect(collected?.gather?.inputs).toEqual((state as number[]).slice(0, 10));
  });
});

describe("traces — nested operations", () => {
  it("has store reads and writes with arguments and results, in order", async () => {
    const declared = agent({
      stores: { accounts: balances },
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, name) {
        const { accounts } = ctx.stores;
        await accounts.get(name);
        await accounts.update("deposit", name, 5);
        await accounts.put(name, 7);
        await accounts.getMany([name, "nobody"]);
        await accounts.delete(name);
        await ctx.run("mail", () => "sent");
        ctx.result(null);
      },
    });
    const content = new StoreContent({
      deposit: (cents, amount) => Number(cents ?? 0) + Number(amount),
    });
    const stores = { balances: { declared: balances, content } };
    const harness = new ProgramHarness({ agents: { declared }, stores });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate("ann"));
    await harness.run();
    const [only] = await traceOf(harness, invocation);
    expect(only?.operations.map(({ type: kind, info }) => [kind, info])).toEqual([
      ["store-read", { store: "accounts", call: "get", arguments: ["ann"] }],
      [
        "store-write",
        { store: "accounts", call: "update", arguments: ["deposit", "ann", 5], result: 5 },
      ],
      ["store-write", { store: "accounts", call: "put", arguments: ["ann", 7] }],
      [
        "store-read",
        {
          store: "accounts",
          call: "getMany",
          arguments: [["ann", "nobody"]],
          result: [7, undefined],
        },
      ],
      ["store-write", { store: "accounts", call: "delete", arguments: ["ann"], result: true }],
      ["other", { run: "mail", arguments: [], result: "sent" }],
    ]);
    for (const { startedAt, finishedAt } of only?.operations ?? []) {
      expect(startedAt).toBeGreaterThanOrEqual(only?.startedAt ?? 0);
      expect(finishedAt).toBeLessThanOrEqual(only?.finishedAt ?? 0);
    }
  });

  it("ctx.recordOperation(type, start, finish, info) adds one", async () => {
    let refused: unknown;
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      a(ctx) {
        const start = ctx.now();
        ctx.recordOperation("model-call", start, start + 250, { model: "m", tokens: 12 });
        ctx.recordOperation("tool-call", start, start + 1, "weather");
        try {
          // @ts-expect-error there is no such type
          ctx.recordOperation("guess", start, start, null);
        } catch (error) {
          refused = error;
        }
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    const [only] = await traceOf(harness, invocation);
    const start = only?.startedAt ?? 0;
    expect(only?.operations).toEqual([
      {
        type: "model-call",
        startedAt: start,
        finishedAt: start + 250,
        info: { model: "m", tokens: 12 },
      },
      { type: "tool-call", startedAt: start, finishedAt: start + 1, info: "weather" },
    ]);
    expect(refused).toMatchObject({ code: "OPTION_INVALID", details: { option: "type" } });
  });

  it("are bounded: what is too large is cut, what there is no room for is counted", async () => {
    const declared = agent({
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        await ctx.run("large", () => "x".repeat(2 * limits.operationTraceBytesMax));
        for (let no = 0; no < 100; no += 1) {
          await ctx.run(`number ${no}`, () => "y".repeat(limits.operationTraceBytesMax / 2));
        }
        ctx.result(null);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    const [only] = await traceOf(harness, invocation);
    expect(only?.operations[0]?.info).toEqual({ run: "large", cut: true });
    const shown = only?.operations.length ?? 0;
    expect(shown).toBeGreaterThan(10);
    expect(shown + (only?.operationsLost ?? 0)).toBe(101);
  });

  it("has operations that fail, or cannot be carried, without failing itself", async () => {
    const declared = agent({
      stores: { accounts: balances },
      entry: "a",
      result: type<null>(),
      nodes: { a: node({ input: type<null>() }) },
    }).implement({
      async a(ctx) {
        // cast: what the types refuse is refused at run time too.
        const wrong = Symbol("no key") as unknown as string;
        await ctx.stores.accounts.get(wrong).catch(() => {});
        await ctx
          .run("bad", () => {
            throw new Error("no luck");
          })
          .catch(() => {});
        ctx.result(null);
      },
    });
    const content = new StoreContent();
    const stores = { balances: { declared: balances, content } };
    const harness = new ProgramHarness({ agents: { declared }, stores });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    await harness.run();
    const [only] = await traceOf(harness, invocation);
    expect(only?.operations.map(({ info }) => info)).toEqual([
      { store: "accounts", call: "get", cut: true },
      { run: "bad", arguments: [], error: "Error: no luck" },
    ]);
  });
});

describe("traces — what nodes wait for", () => {
  it("has sub-agent calls and human input, in order", async () => {
    const child = agent({
      entry: "c",
      result: type<number>(),
      nodes: { c: node({ input: type<number>() }) },
    }).implement({
      c: (ctx, n) => ctx.result(n + 1),
    });
    const declared = agent({
      agents: { child },
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<number>() }) },
    }).implement({
      async a(ctx, n) {
        const two = await ctx.agents.child.invoke(n);
        const answer = await ctx.askHuman<string>(`is it ${two}?`);
        const begun = await ctx.agents.child.initiate(two);
        ctx.result(`${answer} ${await begun.result()}`);
      },
    });
    const harness = new ProgramHarness({ agents: { declared, child } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(1));
    const step = await harness.until(invocation.nextStep());
    if (step.kind !== "question") throw new Error("it asks");
    await harness.until(invocation.answer(step.question, "yes"));
    expect(await harness.until(invocation.result())).toBe("yes 3");
    await harness.run();
    const [only] = await traceOf(harness, invocation);
    const id = expect.stringMatching(/^[0-9a-f-]{34}$/);
    expect(only?.operations.map(({ type: kind, info }) => [kind, info])).toEqual([
      ["agent-call", { agent: "child", call: "invoke", arguments: [1], result: 2 }],
      ["human-input", { call: "askHuman", arguments: ["is it 2?"], result: "yes" }],
      ["agent-call", { agent: "child", call: "initiate", arguments: [2], result: id }],
      ["agent-call", { agent: "child", call: "result", arguments: [id], result: 3 }],
    ]);
  });
});

describe("traces — attempts and failures", () => {
  it("has failures and operations over all attempts", async () => {
    let runs = 0;
    const declared = agent({
      entry: "a",
      result: type<number>(),
      maxRetries: 2,
      nodes: { a: node({ input: type<null>(), to: ["b"] }), b: node({ input: type<null>() }) },
    }).implement({
      a: (ctx) => ctx.emit("b", null),
      async b(ctx) {
        runs += 1;
        const run = runs;
        ctx.recordOperation("other", 5, 6, { run });
        await undefined;
        if (run < 3) throw new Error(`failure ${run}`);
        ctx.result(run);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(null));
    expect(await harness.until(invocation.result())).toBe(3);
    await harness.run();
    const [a, b] = await traceOf(harness, invocation);
    expect(a).toMatchObject({ attempt: 0, failures: [], operations: [] });
    expect(b?.attempt).toBe(2);
    expect(b?.failures.map(({ attempt, message }) => [attempt, message])).toEqual([
      [0, "failure 1"],
      [1, "failure 2"],
    ]);
    expect(b?.operations.map(({ info }) => info)).toEqual([{ run: 1 }, { run: 2 }, { run: 3 }]);
  });
});
