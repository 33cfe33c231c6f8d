// Bugs here would look like a client that does not see its own write, a refused call that has
// changed something, or an error that names our line instead of the user's.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PartitaError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { Host } from "../../../runtime/host.js";
import { OperationJournal } from "../../../runtime/operation-journal.js";
import { section } from "../../../runtime/packet.js";
import { topology } from "../../../runtime/topology.js";
import { keyValueStore } from "../../../store/declaration.js";
import { string } from "../../../store/key.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { Schema } from "../../../store/schema.js";
import type { TaskReader } from "../../../store/storage.js";
import { type AnyStoreClient, HostCluster } from "../../support/host-cluster.js";
import { ManualSystem } from "../../support/manual-system.js";
import { anyStore, keyOwnedBy } from "../../support/task-bench.js";

const anything = anyStore({
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
  refuse: () => {
    throw new RangeError("no");
  },
});
const people = keyValueStore({
  key: string,
  value: z.object({ name: z.string(), age: z.number().default(1) }),
  updates: { rename: (person, name: string) => ({ name, age: person?.age ?? 0 }) },
});
const declared = topology("clients", import.meta.url, { stores: { anything, people } });

interface Opened {
  readonly system: ManualSystem;
  readonly cluster: HostCluster;
  readonly store: AnyStoreClient;
  readonly people: AnyStoreClient;
  /** Requests sections posted so far. */
  requests(): number;
}

function opened(wrapReader: (reader: TaskReader) => TaskReader = (reader) => reader): Opened {
  const system = new ManualSystem();
  let requests = 0;
  class CountingHost extends Host {
    override post(...args: Parameters<Host["post"]>): void {
      if (args[1] === section.requests) requests += 1;
      super.post(...args);
    }
  }
  const cluster = new HostCluster(declared, {
    system: () => system,
    host: (parts) => new CountingHost(parts),
    storage: () => {
      const storage = MemoryStorage.create();
      const reader = storage.reader.bind(storage);
      return Object.assign(storage, { reader: () => wrapReader(reader()) });
    },
  });
  return {
    system,
    cluster,
    store: cluster.store("anything"),
    people: cluster.store("people"),
    requests: () => requests,
  };
}

async function settledOf<T>({ system }: Opened, call: Promise<T>): Promise<T> {
  call.catch(() => {});
  await system.settle();
  return await call;
}

describe("store client — refusals (C1)", () => {
  const refusals: readonly (readonly [string, string, (to: AnyStoreClient) => Promise<unknown>])[] =
    [
      ["a key of another type", "KEY_INVALID", (to) => to.put(1, 1)],
      ["an empty key", "KEY_EMPTY", (to) => to.get("")],
      ["a key that is too long", "KEY_TOO_LARGE", (to) => to.delete("x".repeat(3_000))],
      ["undefined as a value", "VALUE_UNDEFINED", (to) => to.put("k", undefined)],
      ["a function as a value", "VALUE_UNSUPPORTED", (to) => to.put("k", () => 1)],
      ["an update that is not declared", "UPDATE_UNKNOWN", (to) => to.update("sub", "k", 1)],
      ["a name of Object's for an update", "UPDATE_UNKNOWN", (to) => to.update("toString", "k")],
      [
        "an argument that no codec carries",
        "VALUE_UNSUPPORTED",
        (to) => to.update("add", "k", () => 1),
      ],
      ["one bad key of many", "KEY_INVALID", (to) => to.getMany(["a", 1])],
      [
        "one bad value of many",
        "VALUE_UNDEFINED",
        (to) =>
          to.putMany([
            ["a", 1],
            ["b", undefined],
          ]),
      ],
      ["a value of modify", "VALUE_UNSUPPORTED", (to) => to.modify("k", () => Symbol("s"))],
    ];

  for (const [what, code, call] of refusals) {
    it(`refuses ${what} before a request is sent`, async () => {
      const bench = opened();
      const error = await settledOf(bench, call(bench.store)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: "PartitaError", code });
      expect(bench.requests()).toBe(0);
    });
  }

  it("validates values where they enter, and keeps what the schema fills in", async () => {
    const bench = opened();
    await settledOf(bench, bench.people.put("a", { name: "Ada" }));
    expect(await bench.people.get("a")).toEqual({ name: "Ada", age: 1 });
    const refused = settledOf(bench, bench.people.put("b", { name: 1 }));
    await expect(refused).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
      details: { issues: [{ path: "$.name" }] },
    });
    expect(await bench.people.get("b")).toBe(undefined);
  });

  it("refuses a new value that the schema refuses at the owner, with nothing changed", async () => {
    const bench = opened();
    await settledOf(bench, bench.people.put("a", { name: "Ada", age: 3 }));
    const refused = settledOf(bench, bench.people.update("rename", "a", 5));
    await expect(refused).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    expect(await bench.people.get("a")).toEqual({ name: "Ada", age: 3 });
  });
});

describe("store client — a schema that does not do what it should", () => {
  it("costs the update its value, and its task nothing", async () => {
    const careless: Schema<number> = {
      "~standard": {
        version: 1,
        vendor: "careless",
        // cast: it has forgotten to answer for large numbers
        validate: (value) => (Number(value) < 10 ? { value } : undefined) as { value: number },
      },
    };
    const counts = keyValueStore({
      key: string,
      value: careless,
      updates: { add: (count = 0, by: number) => count + by },
    });
    const system = new ManualSystem();
    const cluster = new HostCluster(topology("careless", import.meta.url, { stores: { counts } }), {
      system: () => system,
    });
    const store = cluster.store("counts");
    const calls = [5, 5, 2].map((by) => store.update("add", "k", by));
    const settled = Promise.allSettled(calls);
    await system.settle();
    expect(await settled).toMatchObject([
      { value: 5 },
      { reason: { code: "SCHEMA_INVALID" } },
      { value: 7 },
    ]);
    expect(system.stops).toEqual([]);
  });
});

describe("store client — own writes (C2)", () => {
  it("reads without a message what it has no write of its own on the way to", async () => {
    const bench = opened();
    await settledOf(bench, bench.store.put("k", 1));
    const before = bench.requests();
    expect(await bench.store.get("k")).toBe(1);
    expect(await bench.store.contains("k")).toBe(true);
    expect(await bench.store.get("other", "fallback")).toBe("fallback");
    expect(await bench.store.getMany(["k", "other"])).toEqual([1, undefined]);
    expect(bench.requests()).toBe(before);
  });

  it("sees its writes that nobody has awaited, whatever they were", async () => {
    const bench = opened();
    const { store } = bench;
    const calls: [Promise<unknown>, unknown][] = [
      [store.put("k", 1), undefined],
      [store.get("k"), 1],
      [store.update("add", "k", 2), 3],
      [store.getMany(["k"]), [3]],
      [store.delete("k"), true],
      [store.contains("k"), false],
      [store.putMany([["k", 5]]), undefined],
      [store.modify("k", (value) => [value]), [5]],
      [store.get("k"), 5],
      [store.clear(), undefined],
      [store.get("k", "gone"), "gone"],
    ];
    await bench.system.settle();
    const found = await Promise.all(calls.map(([call]) => call));
    // `modify` read 5 before the clear came: it lost to it, and was applied again to nothing.
    expect(found.slice(0, 7)).toEqual(calls.slice(0, 7).map(([, expected]) => expected));
    expect([found[8], found[10]]).toEqual([5, "gone"]);
  });

  it("sees in entries what it wrote before, awaited or not", async () => {
    const bench = opened();
    const keys = [0, 1, 2].map((task) => keyOwnedBy(task, 3));
    for (const key of keys) bench.store.put(key, key).catch(() => {});
    const seen: unknown[] = [];
    const iteration = (async () => {
      for await (const [key] of bench.store.entries()) seen.push(key);
    })();
    await settledOf(bench, iteration);
    expect(seen).toEqual([...keys].sort());
  });

  it("asks the owner when it keeps changing its arenas", async () => {
    const bench = opened((reader) => ({ ...reader, get: () => "busy", page: reader.page }));
    await settledOf(bench, bench.store.put("k", 1));
    const before = bench.requests();
    expect(await settledOf(bench, bench.store.get("k"))).toBe(1);
    expect(bench.requests()).toBe(before + 1);
  });
});

describe("store client — modify", () => {
  it("applies the function to the newest value, again when somebody was faster", async () => {
    const bench = opened();
    const [one, two] = [bench.store, bench.cluster.store("anything")];
    const seen: unknown[] = [];
    const increment = (by: number) => (value: unknown) => {
      seen.push(value);
      return (typeof value === "number" ? value : 0) + by;
    };
    const calls = [one.modify("k", increment(1)), two.modify("k", increment(10))];
    await bench.system.settle();
    expect(await Promise.all(calls)).toEqual([1, 11]);
    expect(seen).toEqual([undefined, undefined, 1]);
  });

  it("deletes for undefined, and does nothing where there is nothing", async () => {
    const bench = opened();
    await settledOf(bench, bench.store.put("k", 1));
    expect(
      await settledOf(
        bench,
        bench.store.modify("k", () => undefined),
      ),
    ).toBe(undefined);
    expect(await bench.store.contains("k")).toBe(false);
    const before = bench.requests();
    expect(
      await settledOf(
        bench,
        bench.store.modify("k", () => undefined),
      ),
    ).toBe(undefined);
    expect(bench.requests()).toBe(before);
  });

  it("rejects with what the function throws, and stops when it is aborted", async () => {
    const bench = opened();
    const thrown = new RangeError("mine");
    const failing = bench.store.modify("k", () => {
      throw thrown;
    });
    await expect(settledOf(bench, failing)).rejects.toBe(thrown);
    const reason = new Error("aborted");
    const aborted = bench.store.modify("k", () => 1, { signal: AbortSignal.abort(reason) });
    await expect(settledOf(bench, aborted)).rejects.toBe(reason);
    expect(bench.requests()).toBe(0);
  });

  it("gives up with MODIFY_CONFLICT after so many rounds", async () => {
    // A reader that always answers with an older version never wins.
    const bench = opened((reader) => ({
      ...reader,
      page: reader.page,
      get: (table, key, keyHash) => {
        const found = reader.get(table, key, keyHash);
        if (found === undefined || found === "busy") return found;
        return { ...found, version: found.version - 1 };
      },
    }));
    await settledOf(bench, bench.store.put("k", 1));
    let rounds = 0;
    const modified = bench.store.modify("k", () => {
      rounds += 1;
      return rounds;
    });
    modified.catch(() => {});
    for (let round = 0; round < limits.modifyAttemptsMax + 5; round += 1) {
      await bench.system.settle();
    }
    await expect(modified).rejects.toMatchObject({
      code: "MODIFY_CONFLICT",
      details: { store: "anything", attempts: limits.modifyAttemptsMax },
    });
    expect([rounds, await bench.store.get("k")]).toEqual([limits.modifyAttemptsMax, 1]);
  });
});

describe("store client — errors of the owner (C3)", () => {
  it("carry code, details and cause, and a stack that names the line that called", async () => {
    const bench = opened();
    async function theUsersFunction(): Promise<unknown> {
      return await bench.store.update("refuse", "k");
    }
    const error = await settledOf(bench, theUsersFunction()).catch((thrown: unknown) => thrown);
    if (!PartitaError.is(error, "UPDATE_THREW")) throw new Error("another error", { cause: error });
    expect(error.details).toEqual({ store: "anything", update: "refuse" });
    expect(error.cause).toMatchObject({ name: "RangeError", message: "no" });
    expect(error.stack).toContain("theUsersFunction");
  });

  it("putMany reports the first refusal when all were tried", async () => {
    const bench = opened();
    const many = bench.people.putMany([
      ["a", { name: "a" }],
      ["b", { name: "b" }],
    ]);
    await settledOf(bench, many);
    expect(await bench.people.getMany(["a", "b"])).toMatchObject([{ name: "a" }, { name: "b" }]);
  });
});

describe("router — after close", () => {
  it("refuses every call with the first reason, made anew for the line that calls", async () => {
    const bench = opened();
    const { router } = bench.cluster.thread(0);
    const pending = bench.store.put("k", 1);
    router.refuse(new PartitaError("CLOSED", { what: "first" }));
    router.refuse(new PartitaError("CLOSED", { what: "second" }));
    const closed = { code: "CLOSED", details: { what: "first" } };
    await settledOf(bench, pending);
    const calls = [
      () => bench.store.get("k"),
      () => bench.store.put("k", 2),
      () => bench.store.update("add", "k", 1),
      () => bench.store.modify("k", () => 1),
      () => bench.store.clear(),
      () => bench.store.getMany(["k"]),
      () => bench.store.putMany([["k", 1]]),
      async () => {
        for await (const entry of bench.store.entries()) expect(entry).toBe("none");
      },
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(closed);
    const [one, two] = [
      await bench.store.get("k").catch(own),
      await bench.store.get("k").catch(own),
    ];
    expect(one).not.toBe(two);
  });
});

describe("store client — scans and writes on the way", () => {
  const firstOf = async (store: AnyStoreClient): Promise<unknown> => {
    for await (const entry of store.entries()) return entry;
    return undefined;
  };

  it("settles the writes on the way and asks no other task", async () => {
    const bench = opened();
    const key = keyOwnedBy(1, 3);
    bench.store.put(key, 1).catch(() => {});
    const { router } = bench.cluster.thread(0);
    const writes = (): number[] => [0, 1, 2].map((task) => router.lane(task).writes);
    expect(writes()).toEqual([0, 1, 0]);
    expect(await settledOf(bench, firstOf(bench.store))).toEqual([key, 1]);
    expect(writes()).toEqual([0, 0, 0]);
    const before = bench.requests();
    await settledOf(bench, firstOf(bench.store));
    expect(bench.requests()).toBe(before);
  });

  it("lets a node's scan wait, as its write does, for a task that has died", async () => {
    const bench = opened();
    const key = keyOwnedBy(1, 3);
    const thread = bench.cluster.thread(0);
    const journal = new OperationJournal(new Uint8Array(24));
    const store = thread.nodePort(0).store("anything", journal);
    const details = { taskIds: [1], threadId: 1, reason: "a test" };
    thread.host.lose([1], new PartitaError("TASK_EXITED", details));
    const written = store.put(key, 1);
    const found = firstOf(store);
    await bench.system.settle();
    expect(thread.router.lane(1).writes).toBe(1);
    thread.host.reopen([1]);
    expect(await settledOf(bench, found)).toEqual([key, 1]);
    await written;
  });
});

function own(error: unknown): unknown {
  return error;
}
