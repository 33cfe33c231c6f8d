// Syncs that tasks of one thread overlap. Bugs here would look like a reply that leaves while the
// device still works, a task that starts a second batch meanwhile, or a thread that waits after
// all.
import { describe, expect, it, vi } from "vitest";
import type { Turn } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { HostCluster } from "../../support/host-cluster.js";
import { type Latch, latch } from "../../support/latch.js";
import { ManualSystem, SystemStopped } from "../../support/manual-system.js";
import { bytes, text } from "../../support/storage-bytes.js";
import { anyStore, keyOwnedBy, programEntry } from "../../support/task-bench.js";

const counters = anyStore({
  add: (count: unknown, by: number) => (typeof count === "number" ? count : 0) + by,
});
const declared = topology("overlap", import.meta.url, { stores: { counters } });

/** A storage whose later syncs wait for the device, which a test lets go. */
function slowStorage(device: () => Promise<void>): MemoryStorage {
  const storage = MemoryStorage.create();
  const syncLater = async (): Promise<void> => {
    await device();
    storage.sync();
  };
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === "syncLater") return syncLater;
      const found: unknown = Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

/** Two tasks on one thread; the device of task 0 answers when `device` is opened. */
function overlapping(device: () => Promise<void>): { system: ManualSystem; cluster: HostCluster } {
  const system = new ManualSystem();
  const cluster = new HostCluster(declared, {
    system: () => system,
    taskCount: 2,
    storage: (task) => slowStorage(task === 0 ? device : async () => {}),
    overlapsSyncs: true,
  });
  return { system, cluster };
}

function noting(promise: Promise<unknown>, name: string, settled: string[]): void {
  promise.then(
    () => settled.push(name),
    () => settled.push(`${name} refused`),
  );
}

describe("task driver — tasks that share a thread", () => {
  it("reveals nothing while the device works, and lets the other tasks go on", async () => {
    const device: Latch = latch();
    const { system, cluster } = overlapping(() => device.opened);
    const store = cluster.store("counters");
    const settled: string[] = [];
    noting(store.update("add", keyOwnedBy(0, 2), 1), "slow", settled);
    noting(store.update("add", keyOwnedBy(1, 2), 1), "quick", settled);
    await system.settle();
    expect(settled).toEqual(["quick"]);
    expect(await store.get(keyOwnedBy(1, 2))).toBe(1);
    device.open();
    await system.settle();
    expect(settled).toEqual(["quick", "slow"]);
    expect(await store.get(keyOwnedBy(0, 2))).toBe(1);
  });

  it("keeps one batch in hand: what arrives meanwhile is the next group commit", async () => {
    const devices = [latch(), latch()];
    let syncs = 0;
    const { system, cluster } = overlapping(() => devices[syncs++]?.opened ?? Promise.resolve());
    const store = cluster.store("counters");
    const settled: string[] = [];
    noting(store.update("add", keyOwnedBy(0, 2), 1), "first", settled);
    await system.settle();
    for (const name of ["second", "third"]) {
      noting(store.update("add", keyOwnedBy(0, 2), 1), name, settled);
    }
    await system.settle();
    expect([syncs, settled]).toEqual([1, []]);
    devices[0]?.open();
    await system.settle();
    expect([syncs, settled]).toEqual([2, ["first"]]);
    devices[1]?.open();
    await system.settle();
    expect([syncs, settled]).toEqual([2, ["first", "second", "third"]]);
    expect(cluster.driver(0).task.stats()).toMatchObject({ batches: 2, messages: 3 });
  });

  it("stops the system when the device fails, and reveals nothing of the batch", async () => {
    const { system, cluster } = overlapping(() => Promise.reject(new Error("EIO")));
    const settled: string[] = [];
    noting(cluster.store("counters").update("add", keyOwnedBy(0, 2), 1), "write", settled);
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expect(settled).toEqual([]);
    expect(system.stops).toEqual([
      expect.stringContaining("task 0 failed to commit: EIO (Error at "),
    ]);
  });

  it("stops the system when a swap fails: nothing of it is tried again", async () => {
    const system = new ManualSystem();
    const cluster = new HostCluster(declared, {
      system: () => system,
      taskCount: 1,
      storage: () =>
        hookedStorage(MemoryStorage.create(), (method) => {
          if (method === "hasRoom") throw new Error("ENOSPC");
        }),
    });
    const settled: string[] = [];
    noting(cluster.store("counters").update("add", "a", 1), "write", settled);
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expect(settled).toEqual([]);
    expect(system.stops).toEqual([
      expect.stringContaining("task 0 failed to commit: ENOSPC (Error at "),
    ]);
  });
});

describe("task driver — a checkpoint that fails", () => {
  /** A task with a counter at 1, and another that is not there and was asked for. */
  async function withCheckpoint() {
    let failCheckpoint = (_error: Error): void => {};
    const runCheckpoint = (): Promise<void> => {
      return new Promise<void>((_resolve, reject) => {
        failCheckpoint = reject;
      });
    };
    const system = new ManualSystem();
    const cluster = new HostCluster(declared, {
      system: () => system,
      taskCount: 1,
      storage: () => MemoryStorage.create({ runCheckpoint }),
    });
    const store = cluster.store("counters");
    const settled: string[] = [];
    noting(store.update("add", "a", 1), "add", settled);
    noting(store.delete("absent"), "delete", settled);
    await system.settle();
    expect(settled).toEqual(["add", "delete"]);
    cluster
      .driver(0)
      .storage.checkpoint()
      .catch(() => {});
    await system.settle();
    return { system, store, settled, fail: () => failCheckpoint(new Error("EIO")) };
  }
  const stopped = [expect.stringContaining("task 0 failed to checkpoint: EIO (Error at ")];

  it("stops the system at once, whether or not anybody asks for anything", async () => {
    const { system, fail } = await withCheckpoint();
    fail();
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    expect(system.stops).toEqual(stopped);
  });

  it("lets nothing be answered behind it, not even what changes nothing", async () => {
    const { system, store, settled, fail } = await withCheckpoint();
    const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    // Absent, and known to be: neither a frame nor a look at the storage is needed for it.
    noting(store.delete("absent"), "again", settled);
    fail();
    await turn();
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    await expect(system.settle()).resolves.toBeUndefined();
    expect(settled).toEqual(["add", "delete"]);
    expect(system.stops).toEqual(stopped);
  });
});

/** One task whose program does what `apply` says, and whose storage may fail. */
function programmed(
  apply: (turn: Turn, message: Uint8Array, submit: (message: string) => void) => void,
  settings: { overlapsSyncs?: boolean; storage?: () => MemoryStorage } = {},
) {
  const system = new ManualSystem();
  const submit = (message: string): void => cluster.driver(0).submit(bytes(message));
  const entry = programEntry((turn, message) => {
    apply(turn, message, submit);
    return undefined;
  });
  const declared = topology("submits", import.meta.url, { agents: { entry } });
  const cluster = new HostCluster(declared, { system: () => system, taskCount: 1, ...settings });
  return { system, host: cluster.thread(0).host, driver: cluster.driver(0), submit };
}

describe("task driver — what a program submits to its own task", () => {
  it("is applied in order, be it bytes or work, from the task itself", async () => {
    const applied: unknown[] = [];
    const { system, driver, submit } = programmed((turn, message) => {
      applied.push([turn.origin.kind, text(message)]);
    });
    submit("a");
    driver.submit((turn) => applied.push([turn.origin.kind, "work"]));
    submit("b");
    await system.settle();
    expect(applied).toEqual([
      ["self", "a"],
      ["self", "work"],
      ["self", "b"],
    ]);
  });

  it.each([false, true])(
    "is applied behind the message that submitted it (syncs overlap: %s)",
    async (overlapsSyncs) => {
      const device = latch();
      const applied: string[] = [];
      const { system, driver, submit } = programmed(
        (turn, message, submit) => {
          applied.push(text(message));
          turn.put(8, message, message);
          if (text(message) === "a") submit("b");
        },
        { overlapsSyncs, storage: () => slowStorage(() => device.opened) },
      );
      submit("a");
      // The turn that "b" asked for comes while the device works on the batch in hand.
      await system.settle();
      submit("c");
      await system.settle();
      device.open();
      await system.settle();
      expect([applied, system.stops]).toEqual([["a", "b", "c"], []]);
      expect(driver.task.stats().messages).toBe(3);
    },
  );
});

describe("task driver — a task that is closed", () => {
  it("takes, sends and answers nothing any more, and has no further turn", async () => {
    const applied: string[] = [];
    const { system, host, driver, submit } = programmed((_turn, message) => {
      applied.push(text(message));
    });
    const answers = vi.spyOn(host, "acknowledge");
    submit("a");
    await driver.close();
    driver.greeted(0);
    driver.flush();
    // What would stop a task that is not closed: more than was ever sent.
    driver.acknowledged(0, { applied: 99, durable: 99, resend: false });
    await system.settle();
    expect([applied, system.stops]).toEqual([[], []]);
    expect(driver.task.stats().messages).toBe(0);
    expect(answers).not.toHaveBeenCalled();
  });

  it("keeps nothing that comes too late", async () => {
    const { driver, submit } = programmed(() => {});
    await driver.close();
    submit("a");
    expect(driver.task.hasWork).toBe(false);
  });

  /** A task of which a batch waits for a checkpoint, which ends when told to. */
  async function waiting() {
    const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
    const runCheckpoint = (): Promise<void> => {
      return new Promise((resolve, reject) => {
        ends.push({ resolve, reject });
      });
    };
    const done: string[] = [];
    const { system, driver, submit } = programmed(
      (turn, message) => {
        turn.put(8, message, new Uint8Array(1_500));
        turn.afterCommit(() => done.push(text(message)));
      },
      { storage: () => MemoryStorage.create({ arenaBytes: 4_096, runCheckpoint }) },
    );
    for (let name = 0; name < 8; name += 1) {
      submit(`m${name}`);
      await system.settle();
    }
    const [checkpoint] = ends;
    if (checkpoint === undefined) throw new Error("no checkpoint has begun");
    expect(done.length).toBeLessThan(8);
    return { system, driver, done, checkpoint };
  }

  it("reveals nothing of a batch that waits for room when it is closed", async () => {
    const { system, driver, done, checkpoint } = await waiting();
    const before = [...done];
    const closed = driver.close();
    checkpoint.resolve();
    await closed;
    await system.settle();
    expect([done, system.stops]).toEqual([before, []]);
  });

  it("stops the system once when what a batch waits for fails while it is closed", async () => {
    const { system, driver, done, checkpoint } = await waiting();
    const before = [...done];
    const closed = driver.close();
    checkpoint.reject(new Error("EIO"));
    await expect(closed).rejects.toThrow(SystemStopped);
    await system.settle();
    expect(done).toEqual(before);
    expect(system.stops).toEqual([
      expect.stringContaining("task 0 failed to close: EIO (Error at "),
    ]);
  });

  it("does not stop it again when the storage tells once more what has", async () => {
    const storage = (): MemoryStorage => {
      return hookedStorage(MemoryStorage.create(), (method) => {
        if (method === "sync" || method === "close") throw new Error("EIO");
      });
    };
    const { system, driver, submit } = programmed(
      (turn, message) => turn.put(8, message, message),
      { storage },
    );
    submit("a");
    await expect(system.settle()).rejects.toThrow(SystemStopped);
    await driver.close();
    expect(system.stops).toEqual([expect.stringContaining("task 0 failed to commit: EIO")]);
  });
});
