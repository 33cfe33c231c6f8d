// A simulated topology: the same seed replays the same run, faults come where they are asked for,
// and the guarantees hold over them. Bugs here would look like faults that never happen.
import { describe, expect, it, onTestFinished } from "vitest";
import { agent, keyValueStore, node, string, topology, type } from "../../../index.js";
import {
  type SimulatedRuntime,
  type SimulateOptions,
  simulate,
} from "../../../testing/simulate.js";
import { keyOwnedBy } from "../../support/task-bench.js";

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});
const relay = agent({
  stores: { counters },
  entry: "first",
  result: type<number>(),
  nodes: {
    first: node({
      input: type<{ from: string; to: string }>(),
      key: (m) => m.from,
      to: ["second"],
    }),
    second: node({ input: type<{ from: string; to: string }>(), key: (m) => m.to }),
  },
}).implement({
  first(ctx, message) {
    ctx.emit("second", message);
  },
  async second(ctx, { to }) {
    ctx.result(await ctx.stores.counters.update("add", to, 1));
  },
});
const declared = topology("simulated", import.meta.url, {
  stores: { counters },
  agents: { relay },
  compute: { twice: (n: number) => n * 2 },
});
type Simulated = SimulatedRuntime<(typeof declared)["parts"]>;

async function started(options: Partial<SimulateOptions> = {}): Promise<Simulated> {
  const simulated = await simulate(declared, { seed: 1, tasks: 3, threads: 2, ...options });
  onTestFinished(() => simulated.close());
  return simulated;
}

const chaos = {
  processCrash: 0.002,
  threadCrash: 0.004,
  commitCrash: 0.02,
  busyRead: 0.2,
  duplicate: 0.5,
};

describe("simulate — replay", () => {
  async function run(seed: number): Promise<string> {
    const simulated = await started({ seed, faults: chaos, arenaBytes: 16_384 });
    const store = simulated.store("counters");
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, index) => {
        if (index % 2 === 0) return store.update("add", `k${index % 5}`, 1);
        return simulated.agent("relay").invoke({ from: `a${index}`, to: `b${index % 3}` });
      }),
    );
    await simulated.heal();
    const shown = outcomes.map((outcome) => {
      return outcome.status === "fulfilled" ? outcome.value : outcome.reason.code;
    });
    expect(simulated.stops).toEqual([]);
    return `${simulated.traceHash} ${simulated.steps} ${simulated.crashes} ${shown.join(" ")}`;
  }

  it("runs the same way from the same seed, crashes included, not from another", async () => {
    const runs = new Set<string>();
    for (let seed = 0; seed < 8; seed += 1) {
      const first = await run(seed);
      expect(await run(seed)).toBe(first);
      runs.add(first);
    }
    expect(runs.size).toBe(8);
  });
});

describe("simulate — time", () => {
  it("passes as fast as nothing happens", async () => {
    const simulated = await started({ threads: 0 });
    const before = simulated.elapsedMs;
    await simulated.advance(86_400_000);
    expect(simulated.elapsedMs - before).toBeCloseTo(86_400_000, 0);
  });

  it("syncs by the simulated clock, and a power cut takes what it has not synced", async () => {
    const lost = new Set<boolean>();
    for (let seed = 0; seed < 12; seed += 1) {
      const simulated = await started({ seed, durability: "interval", threads: 0, tasks: 1 });
      const store = simulated.store("counters");
      await store.put("early", 1);
      await simulated.advance(500);
      await store.put("late", 1);
      await simulated.crash();
      expect(await store.get("early")).toBe(1);
      lost.add((await store.get("late")) === undefined);
    }
    expect(lost).toEqual(new Set([true, false]));
  });
});

describe("simulate — crash points", () => {
  const key = keyOwnedBy(0, 3);

  async function crashed(point: "appended" | "synced" | "published" | "revealed", seed: number) {
    const simulated = await started({ seed });
    const store = simulated.store("counters");
    await store.put(key, 1);
    const happened = simulated.crashAt({ task: 0, point });
    const outcome = await store.put(key, 2).then(
      () => "acknowledged",
      (error) => error.code,
    );
    await happened;
    expect(simulated.crashes).toBe(1);
    return { outcome, value: await store.get(key) };
  }

  it.each(["synced", "published"] as const)("%s: nobody is told, and it stays", async (point) => {
    for (let seed = 0; seed < 6; seed += 1) {
      expect(await crashed(point, seed)).toEqual({ outcome: "TASK_EXITED", value: 2 });
    }
  });

  it("appended: nobody is told, and it stays or is gone", async () => {
    const values = new Set<number | undefined>();
    for (let seed = 0; seed < 20; seed += 1) {
      const { outcome, value } = await crashed("appended", seed);
      expect(outcome).toBe("TASK_EXITED");
      values.add(value);
    }
    expect(values).toEqual(new Set([1, 2]));
  });

  it("revealed: the reply has left and does not arrive", async () => {
    expect(await crashed("revealed", 3)).toEqual({ outcome: "TASK_EXITED", value: 2 });
  });

  it("one thread alone is started again, and the others do not notice", async () => {
    const simulated = await started();
    const other = keyOwnedBy(1, 3);
    const store = simulated.store("counters");
    const happened = simulated.crashAt({ task: 0, point: "published", scope: "thread" });
    const outcomes = await Promise.allSettled([store.put(key, 1), store.put(other, 1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    await happened;
    expect(await store.getMany([key, other])).toEqual([1, 1]);
  });
});

describe("simulate — faults by chance", () => {
  it("apply what arrives twice once, and say that it was a duplicate", async () => {
    let duplicates = 0;
    for (let seed = 0; seed < 10; seed += 1) {
      const simulated = await started({ seed, faults: { duplicate: 1 } });
      const from = keyOwnedBy(0, 3);
      const to = keyOwnedBy(1, 3);
      const agents = simulated.agent("relay");
      for (let index = 0; index < 3; index += 1) await agents.invoke({ from, to });
      await simulated.crash(2);
      await simulated.heal();
      const { tasks } = await simulated.stats();
      duplicates += tasks.reduce((sum, { batches }) => sum + batches.duplicates, 0);
      expect(await simulated.store("counters").get(to)).toBe(3);
    }
    expect(duplicates).toBeGreaterThan(0);
  });

  it("keep what was acknowledged and finish what was begun, whatever the seed", async () => {
    for (let seed = 0; seed < 25; seed += 1) {
      const simulated = await started({ seed, faults: chaos, streamWindowMessages: 1 });
      const store = simulated.store("counters");
      const acknowledged: string[] = [];
      const puts = Array.from({ length: 20 }, async (_, index) => {
        await store.put(`p${index}`, index);
        acknowledged.push(`p${index}`);
      });
      const begun = simulated.agent("relay").initiate({ from: "x", to: "y" });
      await Promise.allSettled([begun, ...puts]);
      await simulated.heal();
      const kept = await store.getMany(acknowledged);
      expect(kept).toEqual(acknowledged.map((name) => Number(name.slice(1))));
      const invocation = await begun.catch(() => undefined);
      if (invocation !== undefined) expect(await invocation.result()).toBeGreaterThan(0);
    }
  });
});

describe("simulate — the façade", () => {
  it("gives clients that go on over a crash, iterations and functions included", async () => {
    const simulated = await started();
    const store = simulated.store("counters");
    const invocation = await simulated.agent("relay").initiate({ from: "a", to: "b" });
    await store.put("a", 1);
    await simulated.crash();
    expect(await store.get("a")).toBe(1);
    const entries: (readonly [string, number])[] = [];
    for await (const entry of store.entries()) entries.push(entry);
    expect(entries).toContainEqual(["a", 1]);
    const result = await invocation.result();
    expect(await simulated.compute("twice", [4])).toBe(8);
    const again = simulated.agent("relay").get(invocation.id);
    expect(await again.result()).toBe(result);
  });

  it("refuses what launch refuses, and options of its own that make no sense", async () => {
    const bad = async (options: object) => {
      await expect(simulate(declared, { seed: 1, ...options })).rejects.toMatchObject({
        code: expect.stringMatching(/^OPTION_/),
      });
    };
    await bad({ seed: -1 });
    await bad({ arenaBytes: 100 });
    for (const wrong of [0, -1, 1.5, Number.NaN]) {
      await bad({ streamWindowMessages: wrong });
      await bad({ streamWindowBytes: wrong });
    }
    await bad({ faults: { crash: 1 } });
    await bad({ directory: 7, color: "red" });
    const simulated = await started();
    const ask = (name: string) => () => Reflect.apply(simulated.store, simulated, [name]);
    expect(ask("nothing")).toThrow(expect.objectContaining({ code: "STORE_UNKNOWN" }));
    await expect(simulated.crash(9)).rejects.toThrow("there is no thread 9");
  });

  it("closes in order, and refuses afterwards", async () => {
    const simulated = await started();
    const store = simulated.store("counters");
    const put = store.put("a", 1);
    await simulated.close();
    await put;
    await expect(store.get("a")).rejects.toMatchObject({ code: "CLOSED" });
    await simulated.close();
  });
});
