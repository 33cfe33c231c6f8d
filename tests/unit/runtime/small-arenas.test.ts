// Bugs here would look like a task that dies of a value which no frame of its arenas can hold.
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
import { inlineCluster } from "../../support/inline-cluster.js";
import { tempDirectory } from "../../support/temp-directory.js";

const texts = keyValueStore({
  key: string,
  value: type<string>(),
  updates: {
    fill: (_current: string | undefined, length: number) => "x".repeat(length),
    more: (current = "nothing") => `${current}, more`,
  },
});

const relay = agent({
  stores: { texts },
  entry: "give",
  result: type<number>(),
  nodes: {
    give: node({ input: type<number>(), to: ["take"] }),
    take: node({ input: type<string>(), key: (text) => text.slice(0, 8) }),
  },
}).implement({
  give: (ctx, length) => ctx.emit("take", "y".repeat(length)),
  take: (ctx, text) => ctx.result(text.length),
});

const declared = topology("small", import.meta.url, { stores: { texts }, agents: { relay } });
const arenaBytes = 1024 * 1024;

describe("small arenas — what no frame can hold", () => {
  it("is refused as a value of put and of update, and the task goes on", async () => {
    const runtime = await inlineCluster(declared, { arenaBytes });
    const store = runtime.store("texts");
    const put = await store.put("a", "x".repeat(300_000)).catch((error: unknown) => error);
    const update = await store.update("fill", "a", 300_000).catch((error: unknown) => error);
    expect(PartitaError.is(put, "VALUE_TOO_LARGE")).toBe(true);
    expect(PartitaError.is(update, "VALUE_TOO_LARGE")).toBe(true);
    expect(await store.get("a")).toBeUndefined();
    expect(await store.update("fill", "a", 200_000)).toHaveLength(200_000);
  });

  it("is refused as a value of put, and what the key held before stays", async () => {
    const directory = tempDirectory();
    const first = await inlineCluster(declared, { arenaBytes, directory });
    await first.store("texts").put("a", "before");
    await first.close();
    // Of a later launch no row is in its task's cache yet.
    const second = await inlineCluster(declared, { arenaBytes, directory });
    const refused = second.store("texts").put("a", "x".repeat(300_000));
    await expect(refused).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect(await second.store("texts").update("more", "a")).toBe("before, more");
  });

  it("is refused as a message where it is emitted, and the invocation fails with it", async () => {
    const runtime = await inlineCluster(declared, { arenaBytes });
    const client = runtime.agent("relay");
    const failed = await client.invoke(300_000).catch((error: unknown) => error);
    expect(PartitaError.is(failed, "INVOCATION_FAILED")).toBe(true);
    if (PartitaError.is(failed))
      expect(PartitaError.is(failed.cause, "MESSAGE_TOO_LARGE")).toBe(true);
    expect(await client.invoke(190_000)).toBe(190_000);
  });

  it("takes many large values one after the other through swaps and checkpoints", async () => {
    const runtime = await inlineCluster(declared, { arenaBytes });
    const store = runtime.store("texts");
    const lengths = Array.from({ length: 40 }, (_, index) => 100_000 + index);
    await Promise.all(lengths.map((length) => store.update("fill", `k${length}`, length)));
    const found: number[] = [];
    for await (const [, text] of store.entries()) found.push(text.length);
    expect(found.sort((a, b) => a - b)).toEqual(lengths);
  });
});
