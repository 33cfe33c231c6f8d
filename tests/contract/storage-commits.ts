// The part of the storage contract that is about frames: clears, steps, opening again, room.

import { expect } from "vitest";
import { PartitaError } from "../../base/errors.js";
import type { TaskStorage } from "../../store/storage.js";
import { record } from "../support/storage-bytes.js";
import type { Cases } from "../support/storage-fixture.js";
import { commit } from "../support/storage-fixture.js";
import { allRows, rowsOf, valueAt } from "../support/storage-shown.js";

/** Clears: what they hide, and from when on. */
export const clearCases: Cases = {
  "hides older records of the table and nothing else": async (start) => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    await commit(storage, [record(16, "a", 1, "a1"), record(17, "a", 2, "a2")]);
    await fixture.settle();
    await commit(storage, [record(16, "b", 3, "b3")]);
    await commit(storage, [record(16, "c", 5, "c5")], [[16, 4]]);
    for (const source of [storage, reader]) {
      expect(valueAt(source, 16, "a")).toBeUndefined();
      expect(valueAt(source, 16, "b")).toBeUndefined();
      expect(rowsOf(source, 16)).toEqual(["c=5:c5"]);
      expect(rowsOf(source, 17)).toEqual(["a=2:a2"]);
    }
    await fixture.settle();
    await commit(storage, [record(16, "a", 6, "a6", { fresh: true })]);
    await fixture.settle();
    expect(rowsOf(storage, 16)).toEqual(["a=6:a6", "c=5:c5"]);
    expect(rowsOf(reader, 16)).toEqual(["a=6:a6", "c=5:c5"]);
  },

  "keeps what is cleared hidden when it is opened again": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 1, "a1"), record(16, "b", 2, "b2")]);
    await fixture.settle();
    await commit(storage, [record(16, "b", 4, "b4")], [[16, 3]]);
    await fixture.settle();
    const again = await fixture.reopen();
    expect(rowsOf(again, 16)).toEqual(["b=4:b4"]);
    expect(valueAt(again, 16, "a")).toBeUndefined();
    await again.checkpoint();
    const third = await fixture.reopen();
    expect(rowsOf(third, 16)).toEqual(["b=4:b4"]);
    expect(rowsOf(fixture.reader(), 16)).toEqual(["b=4:b4"]);
    expect(third.versionLast).toBe(4);
  },

  "takes part in its frame: it is hidden until the frame is published": async (start) => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    await commit(storage, [record(16, "a", 1, "a1")]);
    await fixture.settle();
    expect(storage.hasRoom([])).toBe(true);
    storage.clear(16, 2);
    storage.append([]);
    storage.sync();
    expect(rowsOf(storage, 16)).toEqual(["a=1:a1"]);
    expect(valueAt(reader, 16, "a")).toBe("1:a1");
    storage.publish();
    expect(rowsOf(storage, 16)).toEqual([]);
    expect(valueAt(reader, 16, "a")).toBeUndefined();
    expect(storage.versionLast).toBe(2);
    expect(storage.batchLast).toBe(2);
  },

  "clears a table again and again": async (start) => {
    const { fixture, storage } = await start();
    for (let round = 1; round <= 6; round += 1) {
      await commit(storage, [record(16, "a", round * 10, `r${round}`, { fresh: true })]);
      await fixture.settle();
      expect(rowsOf(storage, 16)).toEqual([`a=${round * 10}:r${round}`]);
      await commit(storage, [], [[16, round * 10 + 1]]);
      await fixture.settle();
      expect(rowsOf(storage, 16)).toEqual([]);
    }
  },
};

/** The three steps of a commit, and checkpoints beside them. */
export const stepCases: Cases = {
  "shows nothing of a frame before it is published and all of it afterwards": async (start) => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    await commit(storage, [record(16, "a", 1, "old"), record(16, "b", 2, "old")]);
    await fixture.settle();
    const frame = [
      record(16, "a", 3, "new"),
      record(16, "b", 4, undefined),
      record(16, "c", 5, ""),
    ];
    expect(storage.hasRoom(frame)).toBe(true);
    const before = ["a=1:old", "b=2:old"];
    storage.append(frame);
    expect(rowsOf(storage, 16)).toEqual(before);
    expect(rowsOf(reader, 16)).toEqual(before);
    storage.sync();
    expect(rowsOf(storage, 16)).toEqual(before);
    expect(rowsOf(reader, 16)).toEqual(before);
    expect(valueAt(reader, 16, "c")).toBeUndefined();
    storage.publish();
    expect(rowsOf(storage, 16)).toEqual(["a=3:new", "c=5:"]);
    expect(rowsOf(reader, 16)).toEqual(["a=3:new", "c=5:"]);
    expect(valueAt(reader, 16, "b")).toBeUndefined();
  },

  "syncs without holding the thread, hidden until published, and has the frame again": async (
    start,
  ) => {
    const { fixture, storage } = await start();
    expect(storage.hasRoom([record(16, "a", 1, "x")])).toBe(true);
    storage.append([record(16, "a", 1, "x")]);
    const syncing = storage.syncLater();
    expect(valueAt(storage, 16, "a")).toBeUndefined();
    await syncing;
    expect(valueAt(fixture.reader(), 16, "a")).toBeUndefined();
    storage.publish();
    expect(valueAt(fixture.reader(), 16, "a")).toBe("1:x");
    expect(valueAt(await fixture.reopen(), 16, "a")).toBe("1:x");
  },

  "numbers frames densely and knows the highest version": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 7, "x"), record(16, "b", 3, "y")]);
    expect([storage.batchLast, storage.versionLast]).toEqual([1, 7]);
    await fixture.settle();
    await commit(storage, [record(16, "a", 8, undefined)]);
    expect([storage.batchLast, storage.versionLast]).toEqual([2, 8]);
    await commit(storage, []);
    expect([storage.batchLast, storage.versionLast]).toEqual([3, 8]);
  },

  "counts its frames": async (start) => {
    const { fixture, storage } = await start();
    for (let version = 1; version <= 5; version += 1) {
      await commit(storage, [record(16, "a", version, "value")]);
    }
    await fixture.settle();
    const stats = storage.stats();
    expect(stats.frames).toBe(5);
    expect(stats.frameBytes).toBeGreaterThan(5 * "value".length);
    expect(stats.arenaBytesUsed).toBeLessThanOrEqual(stats.arenaBytesMax);
  },

  "changes nothing that is seen with a checkpoint, and counts it": async (start) => {
    const { storage, fixture } = await start();
    await commit(storage, [record(16, "a", 1, "one"), record(16, "gone", 2, "x")]);
    await commit(storage, [record(16, "gone", 3, undefined)]);
    const before = storage.stats().checkpoints;
    await storage.checkpoint();
    expect(storage.stats().checkpoints).toBe(before + 1);
    expect(rowsOf(storage, 16)).toEqual(["a=1:one"]);
    expect(rowsOf(fixture.reader(), 16)).toEqual(["a=1:one"]);
    expect([storage.batchLast, storage.versionLast]).toEqual([2, 3]);
  },

  "serves pages and commits while a checkpoint is under way": async (start) => {
    const { storage, fixture } = await start();
    const reader = fixture.reader();
    await commit(storage, [record(16, "a", 1, "old"), record(16, "b", 2, "old")]);
    const running = storage.checkpoint();
    await commit(storage, [record(16, "a", 3, "new"), record(16, "b", 4, undefined)]);
    expect(rowsOf(storage, 16)).toEqual(["a=3:new"]);
    expect(rowsOf(reader, 16)).toEqual(["a=3:new"]);
    await running;
    expect(rowsOf(storage, 16)).toEqual(["a=3:new"]);
    expect(rowsOf(reader, 16)).toEqual(["a=3:new"]);
  },
};

/** Closing and opening again. */
export const reopeningCases: Cases = {
  "has every row, removal, version and frame number again": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 1, "one"), record(17, "b", 2, "two")]);
    await fixture.settle();
    await commit(storage, [record(16, "a", 3, undefined), record(16, "c", 4, "four")]);
    await commit(storage, [record(16, "d", 9, "d"), record(16, "d2", 10, "d")]);
    await fixture.settle();
    await commit(storage, [record(16, "d", 11, undefined)]);
    const again = await fixture.reopen();
    expect(rowsOf(again, 16)).toEqual(["c=4:four", "d2=10:d"]);
    expect(rowsOf(again, 17)).toEqual(["b=2:two"]);
    expect([again.batchLast, again.versionLast]).toEqual([4, 11]);
    expect(rowsOf(fixture.reader(), 16)).toEqual(["c=4:four", "d2=10:d"]);
  },

  "goes on where it was, however often it is opened": async (start) => {
    const { fixture } = await start();
    for (let round = 1; round <= 5; round += 1) {
      const storage = await fixture.reopen();
      expect([storage.batchLast, storage.versionLast]).toEqual([round - 1, round - 1]);
      await commit(storage, [record(16, `k${round}`, round, "x")]);
      if (round % 2 === 0) await fixture.settle();
      expect(rowsOf(storage, 16)).toHaveLength(round);
    }
  },

  "knows the highest version of a removed key after checkpoint and reopening": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 41, "x", { fresh: true })]);
    await commit(storage, [record(16, "a", 42, undefined)]);
    await storage.checkpoint();
    const again = await fixture.reopen();
    expect([again.batchLast, again.versionLast]).toEqual([2, 42]);
    expect(valueAt(again, 16, "a")).toBeUndefined();
  },

  "closes twice, and answers nothing once it is closed": async (start) => {
    const { storage } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    await storage.close();
    await storage.close();
    expect(() => valueAt(storage, 16, "a")).toThrow("closed");
    expect(() => storage.hasRoom([])).toThrow("closed");
    expect(() => storage.append([])).toThrow("closed");
  },
};

/** Room in the arenas. */
export const roomCases: Cases = {
  "takes far more than its arenas hold, and loses none of it": async (start) => {
    const { fixture, storage } = await start();
    const { arenaBytesMax } = storage.stats();
    const value = new Uint8Array(Math.floor(arenaBytesMax / 10)).fill(0x61);
    for (let version = 1; version <= 60; version += 1) {
      await commit(storage, [record(16, `k${version % 25}`, version, value)]);
    }
    expect(storage.stats().checkpoints).toBeGreaterThan(3);
    const versions = (from: TaskStorage): readonly number[] =>
      allRows(from, 16)
        .map((row) => row.version)
        .sort((a, b) => a - b);
    const expected = Array.from({ length: 25 }, (_, index) => 36 + index);
    expect(versions(storage)).toEqual(expected);
    const again = await fixture.reopen();
    expect(versions(again)).toEqual(expected);
    expect([again.batchLast, again.versionLast]).toEqual([60, 60]);
  },

  "has none while both arenas are full, and some again when the checkpoint is done": async (
    start,
  ) => {
    const { storage } = await start();
    const value = new Uint8Array(Math.floor(storage.stats().arenaBytesMax / 4));
    let version = 0;
    let refusals = 0;
    while (refusals < 3) {
      version += 1;
      const frame = [record(16, `k${version}`, version, value)];
      if (!storage.hasRoom(frame)) {
        refusals += 1;
        expect(storage.hasRoom(frame)).toBe(false);
        while (!storage.hasRoom(frame)) await storage.whenRoom();
      }
      storage.append(frame);
      storage.sync();
      storage.publish();
    }
    expect(allRows(storage, 16)).toHaveLength(version);
  },

  "refuses a frame that could never fit, and is as it was": async (start) => {
    const { storage } = await start();
    const { arenaBytesMax } = storage.stats();
    const frame = [record(16, "a", 1, new Uint8Array(arenaBytesMax))];
    let problem: unknown;
    try {
      storage.hasRoom(frame);
    } catch (error) {
      problem = error;
    }
    expect(PartitaError.is(problem, "FRAME_TOO_LARGE")).toBe(true);
    expect([storage.batchLast, storage.versionLast]).toEqual([0, 0]);
    await commit(storage, [record(16, "a", 1, "small")]);
    expect(rowsOf(storage, 16)).toEqual(["a=1:small"]);
  },
};
