// Bugs here would look like an entry that is missing, twice there, or out of order where pages and
// tasks meet.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { topology } from "../../../runtime/topology.js";
import { keyValueStore } from "../../../store/declaration.js";
import { integer, string } from "../../../store/key.js";
import type { EntriesOptions } from "../../../store/key-value-store.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { type } from "../../../store/schema.js";
import { tuple } from "../../../store/tuple-key.js";
import { type AnyStoreClient, HostCluster } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";
import { check } from "../../support/property.js";

const words = keyValueStore({ key: string, value: type<unknown>() });
const pairs = keyValueStore({ key: tuple(string, integer), value: type<unknown>() });
const declared = topology("scans", import.meta.url, { stores: { words, pairs } });

function opened() {
  const system = new ManualSystem();
  const cluster = new HostCluster(declared, { system: () => system, taskCount: 5 });
  const settle = async <T>(call: Promise<T>): Promise<T> => {
    call.catch(() => {});
    await system.settle();
    return await call;
  };
  return { system, cluster, settle, words: cluster.store("words"), pairs: cluster.store("pairs") };
}

async function collected(store: AnyStoreClient, options?: EntriesOptions<unknown>) {
  const found: (readonly [unknown, unknown])[] = [];
  for await (const entry of store.entries(options)) found.push(entry);
  return found;
}

describe("entries — order (N1)", () => {
  it("come in key order over all tasks, each once, within their bounds", async () => {
    const key = fc.string({
      unit: fc.constantFrom("a", "b", "\u00ff", "\u{1f600}"),
      minLength: 1,
      maxLength: 4,
    });
    const bounds = fc.record(
      { from: key, to: key, prefix: key, limit: fc.nat(8), reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    const property = fc.asyncProperty(fc.uniqueArray(key), bounds, async (keys, options) => {
      const { from, to, prefix, limit = Infinity, reverse = false } = options;
      const order = (a: string, b: string): number =>
        Buffer.compare(Buffer.from(a), Buffer.from(b));
      if (from !== undefined && to !== undefined && order(from, to) > 0) return;
      const bench = opened();
      await bench.settle(bench.words.putMany(keys.map((each) => [each, each.length])));
      const expected = keys
        .filter((each) => from === undefined || order(each, from) >= 0)
        .filter((each) => to === undefined || order(each, to) < 0)
        .filter((each) => prefix === undefined || each.startsWith(prefix))
        .sort((a, b) => (reverse ? order(b, a) : order(a, b)))
        .slice(0, limit)
        .map((each) => [each, each.length]);
      const given: object = options;
      expect(await bench.settle(collected(bench.words, given))).toEqual(expected);
    });
    await check(property, { runs: 150 });
  });

  it("go on over many pages, forwards and backwards", async () => {
    const bench = opened();
    const count = limits.entriesPageRows * 3 + 7;
    const keys = Array.from({ length: count }, (_, index) => ["n", index] as const);
    await bench.settle(bench.pairs.putMany(keys.map((key) => [key, key[1]])));
    const numbers = keys.map(([, index]) => index);
    const found = await bench.settle(collected(bench.pairs));
    expect(found.map(([, value]) => value)).toEqual(numbers);
    const reversed = await bench.settle(collected(bench.pairs, { reverse: true }));
    expect(reversed.map(([, value]) => value)).toEqual(numbers.reverse());
  });

  it("leave out other stores, deleted keys, and all of them after a clear", async () => {
    const bench = opened();
    await bench.settle(
      bench.words.putMany([
        ["a", 1],
        ["b", 2],
      ]),
    );
    await bench.settle(bench.pairs.put(["a", 1], 3));
    await bench.settle(bench.words.delete("a"));
    expect(await bench.settle(collected(bench.words))).toEqual([["b", 2]]);
    await bench.settle(bench.words.clear());
    expect(await bench.settle(collected(bench.words))).toEqual([]);
    expect(await bench.settle(collected(bench.pairs))).toEqual([[["a", 1], 3]]);
  });
});

describe("entries — what is seen (N2)", () => {
  it("sees what was committed before a page was asked for, and needs no later entry", async () => {
    const bench = opened();
    await bench.settle(
      bench.words.putMany([
        ["b", 1],
        ["d", 1],
      ]),
    );
    const iterator = bench.words.entries()[Symbol.asyncIterator]();
    expect((await bench.settle(iterator.next())).value).toEqual(["b", 1]);
    await bench.settle(bench.words.put("a", 1));
    const rest: unknown[] = [];
    for (;;) {
      const { done, value } = await bench.settle(iterator.next());
      if (done) break;
      rest.push(value?.[0]);
    }
    expect(rest.at(-1)).toBe("d");
    expect(rest).not.toContain("a");
  });

  it("looks again when the owner was changing its arenas", async () => {
    const system = new ManualSystem();
    let busy = 3;
    const cluster = new HostCluster(declared, {
      system: () => system,
      storage: () => {
        const storage = MemoryStorage.create();
        const inner = storage.reader();
        const reader = {
          get: inner.get,
          close: inner.close,
          page: (...args: Parameters<typeof inner.page>) => {
            busy -= 1;
            return busy >= 0 ? ("busy" as const) : inner.page(...args);
          },
        };
        return Object.assign(storage, { reader: () => reader });
      },
    });
    const store = cluster.store("words");
    const put = store.put("a", 1);
    await system.settle();
    await put;
    const found = collected(store);
    await system.settle();
    expect(await found).toEqual([["a", 1]]);
  });
});

describe("entries — refusals", () => {
  const refused: readonly (readonly [string, object, string])[] = [
    ["bounds in the wrong order", { from: "b", to: "a" }, "RANGE_INVALID"],
    ["a limit that is no whole number", { limit: 1.5 }, "OPTION_INVALID"],
    ["a negative limit", { limit: -1 }, "OPTION_INVALID"],
    ["a bound that is no key", { from: 7 }, "KEY_INVALID"],
    ["a reverse that is no boolean", { reverse: "yes" }, "OPTION_INVALID"],
    ["an option that nobody knows", { start: "a" }, "OPTION_UNKNOWN"],
    ["a signal that is none", { signal: {} }, "OPTION_INVALID"],
  ];
  for (const [what, options, code] of refused) {
    it(`refuses ${what} with the first entry`, async () => {
      const bench = opened();
      const entries = collected(bench.words, options);
      await expect(bench.settle(entries)).rejects.toMatchObject({ name: "PartitaError", code });
    });
  }

  it("ends with the signal's reason", async () => {
    const bench = opened();
    await bench.settle(
      bench.words.putMany([
        ["a", 1],
        ["b", 2],
      ]),
    );
    const controller = new AbortController();
    const reason = new Error("enough");
    const seen: unknown[] = [];
    const iteration = (async () => {
      for await (const [key] of bench.words.entries({ signal: controller.signal })) {
        seen.push(key);
        controller.abort(reason);
      }
    })();
    await expect(bench.settle(iteration)).rejects.toBe(reason);
    expect(seen).toEqual(["a"]);
  });
});
