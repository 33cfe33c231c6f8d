// Index file — a launch that finds one serves the same rows as one that finds none; what does not
// fit is not looked at.

import fs, { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Arena } from "../../../store/arena.js";
import { runCheckpoint } from "../../../store/checkpoint.js";
import type { RecordWrite, TaskStorage } from "../../../store/storage.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { openTaskStorage } from "../../../store/task-storage.js";
import { copyOf, flipBit, newestSegment, frameStarts, rewrite } from "../../support/log-files.js";
import { record, text } from "../../support/storage-bytes.js";
import { commit, taskId } from "../../support/storage-fixture.js";
import { allRows, rowsOf } from "../../support/storage-shown.js";
import { tempDirectory } from "../../support/temp-directory.js";

const keys = 20_000;

/** Opens a task, and tells whether it had to index all that it found. */
async function open(directory: string, arenaBytes = 4_194_304, task = taskId) {
  const all = vi.spyOn(Arena.prototype, "publishAll");
  const storage = await openTaskStorage({
    directory,
    taskId: task,
    memory: createTaskMemory({ arenaBytes }),
    durability: "durable",
    runCheckpoint: async (job) => runCheckpoint(job),
  });
  onTestFinished(() => storage.close());
  const indexedAll = all.mock.calls.length > 0;
  all.mockRestore();
  return { storage, indexedAll };
}

/** Lets the device refuse the `count`-th read of each index file, until the test is over. */
function refuseRead(count: number): void {
  const { openSync, readSync } = fs;
  const reads = new Map<number, number>();
  fs.openSync = (path, ...rest) => {
    const descriptor = openSync(path, ...rest);
    if (String(path).endsWith("index")) reads.set(descriptor, 0);
    else reads.delete(descriptor);
    return descriptor;
  };
  const refusing = (descriptor: number, ...rest: unknown[]): unknown => {
    const before = reads.get(descriptor);
    if (before !== undefined) reads.set(descriptor, before + 1);
    if (before === count - 1) throw new Error("EIO: i/o error, read");
    return Reflect.apply(readSync, undefined, [descriptor, ...rest]);
  };
  Object.assign(fs, { readSync: refusing });
  syncBuiltinESMExports();
  onTestFinished(() => {
    Object.assign(fs, { openSync, readSync });
    syncBuiltinESMExports();
  });
}

/** More than a close leaves without an index, with rows of the runtime's own and a clear. */
async function fill(storage: TaskStorage, keep = keys): Promise<void> {
  await commit(storage, [
    record(18, "gone", 1, "x"),
    record(4, "a", 2, "a"),
    record(4, "b", 3, "b"),
  ]);
  await commit(storage, [], [[18, 4]]);
  for (let from = 0; from < keep; from += 1_000) {
    const frame: RecordWrite[] = [];
    for (let key = from; key < from + 1_000; key += 1) {
      frame.push(record(16, `k${key}`, 5 + key, `the value of ${key}`));
    }
    await commit(storage, frame);
  }
}

const indexOf = (directory: string): string => join(directory, "index");

/** A directory that was closed with an index file. */
async function filled(): Promise<string> {
  const directory = tempDirectory();
  const { storage } = await open(directory);
  await fill(storage);
  await storage.close();
  expect(existsSync(indexOf(directory))).toBe(true);
  return directory;
}

function sampled(storage: TaskStorage) {
  return {
    version: storage.versionLast,
    batch: storage.batchLast,
    own: rowsOf(storage, 4),
    cleared: rowsOf(storage, 18),
    // One text: comparing so many objects takes seconds.
    rows: allRows(storage, 16)
      .map((row) => `${text(row.key)}=${row.version}:${text(row.value)}`)
      .join("\n"),
  };
}

/** What the directory has without its index file. */
async function expectedOf(directory: string) {
  const copy = copyOf(directory, tempDirectory());
  rmSync(indexOf(copy), { recursive: true, force: true });
  const { storage, indexedAll } = await open(copy);
  expect(indexedAll).toBe(true);
  const expected = sampled(storage);
  expect(expected.rows.length).toBeGreaterThan(keys * 20);
  return expected;
}

describe("index file — of a close", () => {
  it("spares the next launch the indexing, and changes nothing of what it finds", async () => {
    const directory = await filled();
    const expected = await expectedOf(directory);
    const { storage, indexedAll } = await open(directory);
    expect(indexedAll).toBe(false);
    expect(sampled(storage)).toEqual(expected);
    expect(expected.own).toEqual(["a=2:a", "b=3:b"]);
    expect(expected.cleared).toEqual([]);
  });

  it("serves a launch after a kill too, with all that was written behind it", async () => {
    const directory = await filled();
    const { storage } = await open(directory);
    await commit(storage, [record(4, "b", 50_001, "B"), record(4, "c", 50_002, "c")]);
    await commit(storage, [record(16, "k7", 50_003, "new"), record(16, "k8", 50_004, undefined)]);
    await commit(storage, [record(16, "more", 50_005, "x"), record(4, "a", 50_006, undefined)]);
    await commit(storage, [record(18, "gone", 50_007, "y")], [[18, 50_006]]);
    // More keys than the slots of the file can take.
    const born = Array.from({ length: 6_000 }, (_, at) => record(16, `n${at}`, 60_000 + at, "n"));
    await commit(storage, born);
    const killed = copyOf(directory, tempDirectory());
    const expected = await expectedOf(killed);
    const { storage: next, indexedAll } = await open(killed);
    expect(indexedAll).toBe(false);
    expect(sampled(next)).toEqual(expected);
    expect(expected.own).toEqual(["b=50001:B", "c=50002:c"]);
    expect(expected.cleared).toEqual(["gone=50007:y"]);
  });

  it("is written again only when much has come since", async () => {
    const directory = await filled();
    const before = statSync(indexOf(directory), { bigint: true }).mtimeNs;
    const { storage } = await open(directory);
    await commit(storage, [record(16, "more", 50_000, "x")]);
    await storage.close();
    expect(statSync(indexOf(directory), { bigint: true }).mtimeNs).toBe(before);
    const { storage: next } = await open(directory);
    for (let version = 50_001; version < 50_006; version += 1) {
      await commit(next, [record(16, `big${version}`, version, new Uint8Array(250_000))]);
    }
    await next.close();
    expect(statSync(indexOf(directory), { bigint: true }).mtimeNs).not.toBe(before);
    const expected = await expectedOf(directory);
    const { storage: last, indexedAll } = await open(directory);
    expect(indexedAll).toBe(false);
    expect(sampled(last)).toEqual(expected);
  });

  it("is left alone where most of the log lies behind it: all at once is quicker", async () => {
    const directory = await filled();
    const { storage } = await open(directory);
    for (let version = 50_000; version < 50_006; version += 1) {
      await commit(storage, [record(16, `big${version}`, version, new Uint8Array(250_000))]);
    }
    const killed = copyOf(directory, tempDirectory());
    const expected = await expectedOf(killed);
    const { storage: next, indexedAll } = await open(killed);
    expect(indexedAll).toBe(true);
    expect(sampled(next)).toEqual(expected);
  });

  it("is not made of little", async () => {
    const directory = tempDirectory();
    const { storage } = await open(directory);
    await fill(storage, 1_000);
    await storage.close();
    expect(existsSync(indexOf(directory))).toBe(false);
  });

  it("is not made while a frame is in hand, which the index does not have", async () => {
    const directory = tempDirectory();
    const { storage } = await open(directory);
    await fill(storage);
    expect(storage.hasRoom([record(16, "late", 50_000, "x")])).toBe(true);
    storage.append([record(16, "late", 50_000, "x")]);
    await storage.close();
    expect(existsSync(indexOf(directory))).toBe(false);
    const { storage: next } = await open(directory);
    expect(next.versionLast).toBe(50_000);
  });

  it("goes with its segment when a checkpoint has taken that over", async () => {
    const directory = await filled();
    const { storage } = await open(directory);
    await storage.checkpoint();
    expect(existsSync(indexOf(directory))).toBe(false);
    expect(rowsOf(storage, 4)).toEqual(["a=2:a", "b=3:b"]);
  });

  it("is done without where it cannot be written or read", async () => {
    const directory = tempDirectory();
    mkdirSync(indexOf(directory));
    const { storage } = await open(directory);
    await fill(storage);
    await storage.close();
    const { storage: next, indexedAll } = await open(directory);
    expect(indexedAll).toBe(true);
    expect(allRows(next, 16)).toHaveLength(keys);
  });
});

/** By the sentence that says it, what happens to the file. */
const damages: Readonly<Record<string, (file: string) => void>> = {
  "it is empty": (file) => writeFileSync(file, ""),
  "it ends within its header": (file) => rewrite(file, (bytes) => bytes.subarray(0, 40)),
  "it ends within its slots": (file) => rewrite(file, (bytes) => bytes.subarray(0, 9_000)),
  "its last byte is missing": (file) => rewrite(file, (bytes) => bytes.subarray(0, -1)),
  "something follows it": (file) =>
    rewrite(file, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
  "its slots are zeros, as a power cut may leave them": (file) =>
    rewrite(file, (bytes) => bytes.fill(0, 64)),
  ...Object.fromEntries(
    Array.from({ length: 16 }, (_, word) => [
      `word ${word} of its header is wrong`,
      (file: string) => {
        flipBit(file, word * 4);
      },
    ]),
  ),
  "its header asks for all the memory there is": (file) =>
    rewrite(file, (bytes) => bytes.fill(0xff, 40, 56)),
  "it ends within a frame": (file) =>
    rewrite(file, (bytes) => {
      bytes.writeUInt32LE(bytes.readUInt32LE(32) - 8, 32);
      return bytes;
    }),
  "a slot is wrong": (file) => flipBit(file, 64 + 100_001, 3),
  "its last offset is wrong": (file) => flipBit(file, statSync(file).size - 4, 3),
};

describe("index file — one that cannot be read to its end", () => {
  // Behind its header, its slots: what it says of records that were overwritten since.
  for (const [which, count] of [
    ["offsets", 3],
    ["slots", 2],
    ["header", 1],
  ] as const) {
    it(`leaves nothing in the index when the device refuses its ${which}`, async () => {
      const directory = await filled();
      const { storage } = await open(directory);
      await commit(storage, [record(16, "k7", 50_001, "new"), record(16, "k8", 50_002, undefined)]);
      const killed = copyOf(directory, tempDirectory());
      const expected = await expectedOf(killed);
      refuseRead(count);
      const { storage: next, indexedAll } = await open(killed);
      expect(indexedAll).toBe(true);
      expect(sampled(next)).toEqual(expected);
      expect(expected.rows).toContain("k7=50001:new");
    });
  }
});

describe("index file — one that does not fit", () => {
  it("is not looked at and goes, whatever is wrong with it", async () => {
    const directory = await filled();
    const expected = await expectedOf(directory);
    for (const [what, damage] of Object.entries(damages)) {
      const copy = copyOf(directory, tempDirectory());
      damage(indexOf(copy));
      const { storage, indexedAll } = await open(copy);
      expect([what, indexedAll, existsSync(indexOf(copy))]).toEqual([what, true, false]);
      expect(sampled(storage)).toEqual(expected);
      await storage.close();
    }
  });

  it("is not looked at when the end of its log is another one of the same length", async () => {
    const directory = await filled();
    const index = readFileSync(indexOf(directory));
    const segment = newestSegment(directory);
    // A power cut takes the last frame, and the next life writes others of the same size.
    const cut = frameStarts(segment).at(-2) ?? 0;
    rewrite(segment, (bytes) => bytes.subarray(0, cut));
    const { storage } = await open(directory);
    const writes = Array.from({ length: 1_000 }, (_, at) => {
      return record(16, `K${19_000 + at}`, 60_000 + at, `the value of ${19_000 + at}`);
    });
    await commit(storage, writes);
    const killed = copyOf(directory, tempDirectory());
    writeFileSync(indexOf(killed), index);
    const expected = await expectedOf(killed);
    const { storage: next, indexedAll } = await open(killed);
    expect(indexedAll).toBe(true);
    expect(sampled(next)).toEqual(expected);
  });

  it("is not looked at when it is of an earlier segment, or reaches beyond a cut", async () => {
    const directory = await filled();
    const index = readFileSync(indexOf(directory));
    const cut = copyOf(directory, tempDirectory());
    const segment = newestSegment(cut);
    rewrite(segment, (bytes) => bytes.subarray(0, frameStarts(segment).at(-2) ?? 0));
    expect((await open(cut)).indexedAll).toBe(true);
    const { storage } = await open(directory);
    await storage.checkpoint();
    await commit(storage, [record(16, "k1", 60_000, "later")]);
    await storage.close();
    writeFileSync(indexOf(directory), index);
    const { storage: next, indexedAll } = await open(directory);
    expect(indexedAll).toBe(true);
    expect(allRows(next, 16)).toHaveLength(keys);
    expect(existsSync(indexOf(directory))).toBe(false);
  });

  it("is not looked at by arenas that are too small for it", async () => {
    const directory = tempDirectory();
    const { storage } = await open(directory, 16_777_216);
    await fill(storage, 140_000);
    await storage.close();
    const { storage: next } = await open(directory, 1_048_576);
    expect(allRows(next, 16)).toHaveLength(140_000);
    expect(existsSync(indexOf(directory))).toBe(false);
  });
});
