// Many clients at once, on the launching thread and in nodes on task threads: exact sums, no lost
// update, no stale read. What goes wrong here would look like a sum that is too small, or a reader
// that does not see what was acknowledged before it began.

import { describe, expect, it } from "vitest";
import { launch } from "../../dist/index.js";
import load, { type Additions } from "../../dist/tests/topologies/load.js";
import { tempDirectory } from "../support/temp-directory.js";

const manyKeys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
/** Their hashes put them on both task threads: the tests look whether they do. */
const nodeNames = ["node-a", "node-b", "node-c", "node-d"];

function launchLoad() {
  return launch(load, { directory: tempDirectory(), tasks: 4, threads: 2 });
}

type Load = Awaited<ReturnType<typeof launchLoad>>;

async function addInNodes(runtime: Load, work: Omit<Additions, "client">): Promise<void> {
  const threads = await Promise.all(
    nodeNames.map((client) => runtime.agent("adder").invoke({ client, ...work })),
  );
  // Otherwise nothing was concurrent but clients of one thread.
  expect(new Set(threads).size).toBe(2);
  expect(threads).not.toContain(0);
}

async function upTo(count: number, call: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => call(index)));
}

describe("updates — many clients on three threads", () => {
  it("counts every addition to one hot key, once", async () => {
    await using runtime = await launchLoad();
    const counters = runtime.store("counters");
    await Promise.all([
      addInNodes(runtime, { keys: Array(50).fill("hot"), times: 10, how: "update" }),
      upTo(10_000, () => counters.update("add", "hot", 1)),
    ]);

    expect(await counters.get("hot")).toBe(10_000 + 4 * 500);
  });

  it("counts every addition to many keys", async () => {
    await using runtime = await launchLoad();
    const counters = runtime.store("counters");
    await Promise.all([
      addInNodes(runtime, { keys: manyKeys, times: 5, how: "update" }),
      upTo(5, () => upTo(manyKeys.length, (i) => counters.update("add", `key-${i}`, 1))),
    ]);

    expect(await counters.getMany(manyKeys)).toEqual(manyKeys.map(() => 25));
  });

  it("answers the additions of one client in the order of its calls", async () => {
    await using runtime = await launchLoad();
    const counters = runtime.store("counters");
    const answers: number[] = [];
    await Promise.all([
      addInNodes(runtime, { keys: ["hot"], times: 20, how: "update" }),
      upTo(2_000, async () => {
        answers.push(await counters.update("add", "hot", 1));
      }),
    ]);

    expect(answers).toHaveLength(2_000);
    expect(answers).toEqual([...answers].sort((one, other) => one - other));
    expect(new Set(answers).size).toBe(2_000);
  });
});

describe("modify — closures from three threads on one key", () => {
  it("applies each closure once", async () => {
    await using runtime = await launchLoad();
    const counters = runtime.store("counters");
    const increment = (count = 0) => count + 1;
    await Promise.all([
      addInNodes(runtime, { keys: ["hot", "hot"], times: 25, how: "modify" }),
      upTo(3, async () => {
        for (let i = 0; i < 50; i += 1) await counters.modify("hot", increment);
      }),
      upTo(50, () => counters.update("add", "hot", 1)),
    ]);

    expect(await counters.get("hot")).toBe(4 * 50 + 3 * 50 + 50);
  });

  it("removes the key when the closure returns nothing, and begins anew", async () => {
    await using runtime = await launchLoad();
    const counters = runtime.store("counters");
    await counters.put("hot", 7);

    expect(await counters.modify("hot", () => undefined)).toBeUndefined();
    expect(await counters.contains("hot")).toBe(false);
    expect(await counters.modify("hot", (count = 100) => count + 1)).toBe(101);
  });
});

describe("reads — by this client and by nodes on other threads", () => {
  it("sees each acknowledged write, whichever thread reads", async () => {
    await using runtime = await launchLoad();
    const texts = runtime.store("texts");
    const observer = runtime.agent("observer");
    const threads = new Set<number>();
    for (let i = 0; i < 60; i += 1) {
      const name = nodeNames[i % nodeNames.length] ?? "";
      const key = `key-${i % 7}`;
      const written = i % 5 === 4 ? null : `text ${i}`;
      if (written === null) await texts.delete(key);
      else await texts.put(key, written);
      const { threadId, ...seen } = await observer.invoke({ observer: name, key });

      threads.add(threadId);
      expect(seen).toEqual({ got: written, gotMany: written, scanned: written });
      expect((await texts.get(key)) ?? null).toBe(written);
    }
    expect(threads.size).toBe(2);
  });

  it("sees its own writes that nobody has awaited", async () => {
    await using runtime = await launchLoad();
    const texts = runtime.store("texts");
    const writes: Promise<unknown>[] = [];
    const reads: Promise<unknown>[] = [];
    const expected: unknown[] = [];
    for (let i = 0; i < 1_000; i += 1) {
      const key = `key-${i % 10}`;
      const isDelete = i % 3 === 2;
      writes.push(isDelete ? texts.delete(key) : texts.put(key, `text ${i}`));
      reads.push(texts.get(key), texts.contains(key));
      expected.push(isDelete ? undefined : `text ${i}`, !isDelete);
    }
    const scanned: string[] = [];
    for await (const [, text] of texts.entries()) scanned.push(text);
    await Promise.all(writes);

    expect(await Promise.all(reads)).toEqual(expected);
    expect(scanned).toEqual(
      expected
        .slice(-20)
        .filter((text) => typeof text === "string")
        .sort(byKeyOfText),
    );
  });

  it("sees nothing of a store that was cleared, and all that was put afterwards", async () => {
    await using runtime = await launchLoad();
    const texts = runtime.store("texts");
    const observer = runtime.agent("observer");
    await texts.putMany(manyKeys.map((key) => [key, "old"]));
    await texts.clear();
    const afterClear = await observer.invoke({ observer: "node-a", key: "key-1" });
    await texts.putMany([["key-2", "new"]]);

    expect(afterClear).toMatchObject({ got: null, gotMany: null, scanned: null });
    expect(await observer.invoke({ observer: "node-b", key: "key-2" })).toMatchObject({
      got: "new",
      gotMany: "new",
      scanned: "new",
    });
    expect(await texts.getMany(["key-1", "key-2"])).toEqual([undefined, "new"]);
  });
});

/** `text 993` stands under `key-3`. */
function byKeyOfText(one: unknown, other: unknown): number {
  return Number(String(one).at(-1)) - Number(String(other).at(-1));
}
