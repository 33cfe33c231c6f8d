// Bugs here would look like new work that is accepted on a full disk, accepted work or reads that
// are refused, or a runtime that does not go on by itself when there is room again.
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { limits } from "../../../base/limits.js";
import { agent, keyValueStore, node, string, topology, type } from "../../../index.js";
import { realSystem, type System } from "../../../internal.js";
import { DiskState, diskLevel } from "../../../runtime/disk-state.js";
import { inlineCluster } from "../../support/inline-cluster.js";
import { type Latch, latch } from "../../support/latch.js";
import { tempDirectory } from "../../support/temp-directory.js";

const marks = { diskLowBytes: 800_000, diskReserveBytes: 400_000 };
const plenty = 10_000_000;
const low = 500_000;
const reserve = 300_000;

const counters = keyValueStore({
  key: string,
  value: type<number>(),
  updates: { add: (count = 0, by: number) => count + by },
});
let hold: Latch = latch();
const relay = agent({
  stores: { counters },
  entry: "first",
  result: type<number>(),
  nodes: {
    first: node({ input: type<string>(), to: ["second"] }),
    second: node({ input: type<string>() }),
  },
}).implement({
  async first(ctx, key) {
    await ctx.stores.counters.update("add", "started", 1);
    await hold.opened;
    await ctx.stores.counters.update("add", key, 1);
    ctx.emit("second", key);
  },
  async second(ctx, key) {
    ctx.result(await ctx.stores.counters.update("add", key, 1));
  },
});
const declared = topology("full", import.meta.url, {
  stores: { counters },
  agents: { relay },
  compute: { twice: (n: number) => n * 2 },
});

/** A runtime on a disk of the test's making, whose looks the test asks for. */
async function onDisk(freeBytes: number, directory = tempDirectory()) {
  hold = latch();
  const disk = { freeBytes };
  const looks: (() => void)[] = [];
  const system: System = {
    ...realSystem,
    after: (delayMs, action, background) => {
      if (delayMs !== limits.diskLookMs) return realSystem.after(delayMs, action, background);
      looks.push(action);
      return { cancel: () => {} };
    },
  };
  const seams = { system, freeBytes: async () => disk.freeBytes };
  const runtime = await inlineCluster(declared, {
    directory,
    ...marks,
    closeTimeoutMs: 50,
    seams,
  });
  const become = async (bytes: number): Promise<void> => {
    disk.freeBytes = bytes;
    // The guard looks first and those who wait for it afterwards, whatever their order.
    for (let round = 0; round < 2; round += 1) {
      for (const look of looks.splice(0)) look();
      await turn();
    }
  };
  return { runtime, become, directory };
}

const refused = expect.objectContaining({
  code: "DISK_LOW",
  details: expect.objectContaining({ freeBytes: low, diskLowBytes: marks.diskLowBytes }),
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn();
}

describe("disk low — below the first mark", () => {
  it("refuses every kind of new work, with what is free, and changes nothing", async () => {
    const { runtime, become } = await onDisk(plenty);
    const store = runtime.store("counters");
    await store.put("a", 1);
    await become(low);
    const calls = [
      () => store.put("a", 2),
      () => store.putMany([["a", 3]]),
      () => store.update("add", "a", 1),
      () => store.modify("a", () => 5),
      () => store.delete("a"),
      () => store.clear(),
      () => runtime.agent("relay").invoke("a"),
      () => runtime.agent("relay").initiate("a"),
    ];
    for (const call of calls) await expect(call()).rejects.toEqual(refused);
    expect(await Promise.all([store.get("a"), store.contains("a")])).toEqual([1, true]);
    expect(await store.getMany(["a", "b"])).toEqual([1, undefined]);
    for await (const entry of store.entries()) expect(entry).toEqual(["a", 1]);
    expect(await runtime.compute("twice", [4])).toBe(8);
    const { disk } = await runtime.stats();
    expect(disk).toEqual({ ...marks, level: "low", freeBytes: low, failedLooks: 0 });

    await become(plenty);
    expect(await store.update("add", "a", 1)).toBe(2);
  });

  it("finishes what was accepted: nodes start, write and send", async () => {
    const { runtime, become } = await onDisk(plenty);
    const accepted = runtime.agent("relay").invoke("a");
    const { id } = await runtime.agent("relay").initiate("b");
    await become(low);
    hold.open();
    expect(await accepted).toBe(2);
    expect(await runtime.agent("relay").get(id).result()).toBe(2);
  });

  it("is looked for before anything is served, however long the look takes", async () => {
    const looked = latch();
    const freeBytes = async (): Promise<number> => {
      await looked.opened;
      return low;
    };
    const launching = inlineCluster(declared, { ...marks, seams: { freeBytes } });
    // One that began later and does not look is done by now, twice.
    for (let other = 0; other < 2; other += 1) await inlineCluster(declared, { diskLowBytes: 0 });
    expect(await Promise.race([launching, quiet()])).toBe("not yet");
    looked.open();
    await expect((await launching).store("counters").put("a", 1)).rejects.toEqual(refused);
  });

  it("is seen at the launch", async () => {
    const { runtime, become } = await onDisk(low);
    await expect(runtime.store("counters").put("a", 1)).rejects.toEqual(refused);
    await become(plenty);
    await runtime.store("counters").put("a", 1);
  });
});

describe("disk low — below the reserve", () => {
  it("finishes what runs, starts nothing, and goes on by itself", async () => {
    const { runtime, become } = await onDisk(plenty);
    const store = runtime.store("counters");
    const calls = [runtime.agent("relay").invoke("a"), runtime.agent("relay").invoke("b")];
    await until(async () => (await store.get("started")) === 2);
    await become(reserve);
    hold.open();
    await until(async () => (await store.getMany(["a", "b"])).join() === "1,1");
    // Both have sent to their second node by the time that a drain would have looked twice.
    const drained = runtime.drain();
    const outcome = await Promise.race([drained.then(() => "drained"), quiet()]);
    expect(outcome).toBe("not yet");
    expect(await store.getMany(["a", "b"])).toEqual([1, 1]);
    expect((await runtime.stats()).disk.level).toBe("reserve");

    // Above the reserve nodes start again, although new work is still refused.
    await become(low);
    expect(await Promise.all(calls)).toEqual([2, 2]);
    await drained;
    await expect(store.put("a", 9)).rejects.toMatchObject({ code: "DISK_LOW" });
  });

  it("starts no recovered node at a launch, and loses none", async () => {
    const { runtime, become, directory } = await onDisk(plenty);
    const { id } = await runtime.agent("relay").initiate("a");
    await become(reserve);
    void runtime.close();
    const ended = runtime.agent("relay").get(id).result();
    await expect(ended).rejects.toMatchObject({ code: "CLOSED" });
    await runtime.close();

    const second = await onDisk(reserve, directory);
    hold.open();
    const result = second.runtime.agent("relay").get(id).result();
    expect(await Promise.race([result, quiet()])).toBe("not yet");
    await second.become(plenty);
    expect(await result).toBe(2);
  });
});

/** So many turns of the event loop that a node which might start would have done so. */
async function quiet(): Promise<string> {
  for (let turns = 0; turns < 300; turns += 1) await turn();
  return "not yet";
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("disk low — while a call of several is made", () => {
  it("is met by all of a putMany or by none: another thread may move the level", async () => {
    const runtime = await inlineCluster(declared);
    const store = runtime.store("counters");
    let looks = 0;
    const level = vi.spyOn(DiskState.prototype, "level", "get").mockImplementation(() => {
      looks += 1;
      return looks === 1 ? diskLevel.open : diskLevel.low;
    });
    onTestFinished(() => level.mockRestore());
    await store.putMany([
      ["a", 1],
      ["b", 2],
    ]);
    const refused = store.putMany([["a", 3]]);
    await expect(refused).rejects.toMatchObject({ code: "DISK_LOW" });
    expect(await store.getMany(["a", "b"])).toEqual([1, 2]);
  });
});
