// Fail-stop. Bugs here would look like a process that goes on, and acknowledges, after it has found
// that its data or its own state is wrong; or like one that a user's mistake takes down.
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { assert } from "../../../base/invariant.js";
import { isFault, orStop } from "../../../runtime/fail-stop.js";
import { section } from "../../../runtime/packet.js";
import type { Turn } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { HostCluster } from "../../support/host-cluster.js";
import { ManualSystem, SystemStopped } from "../../support/manual-system.js";
import { bytes } from "../../support/storage-bytes.js";
import { anyStore, keyOwnedBy, programEntry } from "../../support/task-bench.js";

const damage = (): PartitaError => {
  const reason = "the row of key 6b in table 16 is damaged: its checksum is wrong";
  return new PartitaError("STORE_CORRUPT", { taskId: 0, reason });
};

interface World {
  readonly system: ManualSystem;
  readonly cluster: HostCluster;
  /** What callers were told. */
  readonly told: string[];
  note(promise: Promise<unknown>): void;
}

/** Two tasks on one host. `apply` is their program, `read` is called before each look at a row. */
function world(
  apply: (turn: Turn, message: Uint8Array) => Uint8Array | undefined = () => undefined,
  read: () => void = () => {},
): World {
  const system = new ManualSystem();
  const told: string[] = [];
  const counters = anyStore({
    add: (count: unknown, by: number) => Number(count ?? 0) + by,
    hostile: (_current: unknown, what: string) => hostileValue(what),
  });
  const declared = topology("stops", import.meta.url, {
    stores: { counters },
    agents: { program: programEntry(apply) },
  });
  const storage = (): MemoryStorage => {
    return hookedStorage(MemoryStorage.create(), (method) => {
      if (method === "get") read();
    });
  };
  const cluster = new HostCluster(declared, { system: () => system, taskCount: 2, storage });
  const note = (promise: Promise<unknown>): void => {
    promise.then(
      () => told.push("resolved"),
      (error: Error) => told.push("code" in error ? String(error.code) : error.name),
    );
  };
  return { system, cluster, told, note };
}

function hostileValue(what: string): unknown {
  switch (what) {
    case "getter":
      return {
        get a(): never {
          throw new TypeError("a getter of a user");
        },
      };
    case "proxy":
      return new Proxy(
        {},
        {
          ownKeys: () => {
            throw new TypeError("a trap of a user");
          },
        },
      );
    case "recursion":
      return hostileValue(what);
    case "function":
      return () => 1;
    case "corrupt":
      return decodeURIComponent("%");
    default:
      throw new Error(what);
  }
}

/** The only stop, whose diagnosis holds these. */
function expectStop(system: ManualSystem, ...texts: readonly string[]): void {
  expect(system.stops).toHaveLength(1);
  for (const text of texts) expect(system.stops[0]).toContain(text);
}

describe("fail-stop — what a turn throws", () => {
  it("stops on any error of a program that is no refusal, and answers nobody", async () => {
    const { system, cluster, told, note } = world((_turn, message) => {
      if (message.length > 1) throw new TypeError("of our own making");
      return undefined;
    });
    const { programPort } = cluster.thread(0);
    note(programPort.request(0, bytes("a")));
    note(programPort.request(0, bytes("bad")));
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expectStop(
      system,
      "task 0 failed to apply: of our own making",
      "(TypeError at runtime/fail-stop.test.ts:",
    );
    await system.settle();
    expect(told).toEqual([]);
  });

  it("stops on a refusal that has nobody to go to: of a message from another task", async () => {
    const { system, cluster, told, note } = world((turn, message) => {
      if (turn.origin.kind === "lane") turn.send(1, message);
      else throw new PartitaError("CLOSED", { what: "a test" });
      return undefined;
    });
    note(cluster.thread(0).programPort.request(0, bytes("m")));
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expectStop(system, "task 1 failed to apply: a test is closed");
    // Its own frame was durable before.
    expect(told).toEqual(["resolved"]);
  });

  it("stops on damage that an operation meets, and does not answer it as a refusal", async () => {
    let isDamaged = false;
    const { system, cluster, told, note } = world(undefined, () => {
      if (isDamaged) throw damage();
    });
    const store = cluster.store("counters");
    note(store.update("add", keyOwnedBy(0, 2), 1));
    await system.settle();
    isDamaged = true;
    note(store.update("add", `${keyOwnedBy(0, 2)}x`, 1));
    note(store.update("add", `${keyOwnedBy(0, 2)}y`, 1));
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expectStop(system, "failed to apply", "task 0 is corrupt", "key 6b in table 16");
    await system.settle();
    expect(told).toEqual(["resolved"]);
  });

  it("stops on an action behind the gate that throws", async () => {
    const { system, cluster, note } = world((turn) => {
      turn.afterCommit(() => assert(false, "one too many"));
      return undefined;
    });
    note(cluster.thread(0).programPort.request(0, bytes("m")));
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expectStop(system, "task 0 failed to reveal: one too many (InvariantViolation at ");
  });

  it("stops when a packet cannot be taken", () => {
    const { system, cluster } = world();
    const { host } = cluster.thread(0);
    host.post(0, section.ack, 1, 0, new Uint8Array(3));
    expect(() => system.run()).toThrow(SystemStopped);
    expectStop(system, "thread 0 failed to flush");
  });
});

describe("fail-stop — a reader that meets damage", () => {
  it("tells whoever asked first, with task, table and key, and then stops", async () => {
    let isDamaged = false;
    const { system, cluster, told, note } = world();
    const storage = cluster.storage(0);
    const reader = storage.reader();
    const seen = new Proxy(storage, {
      get: (target, name) => {
        if (name === "reader") return () => ({ ...reader, get: () => fail(isDamaged) });
        return Reflect.get(target, name, target);
      },
    });
    const declared = topology("stops", import.meta.url, { stores: { counters: anyStore({}) } });
    const other = new HostCluster(declared, {
      system: () => system,
      taskCount: 1,
      storage: () => seen,
    });
    isDamaged = true;
    note(other.store("counters").get("k"));
    await Promise.resolve();
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expect(told).toEqual(["STORE_CORRUPT"]);
    expectStop(system, "a reader of task 0 failed to read", "key 6b in table 16");
  });

  function fail(isDamaged: boolean): undefined {
    if (isDamaged) throw damage();
    return undefined;
  }
});

describe("fail-stop — what users do", () => {
  it("is refused like anything else, whatever an update throws or returns", async () => {
    const { system, cluster, told, note } = world();
    const store = cluster.store("counters");
    const key = keyOwnedBy(0, 2);
    const kinds = ["getter", "proxy", "recursion", "function", "corrupt", "thrown"];
    for (const what of kinds) note(store.update("hostile", key, what));
    note(store.update("add", key, 1));
    await system.settle();
    expect(system.stops).toEqual([]);
    expect(told).toHaveLength(kinds.length + 1);
    expect(told.filter((code) => code === "resolved")).toEqual(["resolved"]);
    expect(told.filter((code) => !/^(UPDATE_THREW|VALUE_[A-Z]+|resolved)$/.test(code))).toEqual([]);
  });

  it("is no fault of ours, unless it is", () => {
    expect([new Error("x"), new TypeError("x"), "x", undefined].map(isFault)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(isFault(new PartitaError("CLOSED", { what: "x" }))).toBe(false);
    expect(isFault(damage())).toBe(true);
    expect(() => orStop(new ManualSystem(), "a", "b", () => assert(false, "c"))).toThrow(
      /^a failed to b: c \(InvariantViolation at runtime\/fail-stop\.test\.ts:\d+:\d+\)$/,
    );
  });

  it("is stopped once, however many callers see it pass (O1)", () => {
    const system = new ManualSystem();
    const inner = (): void => orStop(system, "inner", "work", () => assert(false, "broken"));
    expect(() => orStop(system, "outer", "work", inner)).toThrow("inner failed to work");
    expect(system.stops).toHaveLength(1);
  });
});
