// Task storage — what a failure of the device or of a checkpoint ends, and what it leaves.

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { runCheckpoint } from "../../../store/checkpoint.js";
import { hashKey } from "../../../store/key-hash.js";
import { openTaskReader } from "../../../store/reader.js";
import type { TaskStorage } from "../../../store/storage.js";
import { environmentFolder } from "../../../store/task-files.js";
import type { TaskMemory } from "../../../store/task-memory.js";
import { type CheckpointRunner, openTaskStorage } from "../../../store/task-storage.js";
import { flipBit, newestSegment, segmentPaths } from "../../support/log-files.js";
import { bytes, record } from "../../support/storage-bytes.js";
import { commit, smallMemory, taskId } from "../../support/storage-fixture.js";
import { rowsOf } from "../../support/storage-shown.js";
import { tempDirectory } from "../../support/temp-directory.js";

interface Setting {
  readonly directory?: string;
  readonly memory?: TaskMemory;
  readonly runCheckpoint?: CheckpointRunner;
}

async function open(setting: Setting = {}): Promise<TaskStorage> {
  const storage = await openTaskStorage({
    directory: setting.directory ?? tempDirectory(),
    taskId,
    memory: setting.memory ?? smallMemory(),
    durability: "durable",
    runCheckpoint: setting.runCheckpoint ?? (async (job) => runCheckpoint(job)),
  });
  // Most of these tests end with a storage that has failed; closing it then says so once more.
  onTestFinished(() => storage.close().catch(() => undefined));
  return storage;
}

/** Puts another file in the place of the newest segment's descriptor. */
function replaceSegment(directory: string, other: string): void {
  const path = newestSegment(directory);
  const descriptor = readdirSync("/proc/self/fd")
    .map(Number)
    .find((candidate) => linkOf(candidate) === path);
  if (descriptor === undefined) throw new Error("the segment is not open");
  closeSync(descriptor);
  // It gets the lowest number that is free.
  const lower: number[] = [];
  for (let opened = openSync(other, "r+"); opened !== descriptor; opened = openSync(other, "r+")) {
    lower.push(opened);
  }
  for (const opened of lower) closeSync(opened);
}

function linkOf(descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}

describe("task storage — after a failure", () => {
  it("throws a failed write again at every later call, and shows no part of it", async () => {
    const directory = tempDirectory();
    const memory = smallMemory();
    const storage = await open({ directory, memory });
    const reader = openTaskReader({ directory, taskId, memory });
    await commit(storage, [record(16, "a", 1, "one")]);
    replaceSegment(directory, "/dev/full");
    expect(() => storage.append([record(16, "a", 2, "two")])).toThrow("ENOSPC");
    expect(() => storage.sync()).toThrow("ENOSPC");
    expect(() => storage.publish()).toThrow("ENOSPC");
    expect(() => storage.hasRoom([])).toThrow("ENOSPC");
    expect(() => storage.append([])).toThrow("ENOSPC");
    expect(() => storage.get(16, bytes("a"), 0)).toThrow("ENOSPC");
    await expect(storage.checkpoint()).rejects.toThrow("ENOSPC");
    const found = reader.get(16, bytes("a"), hashKey(bytes("a")));
    expect(found === "busy" ? found : found?.version).toBe(1);
    await reader.close();
  });

  it("throws a failed sync again at every later call, and publishes nothing", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory });
    await commit(storage, [record(16, "a", 1, "one")]);
    storage.append([record(16, "a", 2, "two")]);
    replaceSegment(directory, "/dev/null");
    expect(() => storage.sync()).toThrow("EINVAL");
    expect(() => storage.publish()).toThrow("EINVAL");
    expect(() => storage.flush()).toThrow("EINVAL");
    expect(() => storage.page(16, {}, 1)).toThrow("EINVAL");
  });

  it("throws what a checkpoint threw, and loses nothing", async () => {
    const directory = tempDirectory();
    const storage = await open({
      directory,
      runCheckpoint: async () => {
        throw new PartitaError("STORE_CORRUPT", { taskId, reason: "made up" });
      },
    });
    const told: unknown[] = [];
    storage.onFailure((error) => told.push(error));
    await commit(storage, [record(16, "a", 1, "one")]);
    await expect(storage.checkpoint()).rejects.toThrow("made up");
    expect(told).toEqual([expect.objectContaining({ code: "STORE_CORRUPT" })]);
    expect(() => storage.append([])).toThrow("made up");
    expect(() => storage.hasRoom([])).toThrow("made up");
    await expect(storage.whenRoom()).rejects.toThrow("made up");
    await expect(storage.close()).rejects.toThrow("made up");
    const again = await open({ directory });
    expect(rowsOf(again, 16)).toEqual(["a=1:one"]);
    await again.checkpoint();
    expect(segmentPaths(directory)).toHaveLength(1);
  });

  it("refuses a damaged row of the environment with table and key", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory });
    await commit(storage, [record(16, "a", 1, "a value to be damaged")]);
    await storage.checkpoint();
    await storage.close();
    const file = join(directory, environmentFolder, "data.mdb");
    flipBit(file, readFileSync(file).lastIndexOf("value to be damaged"));
    const again = await open({ directory });
    expect(() => again.get(16, bytes("a"), hashKey(bytes("a")))).toThrow("key 61 in table 16");
    expect(() => again.page(16, {}, 1)).toThrow("key 61 in table 16");
  });
});

describe("task storage — a sync beside the thread", () => {
  it("throws its failure again at every later call, and publishes nothing", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory });
    await commit(storage, [record(16, "a", 1, "one")]);
    storage.append([record(16, "a", 2, "two")]);
    replaceSegment(directory, "/dev/null");
    await expect(storage.syncLater()).rejects.toThrow("EINVAL");
    expect(() => storage.publish()).toThrow("EINVAL");
    await expect(storage.syncLater()).rejects.toThrow("EINVAL");
    await expect(storage.close()).rejects.toThrow("EINVAL");
  });
});

describe("task storage — a checkpoint that fails while nobody listens", () => {
  it("fails what comes later all the same, with whatever was thrown", async () => {
    const storage = await open({ runCheckpoint: () => Promise.reject("a text") });
    await commit(storage, [record(16, "a", 1, "one")]);
    await expect(storage.checkpoint()).rejects.toThrow(new Error("a text"));
    expect(() => storage.flush()).toThrow(new Error("a text"));
  });
});
