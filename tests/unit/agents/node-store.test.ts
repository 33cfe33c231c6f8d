// A bug here would look like this: a key let go while a write of its node is under way, a write
// that failed unnoticed, a process that dies of an unhandled rejection.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import type { NodeContext } from "../../../agents/declare/context.js";
import { node } from "../../../agents/declare/node.js";
import type { NodeOperations } from "../../../agents/node/node-store.js";
import { NodeStore } from "../../../agents/node/node-store.js";
import type { AgentShape } from "../../../agents/declare/shape.js";
import { PartitaError } from "../../../base/errors.js";
import type { TaskPort } from "../../../runtime/task-program.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";
import { StoreContent, storeClient } from "../../support/program-store.js";
import { balances } from "./fixtures.js";

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await settled();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

const double = (n: number): number => n * 2;
const shape = {
  stores: { accounts: balances },
  compute: { twice: double },
  entry: "a",
  result: type<unknown>(),
  nodes: { a: node({ input: type<string>(), key: (name) => name }) },
} as const satisfies AgentShape;
type Context = NodeContext<typeof shape, never>;

/** An agent with one keyed node, whose "accounts" are the topology's "balances". */
function keyedNode(run: (ctx: Context, message: string) => void | Promise<void>) {
  const declared = agent(shape).implement({ a: run });
  const content = new StoreContent({
    deposit: (cents, amount) => Number(cents ?? 0) + Number(amount),
    refuse: () => {
      throw new Error("refused by the update");
    },
  });
  const harness = new ProgramHarness({
    agents: { declared },
    stores: { balances: { declared: balances, content } },
    compute: { double },
  });
  return { harness, content, client: clientsOf(harness).agent(declared) };
}

describe("node store — names", () => {
  it("finds stores and functions by reference, whatever the agent calls them", async () => {
    const { harness, content, client } = keyedNode(async (ctx, name) => {
      const cents = await ctx.stores.accounts.update("deposit", name, 5);
      ctx.result(await ctx.compute.twice(cents ?? 0));
    });
    expect(await harness.until(client.invoke("alice"))).toBe(10);
    expect(content.get("alice")).toBe(5);
  });

  it("passes every operation on", async () => {
    const { harness, client } = keyedNode(async (ctx) => {
      const { accounts } = ctx.stores;
      await accounts.putMany([
        ["a", 1],
        ["b", 2],
      ]);
      await accounts.put("c", 3);
      const entries: (readonly [string, number])[] = [];
      for await (const entry of accounts.entries()) entries.push(entry);
      const seen: unknown[] = [
        entries,
        await accounts.get("a"),
        await accounts.get("z", 9),
        await accounts.contains("b"),
        await accounts.getMany(["c", "z"]),
        await accounts.modify("a", (cents = 0) => cents + 1),
        await accounts.delete("b"),
      ];
      await accounts.clear();
      ctx.result([...seen, await accounts.get("a")]);
    });
    expect(await harness.until(client.invoke("x"))).toEqual([
      [
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ],
      1,
      9,
      true,
      [3, undefined],
      2,
      true,
      undefined,
    ]);
  });

  it("ends the iteration of the store when a node leaves its loop", async () => {
    let ended = false;
    const content = new StoreContent();
    const inner = storeClient(content, async (action) => action());
    const operations: NodeOperations = {
      operation: (_name, begin) => begin(),
      assertWrites: () => {},
    };
    const endless = async function* (): AsyncGenerator<readonly [unknown, unknown], void> {
      try {
        for (let n = 0; ; n += 1) yield [n, n];
      } finally {
        ended = true;
      }
    };
    const store = new NodeStore(operations, "s", { ...inner, entries: endless });
    for await (const [key] of store.entries()) if (key === 2) break;
    expect(ended).toBe(true);
  });
});

describe("node store — operations that are not awaited", () => {
  it("waits for them before the node counts as finished: its key is held until then", async () => {
    const order: string[] = [];
    const { harness, content, client } = keyedNode(async (ctx, name) => {
      order.push(`starts at ${await ctx.stores.accounts.get(name, 0)}`);
      void ctx.stores.accounts.update("deposit", name, 1);
      ctx.result(null);
    });
    for (let count = 0; count < 3; count += 1) void client.invoke("alice");
    await harness.run();
    expect(order).toEqual(["starts at 0", "starts at 1", "starts at 2"]);
    expect(content.get("alice")).toBe(3);
  });

  it("fails the node when one of them fails after it has returned", async () => {
    const { harness, client } = keyedNode((ctx, name) => {
      // cast: an update that the declaration does not have
      void ctx.stores.accounts.update("refuse" as "deposit", name, 1);
      ctx.result("given");
    });
    const error = await harness.until(client.invoke("x")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "INVOCATION_FAILED",
      cause: { message: "refused by the update" },
    });
  });

  it("does not fail the node for what it has caught", async () => {
    const { harness, client } = keyedNode(async (ctx, name) => {
      // cast: an update that the declaration does not have
      const refused = ctx.stores.accounts.update("refuse" as "deposit", name, 1);
      ctx.result(await refused.catch((error: Error) => error.message));
    });
    expect(await harness.until(client.invoke("x"))).toBe("refused by the update");
  });

  it("leaves none of them unhandled that fails before the function returns", async () => {
    const { harness, client } = keyedNode(async (ctx, name) => {
      // cast: an update that the declaration does not have
      void ctx.stores.accounts.update("refuse" as "deposit", name, 1);
      await ctx.stores.accounts.put(name, 1);
      await ctx.stores.accounts.put(name, 2);
      ctx.result("given");
    });
    expect(await harness.until(client.invoke("x"))).toBe("given");
  });

  it("takes one that is refused at once like one that fails", async () => {
    const declared = agent(shape).implement({
      async a(ctx) {
        const refused = ctx.stores.accounts.put("x", 1);
        ctx.result(await refused.catch((error: Error) => error.message));
      },
    });
    const refuse = (): never => {
      throw new Error("refused at once");
    };
    const harness = new ProgramHarness({
      agents: { declared },
      stores: { balances: { declared: balances, content: new StoreContent() } },
      compute: { double },
      program: (port, entries) => {
        const store: TaskPort["store"] = (name, journal) => ({
          ...port.store(name, journal),
          put: refuse,
        });
        return declared.program({ ...port, store }, entries);
      },
    });
    const client = clientsOf(harness).agent(declared);
    expect(await harness.until(client.invoke("x"))).toBe("refused at once");
  });

  it("says what the function threw, when an operation fails as well", async () => {
    const { harness, client } = keyedNode((ctx, name) => {
      // cast: an update that the declaration does not have
      void ctx.stores.accounts.update("refuse" as "deposit", name, 1);
      throw new Error("thrown by the function");
    });
    const error = await harness.until(client.invoke("x")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ cause: { message: "thrown by the function" } });
  });
});

describe("node store — after the node function has returned", () => {
  it("refuses every use of the context with NODE_FINISHED, and names what was used", async () => {
    let kept: Context | undefined;
    const { harness, content, client } = keyedNode((ctx) => {
      kept = ctx;
      ctx.result(null);
    });
    await harness.until(client.invoke("x"));
    const ctx = kept;
    if (ctx === undefined) throw new Error("the node did not run");
    const refusals = await Promise.all(
      [
        async () => ctx.result(1),
        // cast: the node has no targets to emit to
        async () => (ctx as unknown as { emit(target: string, m: null): void }).emit("a", null),
        () => ctx.stores.accounts.put("x", 1),
        () => ctx.stores.accounts.entries()[Symbol.asyncIterator]().next(),
        () => ctx.compute.twice(1),
      ].map((use) => use().catch((error: unknown) => error)),
    );
    expect(refusals.every((error) => PartitaError.is(error, "NODE_FINISHED"))).toBe(true);
    expect(refusals.map((error) => Reflect.get(Object(error), "details"))).toEqual(
      ["result", "emit", "stores.accounts.put", "stores.accounts.entries", "compute.twice"].map(
        (operation) => ({ agent: "declared", node: "a", operation }),
      ),
    );
    await harness.run();
    expect(content.values.size).toBe(0);
  });

  it("refuses floating code without an unhandled rejection", async () => {
    const late = latch();
    const { harness, content, client } = keyedNode((ctx, name) => {
      void late.opened.then(() => void ctx.stores.accounts.put(name, 1));
      ctx.result(null);
    });
    await harness.until(client.invoke("x"));
    late.open();
    await harness.run();
    expect(content.values.size).toBe(0);
  });
});

async function failing(): Promise<void> {
  await settled();
  throw new PartitaError("CLOSED", { what: "the runtime" });
}

describe("node store — compute functions", () => {
  it("are given the signal of the node, and stop when the runtime is closed by force", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const declared = agent(shape).implement({
      async a(ctx) {
        await ctx.compute.twice(1);
      },
    });
    const harness = new ProgramHarness({
      agents: { declared },
      stores: { balances: { declared: balances, content: new StoreContent() } },
      compute: { double },
      tasks: 1,
      program: (port, entries) => {
        const compute: TaskPort["compute"] = (_name, _args, options) => {
          signals.push(options?.signal);
          return new Promise(() => {});
        };
        return declared.program({ ...port, compute }, entries);
      },
    });
    await harness.until(clientsOf(harness).agent(declared).initiate("x"));
    await harness.run();
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    harness.program(0).abort(new Error("closed by force"));
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });
});

describe("node store — errors", () => {
  it("names the user's line in the stack of an operation that fails later", async () => {
    const declared = agent({
      compute: { failing },
      entry: "a",
      result: type<unknown>(),
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx) {
        const named = namedByTheStack(ctx.compute.failing);
        ctx.result(await named.catch((error: Error) => error.stack));
      },
    });
    async function namedByTheStack(operation: () => Promise<void>): Promise<void> {
      await operation();
    }
    const harness = new ProgramHarness({ agents: { declared }, compute: { failing } });
    const client = clientsOf(harness).agent(declared);
    const stack = await harness.until(client.invoke("x"));
    expect(stack).toMatch(/namedByTheStack.*node-store\.test\.ts/);
  });
});
