// A launched topology on one thread: its life from launch to close. Bugs here would look like a
// close that loses what was accepted, or a call that hangs because nobody is left to answer.
import { describe, expect, it } from "vitest";
import {
  agent,
  keyValueStore,
  node,
  PartitaError,
  string,
  topology,
  type,
} from "../../../index.js";
import { realSystem, type System } from "../../../internal.js";
import { inlineCluster, openedCluster } from "../../support/inline-cluster.js";
import { keyOwnedBy } from "../../support/task-bench.js";
import { tempDirectory } from "../../support/temp-directory.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});
const declared = topology("lives", import.meta.url, {
  stores: { counters },
  compute: { twice: (n: number) => n * 2 },
});

describe("launch — inline", () => {
  it("keeps what was acknowledged over a close and a launch on the same directory", async () => {
    const directory = tempDirectory();
    const first = await inlineCluster(declared, { directory });
    await first.store("counters").putMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    await first.store("counters").delete("b");
    await first.close();
    const second = await inlineCluster(declared, { directory });
    expect(await second.store("counters").getMany(["a", "b", "c"])).toEqual([1, undefined, 3]);
    expect(await second.store("counters").update("add", "a", 1)).toBe(2);
  });

  it("calls compute functions, and has figures of every task", async () => {
    const runtime = await inlineCluster(declared, { tasks: 3 });
    expect(await runtime.compute("twice", [21])).toBe(42);
    await runtime.store("counters").put("a", 1);
    const { tasks } = await runtime.stats();
    expect(tasks.map(({ task, thread }) => [task, thread])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(tasks.reduce((sum, { batches }) => sum + batches.messages, 0)).toBe(1);
  });

  it("names what is declared when it is asked for something that is not", async () => {
    const runtime = await inlineCluster(declared);
    const ask = (method: "store" | "agent", name: string) => () =>
      Reflect.apply(runtime[method], runtime, [name]);
    const unknown = { store: "accounts", known: ["counters"] };
    expect(ask("store", "accounts")).toThrow(
      expect.objectContaining({ code: "STORE_UNKNOWN", details: unknown }),
    );
    expect(ask("agent", "counters")).toThrow(expect.objectContaining({ code: "AGENT_UNKNOWN" }));
    expect(ask("store", "toString")).toThrow(expect.objectContaining({ code: "STORE_UNKNOWN" }));
  });
});

describe("close (F3)", () => {
  it("finishes what was accepted, once, for every caller", async () => {
    const directory = tempDirectory();
    const runtime = await inlineCluster(declared, { directory });
    const store = runtime.store("counters");
    const calls = Array.from({ length: 200 }, () => store.update("add", "a", 1));
    const closing = runtime.close();
    expect(runtime.close()).toBe(closing);
    expect(runtime[Symbol.asyncDispose]()).toBe(closing);
    await expect(store.get("a")).rejects.toMatchObject({ code: "CLOSED" });
    await closing;
    expect(new Set(await Promise.all(calls)).size).toBe(200);
    const again = await inlineCluster(declared, { directory });
    expect(await again.store("counters").get("a")).toBe(200);
  });

  it("refuses every call afterwards", async () => {
    const runtime = await inlineCluster(declared);
    const store = runtime.store("counters");
    await runtime.close();
    const closed = { code: "CLOSED", details: { what: 'topology "lives"' } };
    await expect(store.put("a", 1)).rejects.toMatchObject(closed);
    await expect(runtime.store("counters").get("a")).rejects.toMatchObject(closed);
    await expect(runtime.close()).resolves.toBe(undefined);
  });
});

describe("close — nodes that run", () => {
  const relay = agent({
    stores: { counters },
    entry: "first",
    result: type<number>(),
    nodes: {
      first: node({ input: type<number>(), to: ["second"] }),
      second: node({ input: type<number>() }),
    },
  }).implement({
    async first(ctx, by) {
      await ctx.stores.counters.update("add", "first", by);
      ctx.emit("second", by);
    },
    async second(ctx, by) {
      ctx.result(await ctx.stores.counters.update("add", "second", by));
    },
  });
  const relayed = topology("relayed", import.meta.url, {
    stores: { counters },
    agents: { relay },
  });

  it("go on while it waits, and their callers get their results", async () => {
    const directory = tempDirectory();
    const runtime = await inlineCluster(relayed, { directory });
    const calls = Array.from({ length: 20 }, () => runtime.agent("relay").invoke(1));
    await runtime.close();
    expect(new Set(await Promise.all(calls)).size).toBe(20);
    const again = await inlineCluster(relayed, { directory });
    expect(await again.store("counters").getMany(["first", "second"])).toEqual([20, 20]);
  });

  it("go on at the next launch when it did not wait", async () => {
    const directory = tempDirectory();
    const runtime = await inlineCluster(relayed, { directory, closeTimeoutMs: 0 });
    const calls = Array.from({ length: 20 }, () => runtime.agent("relay").invoke(1));
    const settled = Promise.allSettled(calls);
    // All of them are accepted: what follows on the same lanes is.
    const keys = [0, 1, 2].map((task) => keyOwnedBy(task, 3));
    await runtime.store("counters").putMany(keys.map((key) => [key, 0]));
    await runtime.close();
    for (const outcome of await settled) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "CLOSED" });
    }
    const again = await inlineCluster(relayed, { directory });
    await again.drain();
    // A node may run again: its function had begun. None is lost.
    const [first = 0, second = 0] = await again.store("counters").getMany(["first", "second"]);
    expect(Math.min(first, second)).toBeGreaterThanOrEqual(20);
  });
});

describe("drain", () => {
  it("resolves when all that was accepted is done", async () => {
    const runtime = await inlineCluster(declared);
    const store = runtime.store("counters");
    let done = 0;
    for (let index = 0; index < 50; index += 1) {
      store.update("add", "a", 1).then(
        () => {
          done += 1;
        },
        () => {},
      );
    }
    await runtime.drain();
    expect(done).toBe(50);
  });

  it("rejects with its signal's reason", async () => {
    const runtime = await inlineCluster(declared);
    const reason = new Error("enough");
    const drained = runtime.drain({ signal: AbortSignal.abort(reason) });
    await expect(drained).rejects.toBe(reason);
  });
});

describe("launch — inline, without an agent that has work under way", () => {
  function agents(names: readonly string[], run: (name: string) => string | undefined) {
    const made = names.map((name) => {
      const declaration = agent({
        entry: "work",
        result: type<string>(),
        nodes: { work: node({ input: type<string>(), key: (key) => key }) },
      });
      const implemented = declaration.implement({
        work: async (ctx) => {
          const result = run(name);
          if (result === undefined) await new Promise(() => {});
          else ctx.result(result);
        },
      });
      return [name, implemented] as const;
    });
    return topology("refused", import.meta.url, { agents: Object.fromEntries(made) });
  }

  it("gives its nodes up, lets the others run, and replays them when it is back", async () => {
    const directory = tempDirectory();
    const settings = { directory, tasks: 2, closeTimeoutMs: 0 };
    const hung = await inlineCluster(
      agents(["stays", "leaves"], () => undefined),
      settings,
    );
    const begun = await Promise.all(
      ["stays", "leaves"].map((name, task) => hung.agent(name).initiate(keyOwnedBy(task, 2))),
    );
    await hung.close();
    const fewer = await inlineCluster(
      agents(["stays"], (name) => name),
      settings,
    );
    const [stays, leaves] = begun.map(({ id }) => id);
    expect(
      await fewer
        .agent("stays")
        .get(stays ?? "")
        .result(),
    ).toBe("stays");
    await fewer.drain();
    await fewer.close();
    const whole = await inlineCluster(
      agents(["stays", "leaves"], (name) => name),
      settings,
    );
    const gone = whole.agent("leaves").get(leaves ?? "");
    const failed = await gone.result().catch((error: unknown) => error);
    expect(PartitaError.is(failed, "INVOCATION_FAILED") && failed.cause).toMatchObject({
      code: "AGENT_UNKNOWN",
    });
    for await (const letter of whole.deadLetters.list()) await whole.deadLetters.replay(letter.id);
    expect(await gone.result()).toBe("leaves");
  });
});

describe("durability", () => {
  async function syncsOf(durability: "durable" | "interval" | "relaxed", ticks: number) {
    const timers: (() => void)[] = [];
    const system: System = {
      ...realSystem,
      after: (delayMs, action) => {
        if (delayMs !== 77) return realSystem.after(delayMs, action);
        timers.push(action);
        return { cancel: () => {} };
      },
    };
    const settings = { durability, syncIntervalMs: 77, tasks: 1, seams: { system } };
    const cluster = await openedCluster(declared, settings);
    const count = (): number => cluster.local.reports()[0]?.storage.syncs ?? -1;
    // The boot record is synced in every mode.
    const atStart = count();
    const syncs = (): number => count() - atStart;
    await cluster.local.store("counters").put("a", 1);
    await cluster.local.store("counters").put("a", 2);
    const before = syncs();
    for (let tick = 0; tick < ticks; tick += 1) timers.shift()?.();
    return [before, syncs()];
  }

  it("durable syncs every batch before it is acknowledged", async () => {
    expect(await syncsOf("durable", 0)).toEqual([2, 2]);
  });

  it("interval syncs when its time has come, and only what is new", async () => {
    expect(await syncsOf("interval", 0)).toEqual([0, 0]);
    expect(await syncsOf("interval", 3)).toEqual([0, 1]);
  });

  it("interval has no clock of its own: a frame begins the time until it is synced", async () => {
    const timers: (() => void)[] = [];
    let cancelled = 0;
    const system: System = {
      ...realSystem,
      after: (delayMs, action) => {
        if (delayMs !== 77) return realSystem.after(delayMs, action);
        timers.push(action);
        return { cancel: () => (cancelled += 1) };
      },
    };
    const settings = { syncIntervalMs: 77, tasks: 1, seams: { system } };
    const cluster = await openedCluster(declared, { ...settings, durability: "interval" });
    const store = cluster.local.store("counters");
    expect(timers).toHaveLength(0);
    await store.put("a", 1);
    await store.put("a", 2);
    expect(timers).toHaveLength(1);
    timers.shift()?.();
    expect(timers).toHaveLength(0);
    // Nothing is written for it.
    await store.delete("absent");
    expect(timers).toHaveLength(0);
    await store.put("a", 3);
    expect(timers).toHaveLength(1);
    await cluster.close();
    expect(cancelled).toBe(1);
  });

  it("relaxed leaves it to the system", async () => {
    expect(await syncsOf("relaxed", 3)).toEqual([0, 0]);
  });
});
