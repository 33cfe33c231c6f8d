// Task storage — swaps, checkpoints and segments, threads that start again, and looks at rows.

import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type CheckpointResult, runCheckpoint } from "../../../store/checkpoint.js";
import { Environment } from "../../../store/environment.js";
import { hashKey } from "../../../store/key-hash.js";
import { openTaskReader } from "../../../store/reader.js";
import type { StoredRow, TaskStorage } from "../../../store/storage.js";
import { environmentFolder } from "../../../store/task-files.js";
import { ControlWords, type TaskMemory } from "../../../store/task-memory.js";
import {
  type CheckpointRunner,
  type Durability,
  openTaskStorage,
} from "../../../store/task-storage.js";
import { segmentPaths } from "../../support/log-files.js";
import { bytes, record, text } from "../../support/storage-bytes.js";
import { commit, smallMemory, taskId } from "../../support/storage-fixture.js";
import { allRows } from "../../support/storage-shown.js";
import { tempDirectory } from "../../support/temp-directory.js";

interface Setting {
  readonly directory?: string;
  readonly memory?: TaskMemory;
  readonly durability?: Durability;
  readonly runCheckpoint?: CheckpointRunner;
}

async function open(setting: Setting = {}): Promise<TaskStorage> {
  const storage = await openTaskStorage({
    directory: setting.directory ?? tempDirectory(),
    taskId,
    memory: setting.memory ?? smallMemory(),
    durability: setting.durability ?? "durable",
    runCheckpoint: setting.runCheckpoint ?? (async (job) => runCheckpoint(job)),
  });
  // Some of these tests end with a storage that has failed; closing it then says so once more.
  onTestFinished(() => storage.close().catch(() => undefined));
  return storage;
}

function rowsOf(storage: { page: TaskStorage["page"] }, table = 16): readonly string[] {
  return storage.page(table, {}, 1_000).map(shown);
}

function shown(row: StoredRow): string {
  return `${text(row.key)}=${row.version}:${text(row.value)}`;
}

/** What a table holds in the environment alone. */
async function environmentRows(directory: string, table: number): Promise<readonly string[]> {
  const path = join(directory, environmentFolder);
  const environment = Environment.open(path, { taskId, readOnly: true });
  const rows = environment.page(table, {}, 1_000).map(shown);
  await environment.close();
  return rows;
}

/** A checkpoint that waits until it is let go. */
function gated(): { run: CheckpointRunner; started: () => number; letGo: () => void } {
  let started = 0;
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const run: CheckpointRunner = async (job): Promise<CheckpointResult> => {
    started += 1;
    await gate;
    return runCheckpoint(job);
  };
  return { run, started: () => started, letGo: () => release() };
}

describe("task storage — checkpoints", () => {
  it("deletes segments once the environment covers them", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory });
    const before = segmentPaths(directory);
    await commit(storage, [record(16, "a", 1, "one")]);
    await storage.checkpoint();
    const after = segmentPaths(directory);
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
    expect(await environmentRows(directory, 16)).toEqual(["a=1:one"]);
    expect(storage.stats().segments).toBe(1);
  });

  it("keeps both segments while the checkpoint is under way", async () => {
    const directory = tempDirectory();
    const gate = gated();
    const storage = await open({ directory, runCheckpoint: gate.run });
    await commit(storage, [record(16, "a", 1, "one")]);
    const running = storage.checkpoint();
    await commit(storage, [record(16, "b", 2, "two")]);
    expect(segmentPaths(directory)).toHaveLength(2);
    expect(storage.stats().segments).toBe(2);
    expect(rowsOf(storage)).toEqual(["a=1:one", "b=2:two"]);
    gate.letGo();
    await running;
    expect(segmentPaths(directory)).toHaveLength(1);
    expect(rowsOf(storage)).toEqual(["a=1:one", "b=2:two"]);
  });

  it("waits when the arena is full and the other one is still frozen, and goes on", async () => {
    const gate = gated();
    const storage = await open({ runCheckpoint: gate.run });
    const value = new Uint8Array(300_000);
    for (let version = 1; version <= 6; version += 1) {
      await commit(storage, [record(16, `k${version}`, version, value)]);
    }
    expect(gate.started()).toBe(1);
    expect(storage.stats().checkpoints).toBe(0);
    let committed = false;
    const seventh = commit(storage, [record(16, "k7", 7, value)]).then(() => {
      committed = true;
    });
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    expect(committed).toBe(false);
    expect(allRows(storage, 16)).toHaveLength(6);
    gate.letGo();
    await seventh;
    expect(allRows(storage, 16)).toHaveLength(7);
    expect(gate.started()).toBe(2);
  });

  it("never brings a row to the environment that was born and removed in one arena", async () => {
    const directory = tempDirectory();
    const results: CheckpointResult[] = [];
    const storage = await open({
      directory,
      runCheckpoint: async (job) => {
        const result = await runCheckpoint(job);
        results.push(result);
        return result;
      },
    });
    await commit(storage, [
      record(18, "brief", 1, "x", { fresh: true }),
      record(18, "old", 2, "x"),
    ]);
    await commit(storage, [record(18, "brief", 3, "y")]);
    await commit(storage, [record(18, "brief", 4, undefined), record(18, "stays", 5, "z")]);
    await storage.checkpoint();
    expect(await environmentRows(directory, 18)).toEqual(["old=2:x", "stays=5:z"]);
    expect(results[0]).toMatchObject({ rowsSkipped: 1 });
    await commit(storage, [record(18, "old", 6, undefined)]);
    await storage.checkpoint();
    expect(await environmentRows(directory, 18)).toEqual(["stays=5:z"]);
    expect(results[1]).toMatchObject({ rowsSkipped: 0 });
  });

  it("clears a table in the environment too, across checkpoint and reopening", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory });
    await commit(storage, [
      record(16, "a", 1, "x"),
      record(16, "b", 2, "x"),
      record(17, "c", 3, "x"),
    ]);
    await storage.checkpoint();
    await commit(storage, [record(16, "b", 5, "new")], [[16, 4]]);
    expect(rowsOf(storage)).toEqual(["b=5:new"]);
    await storage.checkpoint();
    expect(await environmentRows(directory, 16)).toEqual(["b=5:new"]);
    expect(await environmentRows(directory, 17)).toEqual(["c=3:x"]);
    await storage.close();
    const again = await open({ directory });
    expect(rowsOf(again)).toEqual(["b=5:new"]);
    await commit(again, [record(16, "a", 6, "back", { fresh: true })]);
    await again.checkpoint();
    expect(await environmentRows(directory, 16)).toEqual(["a=6:back", "b=5:new"]);
  });

  it("has room for the clears of a frame that just fits", async () => {
    const storage = await open();
    const { arenaBytesMax, arenaBytesUsed } = storage.stats();
    const clears = [16, 17, 18, 19].map((table) => [table, 1] as const);
    for (let spare = 0; spare <= 400; spare += 8) {
      const size = arenaBytesMax - arenaBytesUsed - 32 - 40 - 240 * 48 - spare;
      const frame = [record(16, "k", 2 + storage.versionLast, new Uint8Array(size))];
      await commit(
        storage,
        frame,
        clears.map(([table]) => [table, frame[0]?.version ?? 0] as const),
      );
    }
    expect(storage.page(16, {}, 10)).toHaveLength(0);
  });

  it("runs any number of checkpoints that are asked for at once", async () => {
    const storage = await open();
    await commit(storage, [record(16, "a", 1, "x")]);
    const first = storage.checkpoint();
    await commit(storage, [record(16, "b", 2, "x")]);
    const others = [storage.checkpoint(), storage.checkpoint(), storage.checkpoint()];
    await Promise.all([first, ...others]);
    expect(rowsOf(storage)).toEqual(["a=1:x", "b=2:x"]);
    expect(storage.stats().checkpoints).toBe(2);
  });
});

describe("task storage — a thread that starts again", () => {
  it("recovers over the memory of the one that died, whatever it was doing", async () => {
    const directory = tempDirectory();
    const memory = smallMemory();
    const storage = await open({ directory, memory });
    const reader = openTaskReader({ directory, taskId, memory });
    await commit(storage, [record(16, "a", 1, "one"), record(16, "b", 2, "two")]);
    await storage.checkpoint();
    await commit(storage, [record(16, "b", 4, "four")], [[16, 3]]);
    // The thread dies within a change, with a frame in hand.
    storage.append([record(16, "c", 5, "five")]);
    new ControlWords(memory).begin();
    expect(reader.get(16, bytes("b"), hashKey(bytes("b")))).toBe("busy");
    const again = await open({ directory, memory });
    for (const source of [again, reader]) {
      const page = source.page(16, {}, 10);
      expect(page === "busy" ? page : page.map(shown)).toEqual(["b=4:four", "c=5:five"]);
    }
    expect([again.batchLast, again.versionLast]).toEqual([3, 5]);
    await commit(again, [record(16, "d", 6, "six")]);
    const found = reader.get(16, bytes("d"), hashKey(bytes("d")));
    expect(found === "busy" ? found : found?.version).toBe(6);
    await reader.close();
  });

  it("recovers a checkpoint that was under way, and goes on with it", async () => {
    const directory = tempDirectory();
    const memory = smallMemory();
    const never = (): Promise<CheckpointResult> => new Promise(() => {});
    const storage = await openTaskStorage({
      directory,
      taskId,
      memory,
      durability: "durable",
      runCheckpoint: never,
    });
    await commit(storage, [record(16, "a", 1, "one")]);
    void storage.checkpoint();
    await commit(storage, [record(16, "b", 2, "two")]);
    expect(segmentPaths(directory)).toHaveLength(2);
    const again = await open({ directory, memory });
    expect(rowsOf(again)).toEqual(["a=1:one", "b=2:two"]);
    expect(again.stats().replayedFrames).toBe(2);
    await again.checkpoint();
    expect(segmentPaths(directory)).toHaveLength(1);
    expect(rowsOf(again)).toEqual(["a=1:one", "b=2:two"]);
  });

  it("takes over segments that no arena can hold", async () => {
    const directory = tempDirectory();
    const storage = await open({ directory, memory: smallMemory(4 * 1024 * 1024) });
    const value = new Uint8Array(700_000).fill(0x61);
    for (let version = 1; version <= 4; version += 1) {
      await commit(storage, [record(16, `k${version}`, version, value)]);
    }
    await commit(storage, [record(17, "cleared", 5, "x")]);
    await commit(storage, [], [[17, 6]]);
    await storage.close();
    const again = await open({ directory, memory: smallMemory() });
    expect(allRows(again, 16).map((row) => [row.version, row.value.length])).toEqual(
      [1, 2, 3, 4].map((version) => [version, 700_000]),
    );
    expect(rowsOf(again, 17)).toEqual([]);
    expect([again.batchLast, again.versionLast]).toEqual([6, 6]);
    await commit(again, [record(16, "k5", 7, "after")]);
    await again.close();
    const third = await open({ directory });
    expect(allRows(third, 16)).toHaveLength(5);
    expect(third.batchLast).toBe(7);
  });
});

describe("task storage — durability", () => {
  it("syncs every frame in mode durable, and none by itself in the others", async () => {
    for (const durability of ["durable", "interval", "relaxed"] as const) {
      const storage = await open({ durability });
      for (let version = 1; version <= 4; version += 1) {
        await commit(storage, [record(16, "a", version, "x")]);
      }
      expect(storage.stats().syncs).toBe(durability === "durable" ? 4 : 0);
      storage.flush();
      storage.flush();
      expect(storage.stats().syncs).toBe(durability === "durable" ? 4 : 1);
    }
  });

  it("syncs what was acknowledged when it is closed within the next commit", async () => {
    const storage = await open({ durability: "interval" });
    await commit(storage, [record(16, "a", 1, "x")]);
    storage.append([record(16, "a", 2, "y")]);
    await storage.close();
    expect(storage.stats().syncs).toBe(1);
  });
});

describe("task storage — rows that only the environment has", () => {
  it("are hidden by a clear at once, and written again above it", async () => {
    const storage = await open();
    const found = (key: string) => {
      const row = storage.get(16, bytes(key), hashKey(bytes(key)));
      return row && `${row.version}:${text(row.value)}`;
    };
    await commit(storage, [record(16, "a", 1, "one"), record(16, "b", 2, "two")]);
    // Twice: the arena of the first is kept until the second.
    for (const version of [3, 4]) {
      await storage.checkpoint();
      await commit(storage, [record(17, "other", version, "x")]);
    }
    expect([found("a"), found("b")]).toEqual(["1:one", "2:two"]);
    await commit(storage, [record(16, "b", 6, "six")], [[16, 5]]);
    expect([found("a"), found("b")]).toEqual([undefined, "6:six"]);
    expect(rowsOf(storage)).toEqual(["b=6:six"]);
    expect(rowsOf(storage, 17)).toEqual(["other=4:x"]);
  });
});

describe("task storage — a look ahead", () => {
  it("touches the newest record of a key, in whatever arena, and changes nothing", async () => {
    const storage = await open();
    const touched = (key: string): number | undefined => {
      return storage.lookAhead?.(Uint32Array.of(hashKey(bytes(key))), 1);
    };
    // Where a record begins, and what a short one has in its other half: its table and its value.
    const expected = (letter: string): number => 16 + letter.charCodeAt(0);
    for (const [index, letter] of [..."stuv"].entries()) {
      const value = letter.repeat(40);
      await commit(storage, [record(16, "a", 2 * index + 1, value)]);
      expect([touched("a"), touched("nowhere")]).toEqual([expected(letter), 0]);
      await storage.checkpoint();
      // Now it lies in the arena that is kept; the other one is active.
      expect(touched("a")).toBe(expected(letter));
      await commit(storage, [record(16, "a", 2 * index + 2, value.toUpperCase())]);
      expect(touched("a")).toBe(expected(letter.toUpperCase()));
      expect(rowsOf(storage)).toEqual([`a=${2 * index + 2}:${value.toUpperCase()}`]);
    }
  });
});
