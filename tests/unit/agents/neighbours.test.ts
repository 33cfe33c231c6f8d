// A bug here would look like this: an invocation in another topology that begins twice because a
// node was run again, a store that somebody else writes, a node that waits for ever.

import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, expectTypeOf, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NeighbourAgentClient } from "../../../agents/client/neighbour-client.js";
import { agentRef } from "../../../agents/declare/agent-ref.js";
import { node } from "../../../agents/declare/node.js";
import { storeRef } from "../../../agents/declare/store-ref.js";
import { topology } from "../../../runtime/topology.js";
import { keyValueStore } from "../../../store/declaration.js";
import { integer, string } from "../../../store/key.js";
import type { ReadOnlyKeyValueStore } from "../../../store/key-value-store.js";
import { type } from "../../../store/schema.js";
import { tuple } from "../../../store/tuple-key.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { latch } from "../../support/latch.js";

/** A topology `name` with a store of balances and an agent that deposits, waiting for `gate`. */
function bankNamed(name: string, gate: { before: () => Promise<unknown> }) {
  const balances = keyValueStore({
    key: tuple(string, integer),
    value: type<number>(),
    updates: { deposit: (cents = 0, amount: number) => cents + amount },
  });
  const deposit = agent({
    stores: { balances },
    entry: "a",
    result: type<number>(),
    maxRetries: 0,
    nodes: { a: node({ input: type<{ owner: string; cents: number }>() }) },
  }).implement({
    async a(ctx, { owner, cents }) {
      await gate.before();
      if (cents < 0) throw new Error("no such amount");
      ctx.result(await ctx.stores.balances.update("deposit", [owner, 1], cents));
    },
  });
  return topology(name, import.meta.url, { stores: { balances }, agents: { deposit } });
}

const open = { before: () => Promise.resolve() };
const text = { input: type<string>() };

describe("agents of another launched topology", () => {
  it("a node calls them by (topology, agent), declared or named", async () => {
    const bank = bankNamed("bank-calls", open);
    const caller = agent({
      agents: {
        deposit: agentRef(bank, "deposit"),
        named: agentRef<{ owner: string; cents: number }, number>("bank-calls", "deposit"),
      },
      entry: "a",
      result: type<readonly number[]>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, owner) {
        expectTypeOf(ctx.agents.deposit).toEqualTypeOf<
          NeighbourAgentClient<{ owner: string; cents: number }, number>
        >();
        // @ts-expect-error: cents are a number
        expectTypeOf(ctx.agents.deposit.invoke).toBeCallableWith({ owner, cents: "5" });
        const one = await ctx.agents.deposit.invoke({ owner, cents: 5 });
        const begun = await ctx.agents.named.initiate({ owner, cents: 7 });
        const two = await begun.result();
        expect(await begun.isComplete()).toBe(true);
        expect(await ctx.agents.deposit.get(begun.id).result()).toBe(two);
        ctx.result([one, two]);
      },
    });
    await inlineCluster(bank);
    const runtime = await inlineCluster(topology("calls", import.meta.url, { agents: { caller } }));
    const called = await runtime.agent("caller").initiate("ann");
    expect(await called.result()).toEqual([5, 12]);
    const traced: unknown[] = [];
    for await (const { operations } of called.trace()) {
      traced.push(...operations.map(({ type: kind, info }) => [kind, info]));
    }
    expect(traced).toMatchObject([
      ["agent-call", { agent: "deposit", call: "invoke", arguments: [{ owner: "ann", cents: 5 }] }],
      ["agent-call", { agent: "named", call: "initiate" }],
      ["agent-call", { agent: "named", call: "result", result: 12 }],
      ["agent-call", { agent: "named", call: "isComplete", result: true }],
      ["agent-call", { agent: "deposit", call: "result", result: 12 }],
    ]);
  });

  it("an invocation there begins once, though the node that began it is run again", async () => {
    const bank = bankNamed("bank-once", open);
    let runs = 0;
    const ids: string[] = [];
    const caller = agent({
      agents: { deposit: agentRef(bank, "deposit") },
      entry: "a",
      result: type<number>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, owner) {
        const begun = await ctx.agents.deposit.initiate({ owner, cents: 5 });
        ids.push(begun.id);
        const result = await ctx.agents.deposit.invoke({ owner, cents: 6 });
        runs += 1;
        if (runs < 3) throw new Error("again");
        ctx.result(result + (await begun.result()));
      },
    });
    const served = await inlineCluster(bank);
    const runtime = await inlineCluster(topology("once", import.meta.url, { agents: { caller } }));
    expect(await runtime.agent("caller").invoke("ann")).toBe(16);
    expect(new Set(ids).size).toBe(1);
    expect(await served.store("balances").get(["ann", 1])).toBe(11);
  });

  it("one that failed is begun anew by a later attempt, one that succeeded is not", async () => {
    let fails = true;
    const bank = bankNamed("bank-anew", {
      before: () => (fails ? Promise.reject(new Error("no luck")) : Promise.resolve()),
    });
    const codes: string[] = [];
    const caller = agent({
      agents: { deposit: agentRef(bank, "deposit") },
      entry: "a",
      result: type<number>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, owner) {
        try {
          ctx.result(await ctx.agents.deposit.invoke({ owner, cents: 5 }));
        } catch (error) {
          codes.push(String(Reflect.get(Object(error), "code")));
          fails = false;
          throw error;
        }
      },
    });
    const served = await inlineCluster(bank);
    const runtime = await inlineCluster(topology("anew", import.meta.url, { agents: { caller } }));
    expect(await runtime.agent("caller").invoke("ann")).toBe(5);
    expect(codes).toEqual(["INVOCATION_FAILED"]);
    expect(await served.store("balances").get(["ann", 1])).toBe(5);
  });

  it("is refused what it would refuse anybody: the input, an agent it does not have", async () => {
    const bank = bankNamed("bank-refuses", open);
    const caller = agent({
      agents: { lost: agentRef<string, string>("bank-refuses", "lost") },
      entry: "a",
      result: type<unknown>(),
      maxRetries: 0,
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, name) {
        const error = await ctx.agents.lost.invoke(name).catch((thrown: unknown) => thrown);
        ctx.result(error instanceof Error ? error.message : error);
      },
    });
    await inlineCluster(bank);
    const runtime = await inlineCluster(
      topology("refuses", import.meta.url, { agents: { caller } }),
    );
    const message = await runtime.agent("caller").invoke("");
    expect(message).toBe('there is no agent "lost"; declared: "deposit"');
  });

  it("a node waits for a topology that is launched later", async () => {
    const bank = bankNamed("bank-later", open);
    const caller = agent({
      agents: { deposit: agentRef(bank, "deposit") },
      entry: "a",
      result: type<number>(),
      nodes: { a: node(text) },
    }).implement({
      a: async (ctx, owner) => ctx.result(await ctx.agents.deposit.invoke({ owner, cents: 5 })),
    });
    const runtime = await inlineCluster(topology("later", import.meta.url, { agents: { caller } }));
    const called = runtime.agent("caller").invoke("ann");
    await nextTurn();
    await inlineCluster(bank);
    expect(await called).toBe(5);
  });

  it("a node drives one there by steps, and answers it once though it is run again", async () => {
    let asked = 0;
    const ask = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, name) {
        asked += 1;
        const colour = await ctx.askHuman(`the colour of ${name}?`);
        ctx.result(`${name} is ${String(colour)}`);
      },
    });
    const other = topology("asks", import.meta.url, { agents: { ask } });
    let runs = 0;
    const caller = agent({
      agents: { ask: agentRef(other, "ask") },
      entry: "a",
      result: type<string>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, name) {
        const begun = await ctx.agents.ask.initiate(name);
        const step = await begun.nextStep();
        if (step.kind !== "question") throw new Error("it asked nothing");
        expect(step.question.prompt).toBe("the colour of the sky?");
        await begun.answer(step.question, "blue");
        const last = await begun.nextStep();
        runs += 1;
        if (runs < 2) throw new Error("again");
        expect(await begun.humanInputs()).toEqual([]);
        ctx.result(last.kind === "result" ? last.result : "nothing");
      },
    });
    await inlineCluster(other);
    const runtime = await inlineCluster(
      topology("drives", import.meta.url, { agents: { caller } }),
    );
    expect(await runtime.agent("caller").invoke("the sky")).toBe("the sky is blue");
    expect([asked, runs]).toEqual([1, 2]);
  });

  it.each(["waits for", "has begun"])(
    "cancelling the caller's invocation cancels the one that it %s",
    async (what) => {
      const gate = latch();
      const began = latch();
      const known = latch();
      const bank = bankNamed(`bank-that-it-${what.replace(" ", "-")}`, {
        before: () => {
          began.open();
          return gate.opened;
        },
      });
      let child = "";
      const caller = agent({
        agents: { deposit: agentRef(bank, "deposit") },
        entry: "a",
        result: type<number>(),
        nodes: { a: node(text) },
      }).implement({
        async a(ctx, owner) {
          const begun = await ctx.agents.deposit.initiate({ owner, cents: 5 });
          child = begun.id;
          known.open();
          if (what === "waits for") return ctx.result(await begun.result());
          await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        },
      });
      const served = await inlineCluster(bank);
      const runtime = await inlineCluster(
        topology("cancel", import.meta.url, { agents: { caller } }),
      );
      const invocation = await runtime.agent("caller").initiate("ann");
      await Promise.all([began.opened, known.opened]);
      const cancelled = invocation.cancel().then(() => "cancelled");
      await expect(served.agent("deposit").get(child).result()).rejects.toMatchObject({
        code: "INVOCATION_CANCELLED",
      });
      // It has not stopped there: a function runs that does not look at its signal.
      const nothing = new Promise((resolve) => setImmediate(resolve, "not yet"));
      expect(await Promise.race([cancelled, nothing])).toBe("not yet");
      gate.open();
      expect(await cancelled).toBe("cancelled");
    },
  );
});

describe("stores of another topology", () => {
  it("are readable, not writable", async () => {
    const bank = bankNamed("bank-reads", open);
    const reader = agent({
      stores: { accounts: storeRef(bank, "balances") },
      entry: "a",
      result: type<unknown>(),
      nodes: { a: node(text) },
    }).implement({
      async a(ctx, owner) {
        const { accounts } = ctx.stores;
        expectTypeOf(accounts).toEqualTypeOf<
          ReadOnlyKeyValueStore<readonly [string, number], number>
        >();
        // @ts-expect-error: it can be read alone
        expect(() => accounts.put([owner, 1], 1)).toThrow(
          expect.objectContaining({
            code: "STORE_READ_ONLY",
            details: { topology: "bank-reads", store: "balances", operation: "put" },
          }),
        );
        const all: (readonly [readonly [string, number], number])[] = [];
        for await (const entry of accounts.entries()) all.push(entry);
        const back: number[] = [];
        for await (const [, value] of accounts.entries({
          prefix: [owner],
          reverse: true,
          limit: 2,
        }))
          back.push(value);
        ctx.result({
          has: await accounts.contains([owner, 1]),
          none: await accounts.contains(["bob", 1]),
          one: await accounts.get([owner, 1]),
          other: await accounts.get(["bob", 1], 0),
          many: await accounts.getMany([
            [owner, 2],
            ["bob", 1],
          ]),
          count: all.length,
          back,
        });
      },
    });
    const served = await inlineCluster(bank);
    const entries = Array.from({ length: 600 }, (_, n) => [["ann", n + 1], n] as const);
    await served.store("balances").putMany(entries);
    const runtime = await inlineCluster(topology("reads", import.meta.url, { agents: { reader } }));
    expect(await runtime.agent("reader").invoke("ann")).toEqual({
      has: true,
      none: false,
      one: 0,
      other: 0,
      many: [1, undefined],
      count: 600,
      back: [599, 598],
    });
    expect(await served.store("balances").get(["ann", 1])).toBe(0);
  });
});

describe("references to another topology — definition-time errors", () => {
  it("names what the other topology does not declare, and what it does", () => {
    const bank = bankNamed("bank-errors", open);
    // cast: what a JavaScript caller could write
    const lost = agentRef(bank, "lost" as "deposit");
    // cast: as above
    const unknown = storeRef(bank, "x" as "balances");
    const broken = agent({
      agents: { lost, none: agentRef("9 lives", "a") },
      stores: { accounts: unknown },
      entry: "a",
      result: type<unknown>(),
      nodes: { a: node(text) },
    }).implement({ a: () => {} });
    expect(() => topology("errors", import.meta.url, { agents: { broken } })).toThrow(
      expect.objectContaining({
        details: {
          topology: "errors",
          problems: [
            {
              code: "REFERENCE_UNDECLARED",
              path: "agents.broken.stores.accounts",
              message:
                '"accounts" refers to "x" of topology "bank-errors", which declares no such store',
              valid: ["balances"],
            },
            {
              code: "REFERENCE_UNDECLARED",
              path: "agents.broken.agents.lost",
              message:
                '"lost" refers to "lost" of topology "bank-errors", which declares no such agent',
              valid: ["deposit"],
            },
            expect.objectContaining({ path: "agents.broken.agents.none" }),
          ],
        },
      }),
    );
  });
});
