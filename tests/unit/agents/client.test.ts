// A bug here would look like this: a caller who waits for ever, a message sent for a refused
// input, an error whose stack leads nowhere.

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { agent } from "../../../agents/agent.js";
import { invocationTable } from "../../../agents/home/invocation-record.js";
import { node } from "../../../agents/declare/node.js";
import { PartitaError } from "../../../base/errors.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { latch } from "../../support/latch.js";
import { ProgramHarness } from "../../support/program-harness.js";
import { oneNode } from "./fixtures.js";

async function errorOf(promise: Promise<unknown>): Promise<PartitaError> {
  const error: unknown = await promise.then(
    () => "no error",
    (thrown: unknown) => thrown,
  );
  if (!PartitaError.is(error)) throw new Error(`expected a PartitaError, got ${String(error)}`);
  return error;
}

const failing = (): never => {
  throw new Error("on purpose");
};

describe("client — invoke and initiate", () => {
  it("gives the result to invoke, and to result() any number of times", async () => {
    let runs = 0;
    const { harness, client } = oneNode((ctx) => {
      runs += 1;
      ctx.result("done");
    });
    expect(await harness.until(client.invoke("x"))).toBe("done");
    const invocation = await harness.until(client.initiate("x"));
    for (let times = 0; times < 3; times += 1) {
      expect(await harness.until(invocation.result())).toBe("done");
    }
    const both = Promise.all([invocation.result(), invocation.result()]);
    expect(await harness.until(both)).toEqual(["done", "done"]);
    expect(runs).toBe(2);
  });

  it("is durable when initiate resolves: a crash at once loses nothing", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    const invocation = await harness.until(client.initiate("x"));
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    expect(await harness.until(invocation.result())).toBe("done");
  });

  it("finds an invocation again by its id, from another thread", async () => {
    const hold = latch();
    const held = agent({
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, message) {
        await hold.opened;
        ctx.result(message);
      },
    });
    const harness = new ProgramHarness({ agents: { held } });
    const { id } = await harness.until(clientsOf(harness).agent(held).initiate("x"));
    const other = clientsOf(harness).agent(held).get(id);
    expect(other.id).toBe(id);
    const result = other.result();
    await harness.run();
    hold.open();
    expect(await harness.until(result)).toBe("x");
  });

  it("does not know an id that no invocation has, nor one of another agent", async () => {
    const one = oneNode((ctx) => ctx.result("done"));
    const missing = one.client.get("00000001-000000000002-000000000003");
    expect(await errorOf(one.harness.until(missing.result()))).toMatchObject({
      code: "INVOCATION_UNKNOWN",
      details: { agent: "simple", invocationId: missing.id },
    });
    expect(() => one.client.get("not an id")).toThrow(
      expect.objectContaining({ code: "INVOCATION_UNKNOWN" }),
    );
    const shape = {
      entry: "a",
      result: type<string>(),
      nodes: { a: node({ input: type<string>() }) },
    } as const;
    const first = agent(shape).implement({ a: (ctx) => ctx.result("first") });
    const second = agent(shape).implement({ a: (ctx) => ctx.result("second") });
    const harness = new ProgramHarness({ agents: { first, second } });
    const clients = clientsOf(harness);
    const { id } = await harness.until(clients.agent(first).initiate("x"));
    const result = harness.until(clients.agent(second).get(id).result());
    expect((await errorOf(result)).code).toBe("INVOCATION_UNKNOWN");
    expect(await harness.until(clients.agent(second).invoke("x"))).toBe("second");
  });
});

describe("client — refusals before anything is sent", () => {
  const declared = agent({
    entry: "a",
    result: type<number>(),
    nodes: {
      a: node({ input: z.object({ n: z.number().max(10), f: z.unknown() }), key: (m) => m.n }),
    },
  }).implement({ a: (ctx, { n }) => ctx.result(n) });

  it.each([
    ["an input that the schema does not take", { n: 11, f: 1 }, "SCHEMA_INVALID"],
    ["an input that cannot be carried", { n: 1, f: () => 1 }, "VALUE_UNSUPPORTED"],
    ["a key that is none", { n: 1.5, f: 1 }, "KEY_INVALID"],
  ])("refuses %s and names the agent", async (_what, input, code) => {
    const harness = new ProgramHarness({ agents: { declared } });
    const client = clientsOf(harness).agent(declared);
    for (const call of [() => client.invoke(input), () => client.initiate(input)]) {
      const error = await errorOf(harness.until<unknown>(call()));
      expect(error.code).toBe(code);
      if (code !== "KEY_INVALID") {
        expect(error.details).toMatchObject({ where: 'input of agent "declared"' });
      }
    }
    await harness.run();
    expect(harness.rowCount(invocationTable)).toBe(0);
  });

  it("refuses an option it does not have", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    // cast: what a JavaScript caller could pass
    const options = { timeout: 5 } as object;
    const { id } = await harness.until(client.initiate("x"));
    for (const [call, known] of [
      [() => client.invoke("x", options), ["signal", "id", "metadata"]],
      [() => client.initiate("x", options), ["signal", "id", "metadata"]],
      [() => client.get(id).result(options), ["signal"]],
    ] as const) {
      expect(await errorOf(harness.until<unknown>(call()))).toMatchObject({
        code: "OPTION_UNKNOWN",
        details: { option: "timeout", known },
      });
    }
  });

  it("refuses a signal that is none", async () => {
    const { client } = oneNode((ctx) => ctx.result("done"));
    // cast: what a JavaScript caller could pass
    const signal = { aborted: false } as AbortSignal;
    expect(await errorOf(client.invoke("x", { signal }))).toMatchObject({
      code: "OPTION_INVALID",
      details: { where: "invoke", option: "signal" },
    });
  });
});

describe("client — abort", () => {
  it("rejects with the signal's reason and stops only the waiting", async () => {
    const hold = latch();
    let ended = 0;
    const { harness, client } = oneNode(async (ctx) => {
      await hold.opened;
      ended += 1;
      ctx.result("done");
    });
    const controller = new AbortController();
    const { signal } = controller;
    const invocation = await harness.until(client.initiate("x"));
    const waiting = [client.invoke("x", { signal }), invocation.result({ signal })];
    await harness.run();
    const reason = new Error("no more patience");
    controller.abort(reason);
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes).toEqual([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ]);
    hold.open();
    await harness.run();
    expect(ended).toBe(2);
    expect(await harness.until(invocation.result())).toBe("done");
  });

  it("sends nothing when the signal is aborted already", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    const reason = new Error("before");
    const signal = AbortSignal.abort(reason);
    await expect(client.invoke("x", { signal })).rejects.toBe(reason);
    await expect(client.initiate("x", { signal })).rejects.toBe(reason);
    await harness.run();
    expect(harness.rowCount(invocationTable)).toBe(0);
  });

  it("leaves no listener on a signal that outlives the call", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    let listeners = 0;
    const { signal } = new AbortController();
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, args);
    };
    await harness.until(client.invoke("x", { signal }));
    expect(listeners).toBe(0);
  });
});

describe("client — a lost task", () => {
  it("rejects what waits for its home task, and only that, with the runtime's error", async () => {
    const hold = latch();
    const keyed = agent({
      entry: "a",
      result: type<number>(),
      nodes: { a: node({ input: type<number>(), key: (n) => n }) },
    }).implement({
      async a(ctx, n) {
        await hold.opened;
        ctx.result(n);
      },
    });
    const harness = new ProgramHarness({ agents: { keyed } });
    const client = clientsOf(harness).agent(keyed);
    const invoked = Array.from({ length: 12 }, (_, n) => client.invoke(n));
    const settled = Promise.allSettled(invoked);
    await harness.run();
    harness.crash(1);
    hold.open();
    const outcomes = await harness.until(settled);
    const lost = outcomes.filter(({ status }) => status === "rejected");
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(12);
    for (const outcome of lost) {
      expect(outcome).toMatchObject({ reason: { code: "TASK_EXITED", details: { taskIds: [1] } } });
    }
  });

  it("rejects a request that was on the way", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    const calls = Promise.allSettled(Array.from({ length: 9 }, () => client.initiate("x")));
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    for (const outcome of await harness.until(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "TASK_EXITED" } });
    }
  });

  it("can be asked again: the outcome was not lost with the task", async () => {
    const { harness, client } = oneNode((ctx) => ctx.result("done"));
    const invocation = await harness.until(client.initiate("x"));
    const lost = harness.until(invocation.result());
    for (let task = 0; task < harness.taskCount; task += 1) harness.crash(task);
    expect((await errorOf(lost)).code).toBe("TASK_EXITED");
    expect(await harness.until(invocation.result())).toBe("done");
  });
});

describe("client — stacks", () => {
  async function invokedByTheUser(call: () => Promise<unknown>): Promise<void> {
    await call();
  }

  it.each([
    [
      "a failed invocation",
      async () => {
        const { harness, client } = oneNode(failing);
        const error = errorOf(invokedByTheUser(() => client.invoke("x")));
        await harness.run();
        return await error;
      },
    ],
    [
      "a failed invocation that is asked for later",
      async () => {
        const { harness, client } = oneNode(failing);
        const invocation = await harness.until(client.initiate("x"));
        const error = errorOf(invokedByTheUser(() => invocation.result()));
        await harness.run();
        return await error;
      },
    ],
    [
      "a lost task",
      async () => {
        const { harness, client } = oneNode(failing, { tasks: 1 });
        const error = errorOf(invokedByTheUser(() => client.invoke("x")));
        harness.crash(0);
        return await error;
      },
    ],
    [
      "a refused input",
      async () => {
        const { client } = oneNode(failing);
        // cast: no value at all
        const input = (() => 1) as unknown as string;
        return await errorOf(invokedByTheUser(() => client.initiate(input)));
      },
    ],
  ])("names the user's line for %s", async (_what, provoke) => {
    const { stack } = await provoke();
    const [, first = ""] = (stack ?? "").split(/\n(?= {4}at )/);
    expect(first).toContain("client.test.ts");
    expect(stack).toContain("invokedByTheUser");
  });
});

describe("client — order", () => {
  it("applies one client's invocations for one key in the order of the calls", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const applied: string[] = [];
      const keyed = agent({
        entry: "a",
        result: type<null>(),
        nodes: { a: node({ input: type<[string, number]>(), key: ([name]) => name }) },
      }).implement({
        async a(ctx, [name, n]) {
          await ctx.compute;
          applied.push(`${name}${n}`);
          ctx.result(null);
        },
      });
      const harness = new ProgramHarness({ agents: { keyed }, seed });
      const client = clientsOf(harness).agent(keyed);
      for (let n = 0; n < 8; n += 1) {
        for (const name of ["a", "b", "c"]) void client.invoke([name, n]);
      }
      await harness.run();
      for (const name of ["a", "b", "c"]) {
        expect(applied.filter((entry) => entry.startsWith(name))).toEqual(
          Array.from({ length: 8 }, (_, n) => `${name}${n}`),
        );
      }
    }
  });
});
