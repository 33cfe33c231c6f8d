// A bug here would look like this: a node that keeps what it has borrowed when it throws, two nodes
// with one connection, a connection that survives the runtime.

import { describe, expect, it } from "vitest";
import { agent } from "../../../agents/agent.js";
import { node } from "../../../agents/declare/node.js";
import { object } from "../../../agents/declare/object.js";
import { agentProgram } from "../../../agents/execution.js";
import { topology } from "../../../runtime/topology.js";
import { type } from "../../../store/schema.js";
import { clientsOf } from "../../support/agent-clients.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { ProgramHarness } from "../../support/program-harness.js";

/** A pool of numbered instances that knows who was lent what. */
function pool(limit: number, acquireTimeoutMs?: number) {
  let made = 0;
  const closed: number[] = [];
  const build = () => {
    made += 1;
    const id = made;
    return { id, close: () => void closed.push(id) };
  };
  const options = acquireTimeoutMs === undefined ? { limit } : { limit, acquireTimeoutMs };
  return { declared: object({ build, ...options }), closed, made: () => made };
}

describe("agent objects — in nodes", () => {
  it("an instance belongs to a node invocation until it ends, failed or not", async () => {
    const browsers = pool(1);
    const seen: string[] = [];
    const crawl = agent({
      entry: "a",
      result: type<number>(),
      objects: { browser: browsers.declared },
      maxRetries: 1,
      nodes: { a: node({ input: type<string>(), to: ["b"] }), b: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, name) {
        const own = await ctx.objects.browser();
        seen.push(`${name} has ${own.id}`);
        expect(await ctx.objects.browser()).toBe(own);
        await ctx.run("pause", () => null);
        seen.push(`${name} ends`);
        if (name === "fails") throw new Error("it fails");
        ctx.emit("b", name);
      },
      async b(ctx) {
        ctx.result((await ctx.objects.browser()).id);
      },
    });
    const harness = new ProgramHarness({
      agents: { crawl },
      objects: { browser: browsers.declared },
      tasks: 1,
    });
    const client = clientsOf(harness).agent(crawl);
    const all = Promise.allSettled([client.invoke("fails"), client.invoke("ends")]);
    const [fails, ends] = await harness.until(all);
    expect(fails).toMatchObject({ status: "rejected", reason: { code: "INVOCATION_FAILED" } });
    expect(ends).toEqual({ status: "fulfilled", value: 1 });
    expect(browsers.made()).toBe(1);
    // Who has it ends before the next one has it.
    expect(seen.length).toBeGreaterThan(4);
    for (let at = 0; at < seen.length; at += 2) {
      const [name] = String(seen[at]).split(" ");
      expect(seen.slice(at, at + 2)).toEqual([`${name} has 1`, `${name} ends`]);
    }
  });

  it("nor is it lent to another while its node only waits, however many wait", async () => {
    for (const whenLent of ["before", "while"]) {
      for (let seed = 1; seed <= 10; seed += 1) {
        const browsers = pool(1, 100);
        const holding = new Set<number>();
        const crawl = agent({
          entry: "a",
          result: type<string>(),
          objects: { browser: browsers.declared },
          maxRetries: 0,
          nodes: { a: node({ input: type<string>() }) },
        }).implement({
          async a(ctx, name) {
            if (name === "waits") return ctx.result(await ctx.askHuman("?"));
            const answer = whenLent === "while" ? ctx.askHuman<string>("?") : undefined;
            const { id } = await ctx.objects.browser();
            expect(holding.has(id)).toBe(false);
            holding.add(id);
            const said = name === "holds" ? await (answer ?? ctx.askHuman<string>("?")) : name;
            holding.delete(id);
            ctx.result(said);
          },
        });
        const harness = new ProgramHarness({
          agents: { crawl },
          objects: { browser: browsers.declared },
          program: agentProgram({ awakeWaitingMax: 1 }),
          tasks: 1,
          seed,
        });
        const client = clientsOf(harness).agent(crawl);
        const held = await harness.until(client.initiate("holds"));
        await harness.run();
        for (let n = 0; n < 3; n += 1) await harness.until(client.initiate("waits"));
        await harness.run();
        const refused = harness.until(client.invoke("wants it"));
        await expect(refused).rejects.toMatchObject({ cause: { code: "OBJECT_UNAVAILABLE" } });
        const [question] = await harness.until(held.humanInputs());
        if (question === undefined) throw new Error("it asks");
        await harness.until(held.answer(question, "done"));
        expect(await harness.until(held.result())).toBe("done");
        expect(await harness.until(client.invoke("gets it"))).toBe("gets it");
        expect(browsers.made()).toBe(1);
      }
    }
  });

  it("a node that waits, and was lent nothing of a pool, is given up all the same", async () => {
    const browsers = pool(1, 100);
    const shared = object({ build: () => ({ wide: true }), shared: true });
    const runs: string[] = [];
    const crawl = agent({
      entry: "a",
      result: type<string>(),
      objects: { browser: browsers.declared, shared },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, name) {
        runs.push(name);
        await ctx.objects.shared();
        if (name !== "never") await ctx.objects.browser().catch(() => {});
        ctx.result(await ctx.askHuman(name));
      },
    });
    const harness = new ProgramHarness({
      agents: { crawl },
      objects: { browser: browsers.declared, shared },
      program: agentProgram({ awakeWaitingMax: 0 }),
      tasks: 1,
    });
    const client = clientsOf(harness).agent(crawl);
    const names = ["holds", "late", "never"];
    const begun = [];
    for (const name of names) begun.push(await harness.until(client.initiate(name)));
    await harness.run();
    harness.clock.pass(100);
    await harness.run();
    for (const invocation of begun.toReversed()) {
      const [question] = await harness.until(invocation.humanInputs());
      if (question === undefined) throw new Error("it asks");
      await harness.until(invocation.answer(question, "done"));
      expect(await harness.until(invocation.result())).toBe("done");
    }
    expect(runs.toSorted()).toEqual(["holds", "late", "late", "never", "never"]);
  });

  it("waiting longer than acquireTimeoutMs throws in the node, which can catch it", async () => {
    const browsers = pool(1, 100);
    let release = (): void => {};
    const crawl = agent({
      entry: "a",
      result: type<string>(),
      objects: { browser: browsers.declared },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx, name) {
        if (name === "holds") {
          await ctx.objects.browser();
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          ctx.result("held it");
          return;
        }
        const error = await ctx.objects.browser().catch((thrown: unknown) => thrown);
        ctx.result(error instanceof Error ? error.message.slice(0, 25) : "got it");
      },
    });
    const harness = new ProgramHarness({
      agents: { crawl },
      objects: { browser: browsers.declared },
      tasks: 1,
    });
    const client = clientsOf(harness).agent(crawl);
    const holds = client.invoke("holds");
    expect(await harness.until(client.invoke("waits"))).toBe("Could not acquire object.");
    release();
    expect(await harness.until(holds)).toBe("held it");
  });

  it("a builder's error is the node's; asking after it has returned is refused", async () => {
    const broken = object({
      build: (): number => {
        throw new TypeError("no such model");
      },
      shared: true,
    });
    const kept: (() => Promise<number>)[] = [];
    const ask = agent({
      entry: "a",
      result: type<string>(),
      objects: { model: broken },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({
      async a(ctx) {
        kept.push(ctx.objects.model);
        const error = await ctx.objects.model().catch((thrown: unknown) => thrown);
        ctx.result(String(error));
      },
    });
    const harness = new ProgramHarness({ agents: { ask }, objects: { model: broken } });
    const client = clientsOf(harness).agent(ask);
    expect(await harness.until(client.invoke(""))).toBe("TypeError: no such model");
    await expect(kept[0]?.()).rejects.toMatchObject({ code: "NODE_FINISHED" });
  });
});

describe("agent objects — in a runtime", () => {
  it("are closed on shutdown, once", async () => {
    const browsers = pool(2);
    const crawl = agent({
      entry: "a",
      result: type<number>(),
      objects: { mine: browsers.declared },
      nodes: { a: node({ input: type<string>() }) },
    }).implement({ a: async (ctx) => ctx.result((await ctx.objects.mine()).id) });
    const declared = topology("objects", import.meta.url, {
      agents: { crawl },
      objects: { browser: browsers.declared },
    });
    const runtime = await inlineCluster(declared);
    expect(await runtime.agent("crawl").invoke("")).toBe(1);
    expect(browsers.closed).toEqual([]);
    await runtime.close();
    expect(browsers.closed).toEqual([1]);
  });
});
