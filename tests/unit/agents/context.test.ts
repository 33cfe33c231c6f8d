// A bug here would look like this: half of a node's effects, an effect after a throw, a lost store
// error, a rejection that nobody handles.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness, settled } from "../../support/program-harness.js";
import { StoreContent } from "../../support/program-store.js";
import { balances, oneNode } from "./fixtures.js";

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

describe("context — emit and result are buffered", () => {
  it("takes effect only when it has returned: no downstream node starts before", async () => {
    const seen: string[] = [];
    const hold = latch();
    const declared = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, message) {
        ctx.emit("b", message);
        await hold.opened;
        seen.push("a returned");
      },
      b(ctx, message) {
        seen.push("b started");
        ctx.result(message);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const result = clientsOf(harness).agent(declared).invoke("x");
    await harness.run();
    expect(seen).toEqual([]);
    hold.open();
    expect(await harness.until(result)).toBe("x");
    expect(seen).toEqual(["a returned", "b started"]);
  });

  it("emits nothing when it emits and then throws", async () => {
    let started = false;
    const declared = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a(ctx, message) {
        ctx.emit("b", message);
        throw new Error("after the emit");
      },
      b() {
        started = true;
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const result = clientsOf(harness).agent(declared).invoke("x");
    await expect(harness.until(result)).rejects.toMatchObject({ code: "INVOCATION_FAILED" });
    await harness.run();
    expect(started).toBe(false);
  });

  it("gives no result when it gives one and then throws", async () => {
    const { harness, client } = oneNode((ctx) => {
      ctx.result("given");
      throw new Error("after the result");
    });
    await expect(harness.until(client.invoke("x"))).rejects.toMatchObject({
      code: "INVOCATION_FAILED",
    });
  });

  it("does not undo store operations when it throws later", async () => {
    const content = new StoreContent();
    const declared = agent({
      stores: { balances },
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, message) {
        await ctx.stores.balances.put(message, 7);
        throw new Error("after the put");
      },
    });
    const stores = { balances: { declared: balances, content } };
    const harness = new ProgramHarness({ agents: { declared }, stores });
    const result = clientsOf(harness).agent(declared).invoke("alice");
    await expect(harness.until(result)).rejects.toMatchObject({ code: "INVOCATION_FAILED" });
    expect(content.get("alice")).toBe(7);
  });

  it("encodes a message when it is emitted: later changes to it do not matter", async () => {
    const declared = agent({
      entry: "a",
      result: type<number[]>(),
      nodes: {
        a: node({ input: type<number>(), to: ["b"] }),
        b: node({ input: type<number[]>() }),
      },
    }).implement({
      a(ctx, message) {
        const list = [message];
        ctx.emit("b", list);
        list.push(2);
      },
      b(ctx, list) {
        ctx.result(list);
        list.push(3);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    expect(await harness.until(clientsOf(harness).agent(declared).invoke(1))).toEqual([1]);
  });
});

describe("context — emit xor result", () => {
  const codes = async (
    use: (ctx: { emit(target: "b", n: number): void; result(n: number): void }) => void,
  ): Promise<readonly [unknown, number]> => {
    let caught: unknown;
    const declared = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<null>(), to: ["b"] }), b: node({ input: type<number>() }) },
    }).implement({
      a(ctx) {
        try {
          use(ctx);
        } catch (error) {
          caught = error;
        }
      },
      b(ctx, n) {
        ctx.result(n + 100);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const result = await harness.until(clientsOf(harness).agent(declared).invoke(null));
    return [PartitaError.is(caught) ? caught.code : caught, result];
  };

  it("throws for an emit after a result, and a node that catches it keeps its result", async () => {
    const outcome = await codes((ctx) => {
      ctx.result(1);
      ctx.emit("b", 2);
    });
    expect(outcome).toEqual(["EMIT_AFTER_RESULT", 1]);
  });

  it("throws for a result after an emit, and a node that catches it keeps its emit", async () => {
    const outcome = await codes((ctx) => {
      ctx.emit("b", 1);
      ctx.result(2);
    });
    expect(outcome).toEqual(["RESULT_AFTER_EMIT", 101]);
  });

  it("throws for a second result, and a node that catches it keeps the first", async () => {
    const outcome = await codes((ctx) => {
      ctx.result(1);
      ctx.result(2);
    });
    expect(outcome).toEqual(["RESULT_TWICE", 1]);
  });

  it("throws for an emit to an undeclared node, which keeps earlier emits", async () => {
    const outcome = await codes((ctx) => {
      ctx.emit("b", 1);
      // cast: what a JavaScript caller could write
      ctx.emit("a" as "b", 2);
    });
    expect(outcome).toEqual(["EMIT_UNDECLARED", 101]);
  });

  it("fails the invocation when the node does not catch it", async () => {
    const { harness, client } = oneNode((ctx) => {
      ctx.result("1");
      ctx.result("2");
    });
    const error = await harness.until(client.invoke("x")).catch((thrown: unknown) => thrown);
    expect(PartitaError.is(error, "INVOCATION_FAILED")).toBe(true);
    expect(error).toMatchObject({ cause: { code: "RESULT_TWICE", details: { node: "a" } } });
  });
});

describe("context — messages at the edge", () => {
  const declaredWith = (emit: (ctx: { emit(target: "b", m: { n: number }): void }) => void) =>
    agent({
      entry: "a",
      result: z.string().max(3),
      nodes: {
        a: node({ input: type<string>(), to: ["b"] }),
        b: node({ input: z.object({ n: z.number().int() }), key: (m) => m.n }),
      },
    }).implement({
      a: emit,
      b(ctx, { n }) {
        ctx.result("x".repeat(n));
      },
    });

  const causeOf = async (declared: ReturnType<typeof declaredWith>): Promise<unknown> => {
    const harness = new ProgramHarness({ agents: { declared } });
    const invoked = harness.until(clientsOf(harness).agent(declared).invoke("x"));
    return invoked.then(
      (result) => result,
      (error: Error) => error.cause,
    );
  };

  it("refuses a message that the target's schema does not take, where it is emitted", async () => {
    const cause = await causeOf(declaredWith((ctx) => ctx.emit("b", { n: 1.5 })));
    expect(cause).toMatchObject({
      code: "SCHEMA_INVALID",
      details: { where: 'emit from node "a" to "b"' },
    });
  });

  it("refuses a result that the agent's schema does not take, where it is given", async () => {
    expect(await causeOf(declaredWith((ctx) => ctx.emit("b", { n: 2 })))).toBe("xx");
    const cause = await causeOf(declaredWith((ctx) => ctx.emit("b", { n: 4 })));
    expect(cause).toMatchObject({
      code: "SCHEMA_INVALID",
      details: { where: 'result of agent "declared" from node "b"' },
    });
  });

  it.each([
    ["a key that is none", 1.5, { code: "KEY_INVALID" }],
    ["what a key function throws", -1, { message: "no key below zero" }],
  ])("gives %s to the node that emits", async (_what, n, expected) => {
    const declared = agent({
      maxRetries: 0,
      entry: "a",
      result: type<number>(),
      nodes: {
        a: node({ input: type<number>(), to: ["b"] }),
        b: node({
          input: type<number>(),
          key: (message) => {
            if (message < 0) throw new Error("no key below zero");
            return message;
          },
        }),
      },
    }).implement({
      a: (ctx, message) => ctx.emit("b", message),
      b: (ctx, message) => ctx.result(message),
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    expect(await harness.until(client.invoke(1))).toBe(1);
    const error = await harness.until(client.invoke(n)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "INVOCATION_FAILED",
      details: { failures: [{ node: "a" }] },
      cause: expected,
    });
  });

  it("refuses more emits than a node invocation can have", async () => {
    const cause = await causeOf(
      declaredWith((ctx) => {
        for (let n = 0; n <= limits.emitsMax; n += 1) ctx.emit("b", { n: 1 });
      }),
    );
    expect(cause).toMatchObject({ code: "OPTION_INVALID", details: { option: "emits" } });
  });

  it("refuses emits that take more bytes together than a message can have", async () => {
    const part = "x".repeat(limits.messageBytesMax / 2);
    let refused: unknown;
    const declared = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      a(ctx) {
        ctx.emit("b", part);
        try {
          ctx.emit("b", part);
        } catch (error) {
          refused = error;
        }
      },
      b(ctx, text) {
        ctx.result(`${text.length}`);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const result = await harness.until(clientsOf(harness).agent(declared).invoke("x"));
    expect(result).toBe(`${part.length}`);
    expect(refused).toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  });
});

describe("context — ids, clock and chance", () => {
  it("shows the ids of the invocation and of the node invocation, which form a tree", async () => {
    const ids: (readonly [string, string])[] = [];
    const declared = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<number>(), to: ["a"] }) },
    }).implement({
      a(ctx, depth) {
        ids.push([ctx.invocationId, ctx.nodeInvocationId]);
        if (depth === 0) return;
        ctx.emit("a", depth - 1);
        ctx.emit("a", depth - 1);
      },
    });
    const harness = new ProgramHarness({ agents: { declared } });
    const invocation = await harness.until(clientsOf(harness).agent(declared).initiate(3));
    await harness.run();
    expect(ids.length).toBe(15);
    expect(new Set(ids.map(([invocationId]) => invocationId))).toEqual(new Set([invocation.id]));
    expect(new Set(ids.map(([, id]) => id)).size).toBe(15);
    for (const [, id] of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  });

  it("takes the time and random numbers from its task", async () => {
    const seen: number[] = [];
    const { harness, client } = oneNode((ctx) => {
      seen.push(ctx.now(), ctx.random());
      ctx.result("done");
    });
    harness.clock.nowMs = 42;
    await harness.until(client.invoke("x"));
    expect(seen[0]).toBe(42);
    expect(seen[1]).toBeGreaterThanOrEqual(0);
    expect(seen[1]).toBeLessThan(1);
  });
});
