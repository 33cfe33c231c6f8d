// A bug here would look like this: an operation that a trace leaves out or shows as another, or a
// node that fails since it is looked at.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { traced } from "../../support/traced-nodes.js";
import { StoreContent } from "../../support/program-store.js";
import { balances } from "./fixtures.js";

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
    const [only] = await traced(harness, invocation);
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
    const [only] = await traced(harness, invocation);
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
    const [only] = await traced(harness, invocation);
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
    const [only] = await traced(harness, invocation);
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
    const [only] = await traced(harness, invocation);
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
    const [a, b] = await traced(harness, invocation);
    expect(a).toMatchObject({ attempt: 0, failures: [], operations: [] });
    expect(b?.attempt).toBe(2);
    expect(b?.failures.map(({ attempt, message }) => [attempt, message])).toEqual([
      [0, "failure 1"],
      [1, "failure 2"],
    ]);
    expect(b?.operations.map(({ info }) => info)).toEqual([{ run: 1 }, { run: 2 }, { run: 3 }]);
  });
});
