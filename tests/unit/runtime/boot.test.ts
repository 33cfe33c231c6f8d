// The boot record. Bugs here would look like a stop that nobody notices at the next start, a clean
// one that is taken for a crash, or a refused launch that hides the crash before it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { type Boot, bootRecord, readBoot } from "../../../runtime/boot.js";
import { plannedStores } from "../../../runtime/compile.js";
import { Host } from "../../../runtime/host.js";
import { operation } from "../../../runtime/lane-encoding.js";
import { systemTable } from "../../../runtime/system-table.js";
import { Task } from "../../../runtime/task.js";
import { TaskDriver } from "../../../runtime/task-driver.js";
import type { TaskProgramFactory } from "../../../runtime/task-program.js";
import { topology } from "../../../runtime/topology.js";
import { InlineNetwork } from "../../../runtime/transport.js";
import { string } from "../../../store/key.js";
import { hashKey } from "../../../store/key-hash.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { Durability } from "../../../store/task-storage.js";
import { encodeValue } from "../../../store/value.js";
import { hookedStorage } from "../../support/hooked-storage.js";
import { planOf } from "../../support/host-cluster.js";
import { openedCluster } from "../../support/inline-cluster.js";
import { latch } from "../../support/latch.js";
import { ManualSystem, SystemStopped } from "../../support/manual-system.js";
import { anyStore, benchTable, programEntry } from "../../support/task-bench.js";
import { tempDirectory } from "../../support/temp-directory.js";

const declared = topology("boots", import.meta.url, { stores: { bench: anyStore({}) } });

/** One task on one host over a storage. */
function opened(storage: MemoryStorage, durability: Durability = "durable") {
  const system = new ManualSystem();
  const plan = planOf(declared, 1, 0);
  const transport = new InlineNetwork(system).endpoint(0);
  const bounds = { messagesMax: 10, bytesMax: 10_000, whenFull: "wait" } as const;
  const host = new Host({ plan, transport, system, bounds });
  const task = new Task({
    taskId: 0,
    taskCount: 1,
    threadCount: 0,
    epoch: 1,
    storage,
    durability,
    stores: plannedStores(declared, plan),
    system,
    batchBytesMax: limits.batchBytesMax,
    valueBytesMax: limits.valueBytesMax,
  });
  const driver = new TaskDriver(host, task, storage, true);
  host.adopt(driver);
  const key = string.encode("a");
  const put = (): void => {
    const asked = host
      .lane(0)
      .request(operation.put, benchTable, key, hashKey(key), encodeValue(1));
    asked.catch(() => {});
  };
  return { driver, system, put };
}

/** Starts a task on what `storage` holds, and says what it knows of its starts. */
async function begun(storage: MemoryStorage): Promise<Boot> {
  const { driver } = opened(storage);
  await driver.begin([]);
  return driver.task.boot;
}

describe("boot record — one task", () => {
  it("counts starts and tells a close from a crash, in every mode of durability", async () => {
    for (const durability of ["durable", "interval", "relaxed"] as const) {
      let storage = MemoryStorage.create({ durability });
      const starts: Boot[] = [];
      for (const isOrderly of [true, false, false, true, true]) {
        const { driver } = opened(storage, durability);
        await driver.begin([]);
        starts.push(driver.task.boot);
        if (isOrderly) await driver.close();
        storage = storage.crash();
      }
      const lossy = durability !== "durable";
      expect(starts).toEqual([
        { count: 1, unclean: false, lossy: false },
        { count: 2, unclean: false, lossy: false },
        { count: 3, unclean: true, lossy },
        { count: 4, unclean: true, lossy },
        { count: 5, unclean: false, lossy: false },
      ]);
    }
  });

  it("is the first frame of a start and the last of a close", async () => {
    const storage = MemoryStorage.create();
    const tables: unknown[] = [];
    const seen = hookedStorage(storage, (method, [writes]) => {
      // cast: the argument of `append`
      if (method === "append") tables.push((writes as readonly { table: number }[])[0]?.table);
    });
    const { driver, system, put } = opened(seen);
    await driver.begin([]);
    put();
    await system.settle();
    await driver.close();
    expect(tables).toEqual([systemTable.boot, limits.tableStoreFirst, systemTable.boot]);
  });

  it("leaves no trace of a start that was closed before it began", async () => {
    const storage = MemoryStorage.create();
    await begun(storage);
    const crashed = storage.crash();
    await opened(crashed).driver.close();
    const again = crashed.reopen();
    expect(readBoot(again)).toEqual({ count: 2, unclean: true, lossy: false });
    expect(again.batchLast).toBe(1);
  });

  it("ends a close behind the batch that the device works on", async () => {
    const device = latch();
    const storage = MemoryStorage.create();
    const slow = new Proxy(storage, {
      get: (target, name) => {
        if (name === "syncLater" && target.batchLast > 1) {
          return () => device.opened.then(() => target.sync());
        }
        const found: unknown = Reflect.get(target, name, target);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const { driver, system, put } = opened(slow);
    await driver.begin([]);
    put();
    await system.settle();
    const closing = driver.close();
    device.open();
    await closing;
    const again = storage.reopen();
    expect([again.batchLast, readBoot(again).unclean]).toEqual([3, false]);
  });

  it("stops the process when its end cannot be written", async () => {
    let isBroken = false;
    const storage = hookedStorage(MemoryStorage.create(), (method) => {
      if (isBroken && method === "append") throw new Error("EIO");
    });
    const { driver, system } = opened(storage);
    await driver.begin([]);
    isBroken = true;
    await expect(driver.close()).rejects.toThrow(SystemStopped);
    expect(system.stops).toEqual([
      expect.stringContaining("task 0 failed to close: EIO (Error at "),
    ]);
  });

  it("is one row, written over", () => {
    const storage = MemoryStorage.create();
    for (const [index, clean] of [false, true, false].entries()) {
      storage.append([bootRecord({ count: index, clean, weak: false }, index + 1)]);
      storage.sync();
      storage.publish();
    }
    expect(storage.page(systemTable.boot, {}, 10)).toHaveLength(1);
  });
});

describe("boot record — a runtime", () => {
  it("is given to every program, and not changed by a launch that fails", async () => {
    const directory = tempDirectory();
    const boots: Boot[] = [];
    let isRefused = false;
    const entry = programEntry(() => undefined);
    const program: TaskProgramFactory = (port, entries) => {
      boots.push(port.boot);
      if (isRefused) throw new Error("not today");
      return entry.program(port, entries);
    };
    const agents = { bench: { ...entry, program } };
    const withAgent = topology("boots", import.meta.url, { agents });
    const open = () => openedCluster(withAgent, { directory, tasks: 2 });
    await (await open()).close();
    isRefused = true;
    await expect(open()).rejects.toThrow("not today");
    isRefused = false;
    await (await open()).close();
    const one = { count: 1, unclean: false, lossy: false };
    const two = { count: 2, unclean: false, lossy: false };
    expect(boots).toEqual([one, one, two, two, two]);
    expect(readFileSync(join(directory, "partita.json"), "utf8")).toContain('"boots"');
  });
});
