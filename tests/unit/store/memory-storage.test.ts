// Memory storage — what a crash leaves, and what it refuses that other storages would not notice.

import { describe, expect, it } from "vitest";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { TaskStorage } from "../../../store/storage.js";
import { bytes, record, text } from "../../support/storage-bytes.js";
import { commit, commitNow } from "../../support/storage-fixture.js";

function rowsOf(storage: Pick<TaskStorage, "page">): readonly string[] {
  return storage.page(16, {}, 100).map((row) => `${text(row.key)}=${row.version}`);
}

/** A storage with frames 1 to `frames`, each with a key of its own. */
function filled(frames: number, durability: "durable" | "interval"): MemoryStorage {
  const storage = MemoryStorage.create({ durability });
  for (let batch = 1; batch <= frames; batch += 1) {
    commitNow(storage, [record(16, `k${batch}`, batch, "x")]);
  }
  return storage;
}

describe("memory storage — crashes", () => {
  it("keeps every frame that was synced", () => {
    const storage = filled(3, "durable");
    expect(storage.volatileFrames).toBe(0);
    const left = storage.crash();
    expect(rowsOf(left)).toEqual(["k1=1", "k2=2", "k3=3"]);
    expect([left.batchLast, left.versionLast]).toEqual([3, 3]);
    expect(left.stats().replayedFrames).toBe(3);
  });

  it("drops the frame in hand, or keeps it when it made it", () => {
    for (const keepFrames of [0, 1]) {
      const storage = filled(1, "durable");
      storage.append([record(16, "k2", 2, "x"), record(16, "k1", 3, undefined)]);
      expect(storage.volatileFrames).toBe(1);
      const left = storage.crash({ keepFrames });
      expect(rowsOf(left)).toEqual(keepFrames === 0 ? ["k1=1"] : ["k2=2"]);
      expect([left.batchLast, left.versionLast]).toEqual(keepFrames === 0 ? [1, 1] : [2, 3]);
    }
  });

  it("drops what nobody flushed, from the newest on", () => {
    for (const keepFrames of [0, 1, 2, 3]) {
      const storage = filled(2, "interval");
      storage.flush();
      commitNow(storage, [record(16, "k3", 3, "x")], [[17, 3]]);
      commitNow(storage, [record(16, "k4", 4, "x")]);
      const left = storage.crash({ keepFrames });
      expect(left.batchLast).toBe(Math.min(4, 2 + keepFrames));
      expect(rowsOf(left)).toHaveLength(Math.min(4, 2 + keepFrames));
    }
  });

  it("keeps what a checkpoint has covered, and only once it is done", async () => {
    let letGo: () => void = () => {};
    const runCheckpoint = (): Promise<void> => new Promise((resolve) => (letGo = resolve));
    for (const done of [false, true]) {
      const storage = MemoryStorage.create({ durability: "relaxed", runCheckpoint });
      commitNow(storage, [record(16, "k1", 1, "x")]);
      const running = storage.checkpoint();
      commitNow(storage, [record(16, "k2", 2, "x")]);
      await Promise.resolve();
      if (done) {
        letGo();
        await running;
      }
      expect(rowsOf(storage)).toEqual(["k1=1", "k2=2"]);
      expect(rowsOf(storage.crash())).toEqual(done ? ["k1=1"] : []);
      letGo();
      await running;
    }
  });

  it("ends the storage, its readers and its checkpoint that was under way", async () => {
    const storage = filled(2, "interval");
    const reader = storage.reader();
    const running = storage.checkpoint();
    const left = storage.crash();
    await running;
    expect(() => storage.append([])).toThrow("closed");
    expect(() => storage.flush()).toThrow("closed");
    expect(() => reader.page(16, {}, 1)).toThrow("closed");
    expect(rowsOf(left)).toEqual([]);
    await storage.close();
  });

  it("leaves a storage that is independent of later crashes", () => {
    const first = filled(1, "durable");
    const second = first.crash();
    commitNow(second, [record(16, "k2", 2, "x")]);
    const other = first.crash();
    expect(rowsOf(other)).toEqual(["k1=1"]);
    expect(rowsOf(second)).toEqual(["k1=1", "k2=2"]);
  });
});

describe("memory storage — refusals", () => {
  it("refuses steps out of order", () => {
    const storage = MemoryStorage.create();
    expect(() => storage.sync()).toThrow("no appended frame");
    expect(() => storage.publish()).toThrow("no synced frame");
    storage.append([record(16, "a", 1, "x")]);
    expect(() => storage.append([])).toThrow("in hand already");
    expect(() => storage.clear(16, 1)).toThrow("appended next");
    expect(() => storage.publish()).toThrow("no synced frame");
    storage.sync();
    expect(() => storage.sync()).toThrow("no appended frame");
    storage.publish();
    expect(rowsOf(storage)).toEqual(["a=1"]);
  });

  it("refuses records that break the contract", () => {
    const storage = filled(3, "durable");
    const wrong = [
      [record(16, "new", 3, "x"), "version 3 does not rise"],
      [record(16, "k1", 4, "x", { fresh: true }), "a fresh key has a row"],
      [{ ...record(16, "k1", 4, "x"), keyHash: 1 }, "not the key's"],
      [record(16, "", 4, "x"), "a key of 0 bytes"],
      [record(16, new Uint8Array(1_977), 4, "x"), "a key of 1977 bytes"],
    ] as const;
    for (const [write, message] of wrong) {
      expect(() => storage.append([write])).toThrow(message);
    }
    expect(() => storage.get(16, bytes("k1"), 1)).toThrow("not the key's");
    commitNow(storage, [record(16, "k1", 5, "x", { fresh: true })], [[16, 4]]);
    expect(rowsOf(storage)).toEqual(["k1=5"]);
  });

  it("refuses everything after a checkpoint that failed, and keeps what is durable", async () => {
    const storage = MemoryStorage.create({
      runCheckpoint: () => {
        throw new Error("made up");
      },
    });
    const told: unknown[] = [];
    storage.onFailure((error) => told.push(error));
    await commit(storage, [record(16, "a", 1, "x")]);
    await expect(storage.checkpoint()).rejects.toThrow("made up");
    expect(told).toEqual([new Error("made up")]);
    expect(() => storage.append([])).toThrow("made up");
    await expect(storage.whenRoom()).rejects.toThrow("made up");
    await expect(storage.close()).rejects.toThrow("made up");
    expect(rowsOf(storage.reopen())).toEqual(["a=1"]);
  });

  it("opens again only what was closed", async () => {
    const storage = filled(1, "interval");
    expect(() => storage.reopen()).toThrow("only a closed storage");
    await storage.close();
    expect(rowsOf(storage.reopen())).toEqual(["k1=1"]);
  });
});
