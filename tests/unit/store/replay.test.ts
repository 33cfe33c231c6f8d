// Replay — torn ends are cut, damage before the end is refused, and what is whole comes back.

import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { replayLog } from "../../../store/replay.js";
import type { TaskStorage } from "../../../store/storage.js";
import { ControlWords } from "../../../store/task-memory.js";
import type { Durability } from "../../../store/task-storage.js";
import {
  copyOf,
  firstFrame,
  flipBit,
  frameStarts,
  newestSegment,
  rewrite,
  segmentPaths,
} from "../../support/log-files.js";
import { record, text } from "../../support/storage-bytes.js";
import { commit, openOnDisk, smallMemory, taskId } from "../../support/storage-fixture.js";
import { tempDirectory } from "../../support/temp-directory.js";

/**
 * A task's directory with `frames` frames, as a power cut leaves it; frame n writes `kn` = `vn`.
 */
async function leftBehind(frames: number, durability: Durability = "durable"): Promise<string> {
  const parent = tempDirectory();
  const directory = join(parent, "alive");
  const storage = await openOnDisk(directory, smallMemory(), { durability });
  for (let batch = 1; batch <= frames; batch += 1) {
    await commit(storage, [record(16, `k${batch}`, batch, `v${batch}`)]);
  }
  const copy = copyOf(directory, join(parent, "left"));
  await storage.close();
  return copy;
}

function openAt(directory: string): Promise<TaskStorage> {
  return openOnDisk(directory, smallMemory());
}

/** The keys of table 16. */
function keysIn(storage: TaskStorage): readonly string[] {
  return storage.page(16, {}, 1_000).map((row) => text(row.key));
}

function upTo(last: number): readonly string[] {
  return Array.from({ length: last }, (_, index) => `k${index + 1}`);
}

function corruption(action: () => unknown): PartitaError<"LOG_CORRUPT"> {
  try {
    action();
  } catch (error) {
    if (PartitaError.is(error, "LOG_CORRUPT")) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("replay — a torn end", () => {
  it("is cut at every byte of the last frame, and everything before it is there", async () => {
    const directory = await leftBehind(4);
    const [, , , start = 0, end = 0] = frameStarts(newestSegment(directory));
    expect(end - start).toBeGreaterThan(60);
    for (let cut = start; cut <= end; cut += 1) {
      for (const padded of [false, true]) {
        const copy = copyOf(directory, `${directory}-${cut}-${padded}`);
        const file = newestSegment(copy);
        rewrite(file, (bytes) => (padded ? bytes.fill(0, cut) : bytes.subarray(0, cut)));
        // The last bytes of a frame are padding: zeros are what stood there.
        const isWhole = cut === end || frameStarts(file).length === 5;
        const replay = replayLog(copy, taskId, 0);
        expect(replay.segments[0]?.lastBatch).toBe(isWhole ? 4 : 3);
        expect(replay.segments[0]?.end).toBe(isWhole ? end : start);
        if (cut === start) expect(replay.cutBytes).toBe(0);
        else if (!isWhole) expect(replay.cutBytes).toBeGreaterThan(0);
        rmSync(copy, { recursive: true });
      }
    }
  });

  it("is cut when its bytes are wrong, whichever bit it is", async () => {
    const directory = await leftBehind(3);
    const [, , start = 0, end = 0] = frameStarts(newestSegment(directory));
    for (let byte = start; byte < end; byte += 1) {
      const copy = copyOf(directory, `${directory}-${byte}`);
      flipBit(newestSegment(copy), byte, byte % 8);
      expect(replayLog(copy, taskId, 0).segments[0]?.lastBatch).toBe(2);
      rmSync(copy, { recursive: true });
    }
  });

  it("is written over by what follows, and stays gone", async () => {
    const directory = await leftBehind(4);
    const file = newestSegment(directory);
    const [, , , start = 0] = frameStarts(file);
    rewrite(file, (bytes) => bytes.subarray(0, start + 40));
    const storage = await openAt(directory);
    expect(storage.stats()).toMatchObject({ replayedFrames: 3, cutBytes: 40 });
    expect([storage.batchLast, storage.versionLast]).toEqual([3, 3]);
    await commit(storage, [record(16, "k4b", 4, "again")]);
    await storage.close();
    const again = await openAt(directory);
    expect(keysIn(again)).toEqual([...upTo(3), "k4b"]);
    expect(again.stats()).toMatchObject({ replayedFrames: 4, cutBytes: 0 });
    await again.close();
  });

  it("takes a segment whose header never became whole with it", async () => {
    for (const bytesLeft of [0, 10, firstFrame - 1]) {
      const directory = await leftBehind(0);
      rewrite(newestSegment(directory), (bytes) => bytes.subarray(0, bytesLeft));
      const storage = await openAt(directory);
      expect(storage.batchLast).toBe(0);
      await commit(storage, [record(16, "k1", 1, "v1")]);
      expect(keysIn(storage)).toEqual(["k1"]);
      await storage.close();
      expect(segmentPaths(directory)).toHaveLength(1);
    }
  });
});

describe("replay — two segments", () => {
  it("goes on with the older when the newer was never begun, and keeps what follows", async () => {
    const directory = await leftOverTwoSegments();
    rewrite(newestSegment(directory), (bytes) => bytes.subarray(0, 10));
    const storage = await openAt(directory);
    const before = keysIn(storage);
    expect(before.length).toBeGreaterThan(0);
    await commit(storage, [record(16, "z", storage.versionLast + 1, "after")]);
    expect(keysIn(storage)).toEqual([...before, "z"]);
    await storage.close();
    const again = await openAt(directory);
    expect(keysIn(again)).toEqual([...before, "z"]);
    await again.close();
  });
});

describe("replay — more keys than an index takes at first", () => {
  it("has them all, and readers are told before the index is moved", async () => {
    const directory = join(tempDirectory(), "task");
    const memory = smallMemory();
    const storage = await openOnDisk(directory, memory, { durability: "relaxed" });
    const control = new ControlWords(memory);
    const { generation } = control;
    const add = async (from: number, to: number): Promise<void> => {
      const keys = Array.from({ length: to - from }, (_, at) => from + at);
      await commit(
        storage,
        keys.map((key) => record(16, `k${key}`, key, "")),
      );
    };
    await add(1, 3_001);
    expect(control.generation).toBe(generation);
    await add(3_001, 4_001);
    expect(control.generation).toBe(generation + 2);
    await add(4_001, 5_001);
    expect(control.generation).toBe(generation + 2);
    expect(storage.page(16, {}, 10_000)).toHaveLength(5_000);
    await storage.close();
    for (const recovered of [memory, smallMemory()]) {
      const again = await openOnDisk(directory, recovered);
      expect(again.page(16, {}, 10_000)).toHaveLength(5_000);
      await again.close();
    }
  });
});

describe("replay — where it is wanted", () => {
  it("reads a segment to the place it is given, and counts its records", async () => {
    const directory = await leftBehind(4);
    const place = new Uint8Array(new SharedArrayBuffer(1024 * 1024)).fill(7);
    const [segment] = replayLog(directory, taskId, 0, () => place).segments;
    const [plain] = replayLog(directory, taskId, 0).segments;
    expect(segment?.bytes.buffer).toBe(place.buffer);
    expect(Buffer.compare(segment?.bytes ?? place, plain?.bytes ?? place)).toBe(0);
    // Each start puts its boot record on file, which this fixture has none of.
    expect([segment?.records, plain?.records]).toEqual([4, 4]);
  });
});

describe("replay — frames that were not synced", () => {
  it("cuts at the first that is missing, though later ones are whole", async () => {
    const directory = await leftBehind(6, "interval");
    const file = newestSegment(directory);
    const [, , , third = 0, fourth = 0] = frameStarts(file);
    rewrite(file, (bytes) => bytes.fill(0, third, fourth));
    const storage = await openAt(directory);
    expect(keysIn(storage)).toEqual(upTo(3));
    expect(storage.stats().replayedFrames).toBe(3);
    expect(storage.stats().cutBytes).toBeGreaterThan(0);
    await commit(storage, [record(16, "k4", 4, "anew")]);
    await storage.close();
    const again = await openAt(directory);
    expect(keysIn(again)).toEqual(upTo(4));
    await again.close();
  });

  it("cuts to nothing when the first is missing", async () => {
    const directory = await leftBehind(3, "relaxed");
    rewrite(newestSegment(directory), (bytes) => bytes.fill(0, firstFrame, firstFrame + 8));
    const storage = await openAt(directory);
    expect([storage.batchLast, storage.versionLast]).toEqual([0, 0]);
    await storage.close();
  });
});

describe("replay — damage before the end", () => {
  it("is refused with file and offset, whichever bit of an earlier frame it is", async () => {
    const directory = await leftBehind(4);
    const starts = frameStarts(newestSegment(directory));
    for (let frame = 0; frame < 3; frame += 1) {
      const [start = 0, end = 0] = starts.slice(frame);
      for (let byte = start; byte < end; byte += 3) {
        const copy = copyOf(directory, `${directory}-${byte}`);
        const file = newestSegment(copy);
        flipBit(file, byte, byte % 8);
        const { details } = corruption(() => replayLog(copy, taskId, 0));
        expect(details).toMatchObject({ file, offset: start });
        expect(statSync(file).size).toBe(statSync(newestSegment(directory)).size);
        rmSync(copy, { recursive: true });
      }
    }
  });

  it("is refused when the storage is opened, and the files stay as they are", async () => {
    const directory = await leftBehind(4);
    const file = newestSegment(directory);
    flipBit(file, firstFrame + 40);
    await expect(openAt(directory)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
    await expect(openAt(directory)).rejects.toMatchObject({
      code: "LOG_CORRUPT",
      details: { file, offset: firstFrame },
    });
    flipBit(file, firstFrame + 40);
    const storage = await openAt(directory);
    expect(keysIn(storage)).toEqual(upTo(4));
    await storage.close();
  });

  it("is refused in a segment's header when frames follow it", async () => {
    for (const frames of [1, 3]) {
      const directory = await leftBehind(frames);
      flipBit(newestSegment(directory), 17);
      corruption(() => replayLog(directory, taskId, 0));
    }
  });

  it("is refused when the log belongs to another task", async () => {
    const directory = await leftBehind(1);
    corruption(() => replayLog(directory, taskId + 1, 0));
    expect(segmentPaths(directory)).toHaveLength(1);
  });

  it("is refused in the last frame of a segment that another one follows", async () => {
    const directory = await leftOverTwoSegments();
    const [older = ""] = segmentPaths(directory);
    const starts = frameStarts(older);
    const offset = starts.at(-2) ?? 0;
    flipBit(older, offset + 40);
    const { details } = corruption(() => replayLog(directory, taskId, 0));
    expect(details).toMatchObject({ file: older, offset });
  });

  it("is refused when a whole segment is missing", async () => {
    const directory = await leftOverTwoSegments();
    rmSync(segmentPaths(directory)[0] ?? "");
    corruption(() => replayLog(directory, taskId, 0));
  });
});

/** As `leftBehind`, in the middle of a checkpoint: the newer segment has no frames yet. */
async function leftOverTwoSegments(): Promise<string> {
  const parent = tempDirectory();
  const directory = join(parent, "alive");
  const storage = await openOnDisk(directory, smallMemory());
  for (let batch = 1; batch <= 3; batch += 1) {
    await commit(storage, [record(16, `k${batch}`, batch, `v${batch}`)]);
  }
  const before = copyOf(directory, join(parent, "left"));
  const running = storage.checkpoint();
  await Promise.resolve();
  const [, newer = ""] = segmentPaths(directory);
  copyOf(newer, join(before, "log", newer.slice(newer.lastIndexOf("/") + 1)));
  await running;
  await storage.close();
  return before;
}

describe("replay — segments that the environment has", () => {
  it("are deleted; the one to go on with is kept though nothing is in it", async () => {
    const directory = await leftOverTwoSegments();
    const [older, newer] = segmentPaths(directory);
    const { segments, cutBytes } = replayLog(directory, taskId, 3);
    expect(segmentPaths(directory)).toEqual([newer]);
    expect(older).not.toBe(newer);
    expect(segments.map(({ file, frames }) => [file.path, frames])).toEqual([[newer, 0]]);
    expect(cutBytes).toBe(0);
  });

  it("are deleted when there is no other one, too", async () => {
    const directory = await leftBehind(3);
    expect(replayLog(directory, taskId, 3).segments).toEqual([]);
    expect(segmentPaths(directory)).toEqual([]);
    expect(replayLog(directory, taskId, 3).segments).toEqual([]);
  });

  it("are kept when they have one more frame", async () => {
    const directory = await leftBehind(3);
    const [segment] = replayLog(directory, taskId, 2).segments;
    expect([segment?.frames, segment?.lastBatch]).toEqual([3, 3]);
  });
});

describe("replay — an end that nobody bears witness to", () => {
  it("is cut with a later segment that was never begun, however short the file is", async () => {
    const directory = await leftOverTwoSegments();
    const [older = "", newer = ""] = segmentPaths(directory);
    const starts = frameStarts(older);
    rewrite(older, (bytes) => bytes.subarray(0, starts.at(-2)));
    rewrite(newer, (bytes) => bytes.fill(0));
    const { size } = statSync(newer);
    const { segments, cutBytes } = replayLog(directory, taskId, 0);
    expect(segments.map(({ lastBatch }) => lastBatch)).toEqual([2]);
    expect(cutBytes).toBe(size);
    expect(segmentPaths(directory)).toEqual([older]);
    expect(statSync(older).size).toBe(starts.at(-2));
  });
});
