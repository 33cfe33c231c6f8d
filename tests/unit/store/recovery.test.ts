// Recovery — what a task finds again comes from both arenas and the environment, newest first.

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Arena, arenaStart } from "../../../store/arena.js";
import { runCheckpoint } from "../../../store/checkpoint.js";
import type { TaskStorage } from "../../../store/storage.js";
import { type CheckpointRunner, openTaskStorage } from "../../../store/task-storage.js";
import { record, text } from "../../support/storage-bytes.js";
import { commit, openOnDisk, smallMemory, taskId } from "../../support/storage-fixture.js";
import { allRows } from "../../support/storage-shown.js";
import { tempDirectory } from "../../support/temp-directory.js";

function rowsOf(storage: TaskStorage, table: number): readonly string[] {
  const rows = storage.page(table, {}, 1_000);
  return rows.map(({ key, version, value }) => `${text(key)}=${version}:${text(value)}`);
}

describe("recovery — the runtime's own tables", () => {
  it("has their rows of both arenas and of the environment, and those that follow", async () => {
    const directory = tempDirectory();
    // The task of the second life dies within its checkpoint; the third is closed within its own.
    let end = (): void => {};
    const ended = new Promise<never>((_resolve, reject) => {
      end = () => reject(new Error("the test is over"));
    });
    const open = async (checkpoint: CheckpointRunner): Promise<TaskStorage> => {
      const memory = smallMemory();
      const runCheckpoint = checkpoint;
      const durability = "durable";
      return await openTaskStorage({ directory, taskId, memory, durability, runCheckpoint });
    };
    const first = await open(async (job) => runCheckpoint(job));
    await commit(first, [record(4, "a", 1, "one"), record(4, "b", 2, "one")]);
    await first.checkpoint();
    await first.close();
    const second = await open(() => ended);
    await commit(second, [record(4, "b", 3, "two"), record(4, "c", 4, "two")]);
    await commit(second, [record(16, "much", 5, "x".repeat(100_000)), record(5, "z", 5, "two")]);
    second.checkpoint().catch(() => {});
    await commit(second, [record(4, "c", 6, "three"), record(4, "d", 7, "three")]);
    await commit(second, [record(16, "much", 8, "x".repeat(100_000))]);
    const looks = vi.spyOn(Arena.prototype, "offsets");
    const third = await open(() => ended);
    onTestFinished(async () => {
      looks.mockRestore();
      end();
      await Promise.allSettled([second.close(), third.close()]);
    });
    expect(rowsOf(third, 4)).toEqual(["a=1:one", "b=3:two", "c=6:three", "d=7:three"]);
    await commit(third, [record(4, "d", 9, "four"), record(5, "e", 10, "four")]);
    expect(rowsOf(third, 4)).toEqual(["a=1:one", "b=3:two", "c=6:three", "d=9:four"]);
    expect(rowsOf(third, 5)).toEqual(["e=10:four", "z=5:two"]);
    // By the index it would have to go over all that stores have, too.
    expect(looks).not.toHaveBeenCalled();
  });
});

describe("recovery — arenas that are smaller than those before", () => {
  it("takes over a segment of very many small records", async () => {
    const directory = tempDirectory();
    const keys = 70_000;
    const large = await openOnDisk(directory, smallMemory(4 * 1024 * 1024));
    for (let from = 0; from < keys; from += 10_000) {
      const rows = Array.from({ length: 10_000 }, (_, at) => {
        return record(16, (from + at).toString(36), 1 + from + at, "x");
      });
      await commit(large, rows);
    }
    await large.close();
    const small = await openOnDisk(directory, smallMemory());
    onTestFinished(() => small.close());
    expect(small.stats()).toMatchObject({ replayedFrames: 7, arenaBytesUsed: arenaStart });
    expect(allRows(small, 16)).toHaveLength(keys);
    expect(small.versionLast).toBe(keys);
  });

  it("takes over a small segment before a large one, when neither was written", async () => {
    const directory = tempDirectory();
    let end = (): void => {};
    const ended = new Promise<never>((_resolve, reject) => {
      end = () => reject(new Error("the test is over"));
    });
    const large = await openTaskStorage({
      directory,
      taskId,
      memory: smallMemory(4 * 1024 * 1024),
      durability: "durable",
      runCheckpoint: () => ended,
    });
    const few = Array.from({ length: 20 }, (_, at) => record(16, `few ${at}`, 1 + at, "x"));
    await commit(large, few);
    large.checkpoint().catch(() => {});
    for (let at = 0; at < 15; at += 1) {
      await commit(large, [record(16, `much ${at}`, 21 + at, "x".repeat(100_000))]);
    }
    const small = await openOnDisk(directory, smallMemory());
    onTestFinished(async () => {
      end();
      await Promise.allSettled([large.close(), small.close()]);
    });
    expect(allRows(small, 16)).toHaveLength(35);
  });
});
