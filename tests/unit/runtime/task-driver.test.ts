// Syncs that tasks of one thread overlap. Bugs here would look like a reply that leaves while the
// device still works, a task that starts a second batch meanwhile, or a thread that waits after
// all.
import { describe, expect, it } from "vitest";
import { topology } from "../../../runtime/topology.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { HostCluster } from "../../support/host-cluster.js";
import { type Latch, latch } from "../../support/latch.js";
import { ManualSystem, SystemStopped } from "../../support/manual-system.js";
import { anyStore, keyOwnedBy } from "../../support/task-bench.js";

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
