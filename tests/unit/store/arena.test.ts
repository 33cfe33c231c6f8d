// Arena and arena scan — the index leads to the newest record, and a list misses no key.

import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../base/limits.js";
import { Arena, arenaStart } from "../../../store/arena.js";
import { ArenaScan } from "../../../store/arena-scan.js";
import { frameHeaderBytes, sealFrame } from "../../../store/frame.js";
import type { RecordWrite } from "../../../store/storage.js";
import {
  createArenaMemory,
  createTaskMemory,
  indexHeaderBytes,
} from "../../../store/task-memory.js";
import { check } from "../../support/property.js";
import { bytes, hex, keyBytes, record } from "../../support/storage-bytes.js";

/** In which another thread takes slots of an index. */
const partCount = 8;

function newArena(): Arena {
  return new Arena(createTaskMemory({ arenaBytes: 1024 * 1024 }).arenas[0]);
}

/** Writes a frame at the tail, and publishes it. */
function addFrame(arena: Arena, records: readonly RecordWrite[]): void {
  const start = arena.tail;
  let at = start + frameHeaderBytes;
  for (const write of records) at = arena.write(at, write);
  const header = { byteLength: at - start, batch: 1, syncedThrough: 0, records: records.length };
  sealFrame(arena.records.bytes, start, header);
  expect(arena.written).toBe(records.length);
  if (!arena.hasSlots(records.length)) arena.grow(records.length);
  arena.publishWritten();
  expect(arena.written).toBe(0);
  arena.tail = at;
}

function keysOf(arena: Arena, offsets: Int32Array): readonly string[] {
  return Array.from(offsets, (offset) => hex(arena.records.key(offset)));
}

/** What the index leads to, of one table. */
function newestOf(arena: Arena, table: number): Int32Array {
  return arena.offsets().filter((offset) => arena.records.table(offset) === table);
}

describe("arena — index", () => {
  it("leads to the newest published record of each key of each table", async () => {
    const table = fc.integer({ min: 0, max: 3 });
    const writes = fc.array(fc.tuple(table, keyBytes), { maxLength: 60 });
    const property = fc.property(writes, (choices) => {
      const arena = newArena();
      const model = new Map<string, number>();
      for (const [index, [into, key]] of choices.entries()) {
        addFrame(arena, [record(into, key, index + 1, key)]);
        model.set(`${into}/${hex(key)}`, index + 1);
      }
      for (const [into, key] of choices) {
        const offset = arena.find(into, key, record(into, key, 1, key).keyHash);
        expect(arena.records.version(offset)).toBe(model.get(`${into}/${hex(key)}`));
      }
      expect(arena.keys).toBe(model.size);
      expect(arena.offsets()).toHaveLength(model.size);
    });
    await check(property, { runs: 60 });
  });

  it("misses no key while its owner publishes others", async () => {
    const memory = createTaskMemory({ arenaBytes: 1024 * 1024 }).arenas[0];
    const slots = new Int32Array(memory.index, indexHeaderBytes);
    const arena = new Arena(memory);
    arena.grow(slots.length * 0.375);
    // The last slot is taken; an owner on another thread takes the others, from the first on.
    const kept = slots.length - 1;
    slots[kept] = 64;
    const looks = new Int32Array(new SharedArrayBuffer(4));
    // Between two parts of them there is a look at least, and most looks are in the middle of one.
    const script = `
      const { workerData: { index, kept, looks } } = require("node:worker_threads");
      const slots = new Int32Array(index, ${indexHeaderBytes});
      const part = Math.ceil(kept / ${partCount});
      for (let at = 1; at < kept; at += 2) {
        for (let had; (had = Atomics.load(looks, 0)) * part < at; ) Atomics.wait(looks, 0, had);
        for (let pause = 0; pause < 200; pause += 1) Atomics.load(slots, 0);
        Atomics.store(slots, at, 128);
      }
    `;
    const workerData = { index: memory.index, kept, looks };
    const owner = new Worker(script, { eval: true, workerData });
    try {
      for (let count = 1; count < kept / 2; ) {
        const offsets = arena.offsets();
        count = offsets.length;
        expect(offsets.at(-1)).toBe(64);
        Atomics.add(looks, 0, 1);
        Atomics.notify(looks, 0);
        if (count === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(looks[0]).toBeGreaterThanOrEqual(partCount);
    } finally {
      await owner.terminate();
    }
  });

  it("leads to every key after it has grown, also those who looked before", () => {
    const memory = createTaskMemory({ arenaBytes: 1024 * 1024 }).arenas[0];
    const arena = new Arena(memory);
    const other = new Arena(memory);
    const keys = Array.from({ length: 9_000 }, (_, index) => `k${index}`);
    for (const [index, key] of keys.entries()) {
      addFrame(arena, [record(16, key, index + 1, undefined)]);
      if (index % 1_000 !== 0) continue;
      const { keyHash } = record(16, "k0", 1, undefined);
      expect(other.records.version(other.find(16, bytes("k0"), keyHash))).toBe(1);
    }
    for (const [index, key] of keys.entries()) {
      const { keyHash } = record(16, key, 1, undefined);
      const offset = other.find(16, bytes(key), keyHash);
      expect(other.records.version(offset)).toBe(index + 1);
    }
    expect(other.offsets()).toHaveLength(keys.length);
  });

  it("leads to the newest record of every key of a frame for which it grows", () => {
    const arena = newArena();
    const frameOf = (first: number, count: number, version: number): RecordWrite[] =>
      Array.from({ length: count }, (_, index) => {
        return record(16, `k${first + index}`, version + index, undefined);
      });
    addFrame(arena, frameOf(0, 3_000, 1));
    // Some of these have a slot already, which the growth for the others moves; one comes twice.
    addFrame(arena, [...frameOf(2_000, 3_000, 10_000), record(16, "k2500", 20_000, undefined)]);
    for (let index = 0; index < 5_000; index += 1) {
      const write = record(16, `k${index}`, 1, undefined);
      const offset = arena.find(16, write.key, write.keyHash);
      const newest = index < 2_000 ? index + 1 : 10_000 + index - 2_000;
      expect(arena.records.version(offset)).toBe(index === 2_500 ? 20_000 : newest);
    }
    expect(arena.keys).toBe(5_000);
  });

  it("writes and finds the same for writes that are given again as for new ones", async () => {
    const frame = fc.record({
      arena: fc.constantFrom(0, 0, 0, 1),
      // Few keys again and again, and now and then so many that the index grows.
      first: fc.constantFrom(0, 0, 400, 4_000),
      count: fc.constantFrom(500, 500, 500, 2_500),
      fresh: fc.boolean(),
      empties: fc.constantFrom(true, false, false, false, false),
    });
    const property = fc.property(fc.array(frame, { minLength: 8, maxLength: 12 }), (frames) => {
      const arenas = [newArena(), newArena()] as const;
      const references = [newArena(), newArena()] as const;
      const again = Array.from({ length: 6_500 }, (_, index) => {
        return { ...record(16, `k${index}`, 1, undefined), place: 0, placeEra: 0 };
      });
      for (const [index, { arena: number, first, count, fresh, empties }] of frames.entries()) {
        const arena = arenas[number === 0 ? 0 : 1];
        const reference = references[number === 0 ? 0 : 1];
        if (empties) for (const each of [arena, reference]) each.empty();
        const version = index + 1;
        const slice = again.slice(first, first + count);
        const written = slice.map((write) => Object.assign(write, { version, fresh }));
        addFrame(arena, written);
        addFrame(
          reference,
          written.map(({ table, key, keyHash, value }) => {
            return { table, key, keyHash, version, value, fresh };
          }),
        );
        expect(arena.tail).toBe(reference.tail);
        const [found, expected] = [arena, reference].map(({ records, tail }) => {
          return Buffer.from(records.bytes.subarray(arenaStart, tail));
        });
        expect(found?.equals(expected ?? Buffer.alloc(0))).toBe(true);
        expect(arena.keys).toBe(reference.keys);
        expect(arena.offsets().toSorted()).toEqual(reference.offsets().toSorted());
        for (const { table, key, keyHash } of again) {
          const offset = arena.find(table, key, keyHash);
          if (offset !== reference.find(table, key, keyHash))
            expect.fail(`${hex(key)} at ${offset}`);
        }
      }
    });
    await check(property, { runs: 15 });
  });

  it("touches only so much of its memory as its keys need", () => {
    const memory = createTaskMemory({ arenaBytes: 64 * 1024 * 1024 }).arenas[0];
    const arena = new Arena(memory);
    for (let count = 0; count < 3_000; count += 1) {
      addFrame(arena, [record(16, `k${count}`, count + 1, undefined)]);
    }
    const words = new Int32Array(memory.index);
    const last = words.findLastIndex((word) => word !== 0);
    expect(last).toBeGreaterThan(4_096);
    expect(last).toBeLessThan(2 * 4_096 + 2);
  });

  it("is empty behind a thread that died while it read an index", () => {
    const memory = createTaskMemory({ arenaBytes: 1024 * 1024 }).arenas[0];
    const slots = 16_384;
    let seen: Uint8Array | undefined;
    new Arena(memory).adopt(slots, 3, (index) => {
      index.fill(0xff);
      // As the next thread finds it: with what the one before had read when it died.
      new Arena(memory).empty();
      seen = index.slice();
      return false;
    });
    expect(seen).toEqual(new Uint8Array(slots * 8));
  });

  it("refuses a key for which it was not asked to grow", () => {
    const arena = newArena();
    const publish = (index: number): void => {
      arena.write(arenaStart, record(16, `k${index}`, 1, undefined));
      arena.publish(arenaStart);
    };
    for (let index = 0; arena.hasSlots(1); index += 1) publish(index);
    expect(() => publish(4_000)).toThrow("no slot");
  });

  it("tells keys with one hash apart", () => {
    const arena = newArena();
    const keys = ["a", "b", "c", "d"];
    addFrame(
      arena,
      keys.map((key, index) => ({ ...record(16, key, index + 1, key), keyHash: 77 })),
    );
    for (const [index, key] of keys.entries()) {
      expect(arena.records.version(arena.find(16, bytes(key), 77))).toBe(index + 1);
    }
    expect(arena.find(16, bytes("e"), 77)).toBe(0);
    expect(arena.find(17, bytes("a"), 77)).toBe(0);
  });

  it("finds nothing that was written and not published", () => {
    const arena = newArena();
    const write = record(16, "a", 1, "x");
    arena.write(arenaStart, write);
    expect(arena.find(16, write.key, write.keyHash)).toBe(0);
  });

  it("takes as many keys as it says, and then has no room for one more", () => {
    const arena = newArena();
    let count = 0;
    while (arena.fits(0, 1)) {
      if (!arena.hasSlots(1)) arena.grow(1);
      const write = { ...record(16, `k${count}`, 1, undefined), keyHash: count * 7 };
      arena.write(arenaStart, write);
      arena.publish(arenaStart);
      // Only the index is filled: the next record may stand in the same place.
      count += 1;
      if (count > 1_000_000) throw new Error("the index never fills");
    }
    expect(arena.keys).toBe(count);
    expect(arena.couldFit(0, count)).toBe(true);
    expect(arena.couldFit(0, count + 1)).toBe(false);
    arena.empty();
    expect(arena.keys).toBe(0);
    expect(arena.fits(0, count)).toBe(true);
  });

  it("has slots for as many records as its bytes can hold, when asked so", () => {
    // The smallest take 40 bytes, and each can be of a key of its own.
    const arenaBytes = limits.arenaBytesMax;
    const records = Math.floor((arenaBytes - arenaStart) / 40);
    const arena = new Arena(createArenaMemory(arenaBytes, records));
    expect(arena.couldFit(records * 40, records)).toBe(true);
  });

  it("says when the first record of a key was born in it, whatever followed", () => {
    const arena = newArena();
    const flags: boolean[] = [];
    const writes = [
      record(16, "born", 1, "x", { fresh: true }),
      record(16, "born", 2, undefined),
      record(16, "known", 3, "x"),
      record(16, "known", 4, undefined),
      record(16, "known", 5, "x", { fresh: true }),
    ];
    for (const write of writes) {
      addFrame(arena, [write]);
      flags.push(arena.records.isBorn(arena.find(16, write.key, write.keyHash)));
    }
    expect(flags).toEqual([true, true, false, false, false]);
  });
});

describe("arena scan — the keys of a table", () => {
  it("has each key once and in order, whenever it was asked before", async () => {
    const frames = fc.array(fc.tuple(fc.array(keyBytes, { maxLength: 4 }), fc.boolean()), {
      maxLength: 25,
    });
    const property = fc.property(frames, (choices) => {
      const arena = newArena();
      const scan = new ArenaScan(arena);
      const known = new Set<string>();
      let version = 0;
      for (const [keys, asks] of choices) {
        const records = keys.map((key, index) => record(16, key, version + index + 1, key));
        version += records.length + 1;
        addFrame(arena, [...records, record(17, "other", version, "x")]);
        for (const key of keys) known.add(hex(key));
        if (!asks) continue;
        const offsets = scan.keys(16, 2, arena.tail);
        expect(keysOf(arena, offsets)).toEqual([...known].sort());
        expect([...offsets].sort()).toEqual([...newestOf(arena, 16)].sort());
      }
    });
    await check(property, { runs: 150 });
  });

  it("has many keys in order that begin alike, end early or differ in zeros alone", async () => {
    const few = fc.uint8Array({ minLength: 0, maxLength: 12, max: 1 });
    const key = fc.tuple(fc.constantFrom("", "a long beginning ", "b"), few);
    const property = fc.property(
      fc.uniqueArray(key, { minLength: 40, maxLength: 300 }),
      (parts) => {
        const arena = newArena();
        const known = parts.map(([text, rest]) => Buffer.concat([bytes(text), rest]));
        addFrame(
          arena,
          known.map((key, index) => record(16, key, index + 1, undefined)),
        );
        const sorted = [...new Set(known.map(hex))].sort();
        expect(keysOf(arena, new ArenaScan(arena).keys(16, 2, arena.tail))).toEqual(sorted);
      },
    );
    await check(property, { runs: 60 });
  });

  it("has a key that was published again between its end and the look at the index", () => {
    const arena = newArena();
    addFrame(arena, [record(16, "a", 1, "x"), record(16, "b", 2, "x")]);
    const end = arena.tail;
    addFrame(arena, [record(16, "a", 3, "y")]);
    const scan = new ArenaScan(arena);
    expect(keysOf(arena, scan.keys(16, 2, end))).toEqual(["61", "62"]);
    expect(keysOf(arena, scan.keys(16, 2, arena.tail))).toEqual(["61", "62"]);
  });

  it("goes from table to table and back, by the index when there is much data", () => {
    const arena = newArena();
    const scan = new ArenaScan(arena);
    const keysOfTable = (table: number): number => scan.keys(table, 2, arena.tail).length;
    const value = "x".repeat(100);
    for (let count = 0; count < 1_000; count += 1) {
      addFrame(arena, [record(16 + (count % 2), `k${count % 400}`, count + 1, value)]);
    }
    expect(arena.tail).toBeGreaterThan(arena.walkedBytesMax);
    for (const table of [16, 17, 18, 16, 17]) expect(keysOfTable(table)).toBe(table < 18 ? 200 : 0);
    addFrame(arena, [record(17, "new", 2_000, "x"), record(18, "new", 2_001, "x")]);
    addFrame(arena, [record(17, "k1", 2_002, "x")]);
    for (const table of [18, 17, 16]) {
      const offsets = scan.keys(table, 2, arena.tail);
      expect([...offsets].sort()).toEqual([...newestOf(arena, table)].sort());
    }
  });

  it("ends its walk where memory that is used again has no frame", () => {
    const arena = newArena();
    addFrame(arena, [record(16, "b", 1, "x"), record(16, "a", 2, "x")]);
    const end = arena.tail + 4_096;
    expect(keysOf(arena, new ArenaScan(arena).keys(16, 2, end))).toEqual(["61", "62"]);
  });

  it("has a key once that was written a hundred times, by its newest record", () => {
    const arena = newArena();
    addFrame(arena, [record(16, "hotter", 1, "x"), record(16, "a", 2, "x")]);
    for (let count = 3; count < 103; count += 1) addFrame(arena, [record(16, "hot", count, "x")]);
    const offsets = new ArenaScan(arena).keys(16, 2, arena.tail);
    const versions = Array.from(offsets, (offset) => arena.records.version(offset));
    expect(versions).toEqual([2, 102, 1]);
  });

  it("starts over for another generation", () => {
    const arena = newArena();
    addFrame(arena, [record(16, "a", 1, "x"), record(17, "b", 2, "x")]);
    const scan = new ArenaScan(arena);
    expect(keysOf(arena, scan.keys(16, 2, arena.tail))).toEqual(["61"]);
    expect(keysOf(arena, scan.keys(17, 2, arena.tail))).toEqual(["62"]);
    arena.empty();
    addFrame(arena, [record(17, "c", 3, "x")]);
    expect(keysOf(arena, scan.keys(17, 4, arena.tail))).toEqual(["63"]);
  });
});
