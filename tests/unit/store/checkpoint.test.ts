// Checkpoint — the job by itself: what it writes of an arena, in which steps, and run twice.

import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { limits } from "../../../base/limits.js";
import { Arena, arenaStart } from "../../../store/arena.js";
import { type CheckpointJob, runCheckpoint } from "../../../store/checkpoint.js";
import { Environment } from "../../../store/environment.js";
import type { RecordWrite } from "../../../store/storage.js";
import {
  checkpointKey,
  clearKey,
  decodeCheckpoint,
  encodeVersion,
  storageTable,
} from "../../../store/system-key.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { hostileKeys, record, text } from "../../support/storage-bytes.js";
import { allRows } from "../../support/storage-shown.js";
import { tempDirectory } from "../../support/temp-directory.js";

interface Filled {
  readonly job: CheckpointJob;
  readonly offsets: readonly number[];
}

/** A job over an arena with these records. */
function filled(
  records: readonly RecordWrite[],
  arenaBytes: number = 1024 * 1024,
  path: string = join(tempDirectory(), "env"),
): Filled {
  const memory = createTaskMemory({ arenaBytes }).arenas[0];
  const arena = new Arena(memory);
  const offsets: number[] = [];
  let at = arenaStart;
  for (const write of records) {
    offsets.push(at);
    const end = arena.write(at, write);
    if (!arena.hasSlots(1)) arena.grow(1);
    arena.publish(at);
    at = end;
  }
  const job = { taskId: 3, environmentPath: path, arena: memory, batch: 9, version: 99 };
  return { job, offsets };
}

function openAt(path: string): Environment {
  const environment = Environment.open(path, { taskId: 3, readOnly: false });
  onTestFinished(() => environment.close());
  return environment;
}

function rowsIn(environment: Environment, table: number): readonly string[] {
  environment.refresh();
  const rows = environment.page(table, {}, 1_000);
  return rows.map((row) => `${text(row.key)}=${row.version}:${text(row.value)}`);
}

function cleared(table: number, version: number): RecordWrite {
  return record(storageTable, clearKey(table), version, encodeVersion(version));
}

describe("checkpoint — one arena", () => {
  it("writes the newest record of each key, removes the removed, and leaves its mark", async () => {
    const { job } = filled([
      record(16, "a", 1, "old"),
      record(16, "b", 2, "b"),
      record(17, "a", 3, "other"),
      record(16, "a", 4, "new"),
      record(16, "gone", 5, undefined),
    ]);
    const environment = openAt(job.environmentPath);
    environment.applyStep([
      { table: 16, key: new TextEncoder().encode("gone"), version: 0, value: new Uint8Array(1) },
    ]);
    const result = await runCheckpoint(job);
    expect(rowsIn(environment, 16)).toEqual(["a=4:new", "b=2:b"]);
    expect(rowsIn(environment, 17)).toEqual(["a=3:other"]);
    expect(result).toMatchObject({ rowsWritten: 4, rowsSkipped: 0, rowsPurged: 0, steps: 1 });
    const mark = environment.get(storageTable, checkpointKey);
    expect(decodeCheckpoint(mark?.value ?? new Uint8Array())).toEqual({ batch: 9, version: 99 });
  });

  it("leaves out what was born and removed in the arena, and nothing else", async () => {
    const { job } = filled([
      record(16, "brief", 1, "x", { fresh: true }),
      record(16, "lasting", 2, "x", { fresh: true }),
      record(16, "brief", 3, undefined),
      record(16, "back", 4, "x", { fresh: true }),
      record(16, "back", 5, undefined),
      record(16, "back", 6, "y", { fresh: true }),
      record(16, "old", 7, undefined),
    ]);
    const result = await runCheckpoint(job);
    expect(result).toMatchObject({ rowsWritten: 3, rowsSkipped: 1 });
    const environment = openAt(job.environmentPath);
    expect(rowsIn(environment, 16)).toEqual(["back=6:y", "lasting=2:x"]);
  });

  it("purges what a clear hides, in the environment and in the arena", async () => {
    const path = join(tempDirectory(), "env");
    const older = Array.from({ length: 2_500 }, (_, index) => record(16, `k${index}`, 1, "x"));
    await runCheckpoint(filled(older, 1024 * 1024, path).job);
    const { job } = filled(
      [
        record(16, "k1", 2, "hidden too"),
        record(16, "born", 3, "hidden too", { fresh: true }),
        cleared(16, 4),
        record(16, "k2", 5, "new"),
        record(17, "k1", 6, "other"),
      ],
      1024 * 1024,
      path,
    );
    const result = await runCheckpoint(job);
    const environment = openAt(path);
    expect(rowsIn(environment, 16)).toEqual(["k2=5:new"]);
    expect(rowsIn(environment, 17)).toEqual(["k1=6:other"]);
    expect(result).toMatchObject({ rowsPurged: 2_500, rowsSkipped: 1 });
  });

  it("does the same when it is run again", async () => {
    const { job } = filled([
      record(16, "a", 1, "x"),
      cleared(17, 2),
      record(17, "b", 3, "y"),
      record(16, "c", 4, undefined),
    ]);
    await runCheckpoint(job);
    const environment = openAt(job.environmentPath);
    const tables = [storageTable, 16, 17];
    const before = tables.map((table) => rowsIn(environment, table));
    await runCheckpoint(job);
    expect(tables.map((table) => rowsIn(environment, table))).toEqual(before);
  });

  it("takes hostile keys of several tables", async () => {
    const records = [1, 16, 255].flatMap((table, tableIndex) =>
      hostileKeys.map((key, index) => record(table, key, tableIndex * 100 + index + 1, key)),
    );
    const { job } = filled(records);
    await runCheckpoint(job);
    const environment = openAt(job.environmentPath);
    for (const { table, key, version } of records) {
      expect(environment.get(table, key)).toEqual({ version, value: key });
    }
  });

  it("bounds its steps by their bytes", async () => {
    const value = new Uint8Array(1024 * 1024).fill(0x61);
    const records = Array.from({ length: 40 }, (_, index) => {
      return record(16, `k${index}`, index + 1, value);
    });
    const { job } = filled(records, 48 * 1024 * 1024);
    const result = await runCheckpoint(job);
    expect(result).toMatchObject({ rowsWritten: 40, steps: 3 });
    expect(allRows(openAt(job.environmentPath), 16)).toHaveLength(40);
  });

  it("bounds its steps by their rows, each of which may take a page", async () => {
    const rows = limits.checkpointStepRowsMax * 2 + 1;
    const records = Array.from({ length: rows }, (_, index) => {
      return record(16, `k${index}`, index + 1, "x");
    });
    const { job } = filled(records, 4 * 1024 * 1024);
    const result = await runCheckpoint(job);
    expect(result).toMatchObject({ rowsWritten: rows, steps: 3 });
    expect(allRows(openAt(job.environmentPath), 16)).toHaveLength(rows);
  });

  it("refuses a record that changed in memory, and leaves no mark", async () => {
    const { job, offsets } = filled([record(16, "a", 1, "x"), record(16, "b", 2, "a value")]);
    const memory = new Uint8Array(job.arena.records);
    const at = (offsets[1] ?? 0) + 36;
    memory[at] = (memory[at] ?? 0) ^ 4;
    await expect(runCheckpoint(job)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    const environment = openAt(job.environmentPath);
    expect(environment.get(storageTable, checkpointKey)).toBeUndefined();
  });

  it("removes nothing for a clear that changed in memory", async () => {
    const path = join(tempDirectory(), "env");
    await runCheckpoint(filled([record(16, "a", 5, "kept")], 1024 * 1024, path).job);
    const { job, offsets } = filled([cleared(16, 2)], 1024 * 1024, path);
    // Behind its header and its key: the version up to which it clears, now far above 5.
    const at = (offsets[0] ?? 0) + 32 + 3 + 1;
    new Uint8Array(job.arena.records)[at] = 1;
    await expect(runCheckpoint(job)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    expect(rowsIn(openAt(path), 16)).toEqual(["a=5:kept"]);
  });

  it("writes rows of several tables in one step", async () => {
    const records = Array.from({ length: 500 }, (_, index) => {
      return record(1 + (index % 5) * 50, `k${(index * 331) % 500}`, index + 1, `${index}`);
    });
    const { job } = filled(records);
    expect(await runCheckpoint(job)).toMatchObject({ rowsWritten: 500, steps: 1 });
    const environment = openAt(job.environmentPath);
    for (const { table, key, version, value } of records) {
      expect(environment.get(table, key)).toEqual({ version, value });
    }
  });

  it("leaves no mark when a later step fails, and does all when it is run again", async () => {
    const value = new Uint8Array(1024 * 1024).fill(0x61);
    const records = Array.from({ length: 20 }, (_, index) => {
      return record(16, `k${index + 10}`, index + 1, value);
    });
    const { job, offsets } = filled(records, 24 * 1024 * 1024);
    const memory = new Uint8Array(job.arena.records);
    const at = (offsets[19] ?? 0) + 50;
    memory[at] = 0;
    await expect(runCheckpoint(job)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    const environment = openAt(job.environmentPath);
    expect(environment.get(storageTable, checkpointKey)).toBeUndefined();
    expect(allRows(environment, 16)).toHaveLength(16);
    memory[at] = 0x61;
    expect(await runCheckpoint(job)).toMatchObject({ rowsWritten: 20 });
    environment.refresh();
    expect(environment.get(storageTable, checkpointKey)).toBeDefined();
    expect(allRows(environment, 16)).toHaveLength(20);
  });

  it("leaves its mark though the arena is empty", async () => {
    const { job } = filled([]);
    expect(await runCheckpoint(job)).toMatchObject({ rowsWritten: 0, steps: 1 });
    const mark = openAt(job.environmentPath).get(storageTable, checkpointKey);
    expect(decodeCheckpoint(mark?.value ?? new Uint8Array())).toEqual({ batch: 9, version: 99 });
  });
});
