// Indexing — a replayed segment is as findable as if its frames had been published one by one.

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Arena, arenaStart } from "../../../store/arena.js";
import { ArenaScan } from "../../../store/arena-scan.js";
import { frameHeaderBytes, sealFrame } from "../../../store/frame.js";
import { readIndexFile, summaryOf, writeIndexFile } from "../../../store/index-file.js";
import { indexSegment } from "../../../store/indexing.js";
import type { ReplayedSegment } from "../../../store/replay.js";
import type { RecordWrite } from "../../../store/storage.js";
import { storageTable } from "../../../store/system-key.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { check } from "../../support/property.js";
import { hex, keyBytes, record } from "../../support/storage-bytes.js";
import { tempDirectory } from "../../support/temp-directory.js";

/** An arena, and what of its index is not zero. */
function newArena(): { arena: Arena; indexWords: () => number } {
  const memory = createTaskMemory({ arenaBytes: 4 * 1024 * 1024 }).arenas[0];
  const words = new Int32Array(memory.index);
  return { arena: new Arena(memory), indexWords: () => words.findLastIndex((word) => word !== 0) };
}

/** Writes frames of records behind each other, publishes them, or leaves that to replay. */
function fill(arena: Arena, frames: readonly (readonly RecordWrite[])[], publishes: boolean) {
  let start = arenaStart;
  let count = 0;
  for (const [batch, frame] of frames.entries()) {
    const offsets: number[] = [];
    let at = start + frameHeaderBytes;
    for (const write of frame) {
      offsets.push(at);
      at = arena.records.write(at, write, false);
    }
    const { length } = frame;
    const header = { byteLength: at - start, batch: batch + 1, syncedThrough: 0, records: length };
    sealFrame(arena.records.bytes, start, header);
    if (publishes && !arena.hasSlots(length)) arena.grow(length);
    if (publishes) for (const offset of offsets) arena.publish(offset);
    start = at;
    count += length;
  }
  if (publishes) arena.tail = start;
  return { end: start, records: count };
}

function segmentOf(arena: Arena, filled: { end: number; records: number }): ReplayedSegment {
  const file = { path: "a segment", firstBatch: 1 };
  const bytes = arena.records.bytes.subarray(0, filled.end);
  return { file, bytes, ...filled, frames: 1, lastBatch: 1 };
}

function sorted(offsets: Iterable<number>): readonly number[] {
  return [...offsets].sort((a, b) => a - b);
}

describe("indexing — a segment that was read into its arena", () => {
  it("leads to what publishing its frames one by one leads to", async () => {
    const table = fc.constantFrom(storageTable, 1, 9, 16, 17);
    const frame = fc.array(fc.tuple(table, keyBytes), { maxLength: 6 });
    const property = fc.property(fc.array(frame, { maxLength: 20 }), (choices) => {
      let version = 0;
      const frames = choices.map((frame) =>
        frame.map(([into, key]) => {
          version += 1;
          return record(into, key, version, key);
        }),
      );
      const { arena: expected } = newArena();
      const filled = fill(expected, frames, true);
      const { arena } = newArena();
      fill(arena, frames, false);
      const noticed: number[] = [];
      const indexed = indexSegment(arena, segmentOf(arena, filled), (at) => noticed.push(at));
      expect(indexed.version).toBe(version);
      expect(arena.tail).toBe(expected.tail);
      expect(arena.keys).toBe(expected.keys);
      expect(sorted(arena.offsets())).toEqual(sorted(expected.offsets()));
      const own = [...indexed.own.values()].flatMap((offsets) => [...offsets]);
      const isOwn = (offset: number): boolean => arena.records.table(offset) < 16;
      expect(sorted(own)).toEqual(sorted(expected.offsets().filter(isOwn)));
      const meta = frames.flat().filter((write) => write.table === storageTable);
      const noticedVersions = noticed.map((at) => arena.records.version(at));
      expect(noticedVersions).toEqual(meta.map((write) => write.version));
    });
    await check(property, { runs: 100 });
  });

  it.each([
    ["each of another key", 20_000],
    ["of so many keys that the index is filled part by part", 60_000],
    ["of few keys", 500],
    ["of one key", 1],
  ])("takes no more of the index than keys that come one by one: records %s", (_, keys) => {
    const frames = Array.from({ length: Math.max(20, keys / 1_000) }, (_, frame) =>
      Array.from({ length: 1_000 }, (_, index) => {
        const number = frame * 1_000 + index;
        return record(16, `k${number % keys}`, number + 1, undefined);
      }),
    );
    const one = newArena();
    const filled = fill(one.arena, frames, true);
    const other = newArena();
    fill(other.arena, frames, false);
    indexSegment(other.arena, segmentOf(other.arena, filled), () => {});
    expect(other.arena.keys).toBe(keys);
    for (const { table, key, keyHash } of frames.flat().slice(-keys)) {
      const newest = one.arena.find(table, key, keyHash);
      expect(newest).toBeGreaterThan(0);
      expect(other.arena.find(table, key, keyHash)).toBe(newest);
    }
    // To the last slot that is taken, chance decides a little.
    expect(other.indexWords()).toBeLessThan(one.indexWords() * 1.1);
  });

  it("grows the index once, however many keys there are", () => {
    const frames = [Array.from({ length: 20_000 }, (_, at) => record(16, `k${at}`, at + 1, "x"))];
    const { arena } = newArena();
    const filled = fill(arena, frames, false);
    const grow = vi.spyOn(arena, "grow");
    indexSegment(arena, segmentOf(arena, filled), () => {});
    expect(arena.keys).toBe(20_000);
    expect(grow).toHaveBeenCalledTimes(1);
  });
});

describe("indexing — behind what an index file has", () => {
  it("counts whole frames, and nothing of one that does not end where it should", () => {
    const { arena } = newArena();
    const { end } = fill(arena, [[record(16, "a", 1, "x")], [record(16, "b", 2, "x")]], false);
    expect(summaryOf(arena, arenaStart, end)?.records).toBe(2);
    for (const other of [end - 8, end + 8]) {
      expect(summaryOf(arena, arenaStart, other)).toBeUndefined();
    }
  });

  it("leads to what indexing all of it leads to, wherever the file ends", async () => {
    const directory = tempDirectory();
    const place = { directory, taskId: 3, firstBatch: 1 };
    const table = fc.constantFrom(storageTable, 1, 9, 16, 17);
    const frame = fc.array(fc.tuple(table, keyBytes), { maxLength: 6 });
    const frames = fc.array(frame, { minLength: 1, maxLength: 20 });
    let taken = 0;
    const property = fc.property(frames, fc.nat(), (choices, cut) => {
      let version = 0;
      const written = choices.map((chosen) =>
        chosen.map(([into, key]) => {
          version += 1;
          return record(into, key, version, key);
        }),
      );
      const { arena: first } = newArena();
      fill(first, written.slice(0, 1 + (cut % written.length)), true);
      writeIndexFile(place, first);
      const { arena: expected } = newArena();
      const filled = fill(expected, written, false);
      const expectedNotices: number[] = [];
      const segment = segmentOf(expected, filled);
      const whole = indexSegment(expected, segment, (at) => expectedNotices.push(at));
      const { arena } = newArena();
      fill(arena, written, false);
      const kept = readIndexFile(place, arena, filled.end);
      if (kept !== undefined) taken += 1;
      const notices: number[] = [];
      const rest = indexSegment(arena, segmentOf(arena, filled), (at) => notices.push(at), kept);
      expect(rest.version).toBe(whole.version);
      expect([arena.tail, arena.keys]).toEqual([expected.tail, expected.keys]);
      expect(sorted(arena.offsets())).toEqual(sorted(expected.offsets()));
      expect(notices).toEqual(expectedNotices);
      expect([...rest.own.keys()].sort()).toEqual([...whole.own.keys()].sort());
      for (const [own, offsets] of whole.own) {
        expect(sorted(rest.own.get(own) ?? [])).toEqual(sorted(offsets));
      }
    });
    await check(property, { runs: 100 });
    expect(taken).toBeGreaterThan(0);
  });
});

describe("indexing — hashes that are no good", () => {
  function indexed(hashOf: (number: number) => number, count: number) {
    const writes = Array.from({ length: count }, (_, at) => {
      return { ...record(16, `k${at}`, at + 1, "x"), keyHash: hashOf(at) };
    });
    const { arena } = newArena();
    indexSegment(arena, segmentOf(arena, fill(arena, [writes], false)), () => {});
    const found = writes.map(({ key, keyHash }) => arena.find(16, key, keyHash));
    return { arena, versions: found.map((offset) => arena.records.version(offset)) };
  }

  it("grows the index as keys come: of few different ends it expects few keys", () => {
    const { arena, versions } = indexed((at) => at * 2 ** 20, 4_000);
    expect(versions).toEqual(versions.map((_, at) => at + 1));
    const slots = arena.walkedBytesMax / 4;
    expect(arena.keys).toBeLessThan(slots * 0.75);
  });

  it("takes as many keys as an index can hold, though it expects more of their hashes", () => {
    const count = 131_072 * 0.75;
    const { arena, versions } = indexed((at) => at, count);
    expect(arena.fits(0, 1)).toBe(false);
    expect(versions.every((version, at) => version === at + 1)).toBe(true);
    expect(arena.keys).toBe(count);
  });

  it("finds keys that all have the same, behind the last slot from the first one on", () => {
    const { versions } = indexed(() => 77, 2_900);
    expect(versions).toEqual(versions.map((_, at) => at + 1));
  });
});

describe("arena scan — begun with what indexing has found", () => {
  function begun() {
    const many = Array.from({ length: 5_000 }, (_, at) => record(16, `k${at}`, at + 1, "x"));
    const own = [record(4, "b", 6_001, "old"), record(4, "a", 6_002, "x")];
    const frames = [...many.map((write) => [write]), own, [record(4, "b", 6_003, "new")]];
    const { arena } = newArena();
    const filled = fill(arena, frames, false);
    const known = indexSegment(arena, segmentOf(arena, filled), () => {});
    const scan = new ArenaScan(arena);
    scan.begin(2, known);
    return { arena, scan, looks: vi.spyOn(arena, "offsets") };
  }

  /** Puts one more frame behind the others. */
  function add(arena: Arena, write: RecordWrite): void {
    const start = arena.tail;
    const end = arena.write(start + frameHeaderBytes, write);
    const header = { byteLength: end - start, batch: 9, syncedThrough: 0, records: 1 };
    sealFrame(arena.records.bytes, start, header);
    arena.publish(start + frameHeaderBytes);
    arena.tail = end;
  }

  it("has the runtime's own tables without a look at the index, also those without rows", () => {
    const { arena, scan, looks } = begun();
    const found = scan.keys(4, 2, arena.tail);
    expect(Array.from(found, (offset) => arena.records.version(offset))).toEqual([6_002, 6_003]);
    expect(scan.keys(9, 2, arena.tail)).toHaveLength(0);
    add(arena, record(9, "c", 6_004, "x"));
    add(arena, record(4, "a", 6_005, "y"));
    expect(scan.keys(9, 2, arena.tail)).toHaveLength(1);
    const later = scan.keys(4, 2, arena.tail);
    expect(Array.from(later, (offset) => arena.records.version(offset))).toEqual([6_005, 6_003]);
    expect(looks).not.toHaveBeenCalled();
  });

  it("looks at the index for tables of stores, once for all of them", () => {
    const { arena, scan, looks } = begun();
    expect(scan.keys(17, 2, arena.tail)).toHaveLength(0);
    expect(scan.keys(16, 2, arena.tail)).toHaveLength(5_000);
    expect(scan.keys(18, 2, arena.tail)).toHaveLength(0);
    expect(looks).toHaveBeenCalledTimes(1);
    add(arena, record(18, "c", 6_004, "x"));
    expect(scan.keys(18, 2, arena.tail)).toHaveLength(1);
  });

  it("forgets it in another generation", () => {
    const { arena, scan } = begun();
    arena.empty();
    add(arena, record(9, "c", 6_004, "x"));
    expect(hex(arena.records.key(scan.keys(9, 4, arena.tail)[0] ?? 0))).toBe("63");
    expect(scan.keys(4, 4, arena.tail)).toHaveLength(0);
  });
});
