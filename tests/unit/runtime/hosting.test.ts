// Bugs here would look like a launch that was refused and still has the files of its tasks open.
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { taskDirectories } from "../../../runtime/directory.js";
import { peerKey } from "../../../runtime/stream-rows.js";
import { systemTable } from "../../../runtime/system-table.js";
import { topology } from "../../../runtime/topology.js";
import { Environment } from "../../../store/environment.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { openTaskStorage } from "../../../store/task-storage.js";
import { openedCluster } from "../../support/inline-cluster.js";
import { record } from "../../support/storage-bytes.js";
import { commit } from "../../support/storage-fixture.js";
import { programEntry } from "../../support/task-bench.js";
import { tempDirectory } from "../../support/temp-directory.js";

const tasks = 2;

/** Counts environments that are opened from now on and not closed: one for each open storage. */
function openEnvironments(): () => number {
  const opened = vi.spyOn(Environment, "open");
  const closed = vi.spyOn(Environment.prototype, "close");
  onTestFinished(() => {
    opened.mockRestore();
    closed.mockRestore();
  });
  return () => opened.mock.calls.length - new Set(closed.mock.contexts).size;
}

describe("open host — a launch that is refused", () => {
  it("frees the storage of a task whose rows it refuses, and those of the others", async () => {
    const directory = tempDirectory();
    const declared = topology("refused", import.meta.url, {});
    await (await openedCluster(declared, { directory, tasks })).close();
    const storage = await openTaskStorage({
      directory: taskDirectories(directory, tasks)[1] ?? "",
      taskId: 1,
      memory: createTaskMemory({ arenaBytes: 1024 * 1024 }),
      durability: "durable",
      runCheckpoint: () => Promise.reject(new Error("there is nothing to write")),
    });
    await commit(storage, [record(systemTable.marks, peerKey(77, 0), 1_000, new Uint8Array(8))]);
    await storage.close();
    const open = openEnvironments();
    const launch = openedCluster(declared, { directory, tasks });
    await expect(launch).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    expect(open()).toBe(0);
  });

  it("frees the storages of all tasks when a program cannot be made", async () => {
    const entry = programEntry(() => undefined);
    const program = (): never => {
      throw new Error("not today");
    };
    const agents = { bench: { ...entry, program } };
    const open = openEnvironments();
    const launch = openedCluster(topology("refused", import.meta.url, { agents }), { tasks });
    await expect(launch).rejects.toThrow("not today");
    expect(open()).toBe(0);
  });
});
