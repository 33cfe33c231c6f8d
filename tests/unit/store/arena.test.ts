// Arena and arena scan — the index leads to the newest record, and a list misses no key.

import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, arenaStart } from "../../../store/arena.js";
import { ArenaScan } from "../../../store/arena-scan.js";
import { frameHeaderBytes, sealFrame } from "../../../store/frame.js";
import type { RecordWrite } from "../../../store/storage.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { check } from "../../support/property.js";
import { bytes, hex, keyBytes, record } from "../../support/storage-bytes.js";

function newArena(): Arena {
  return new Arena(createTaskMemory({ arenaBytes: 1024 * 1024 }).arenas[0]);
}

/** Writes a frame at the tail, and publishes it. */
function addFrame(arena: Arena, records: readonly RecordWrite[]): void {
  const start = arena.tail;
  const offsets: number[] = [];
  let at = start + frameHeaderBytes;
  for (const write of records) {
    offsets.push(at);
    at = arena.write(at, write);
  }
  const header = { byteLength: at - start, batch: 1, syncedThrough: 0, records: records.length };
  sealFrame(arena.records.bytes, start, header);
  for (const offset of offsets) arena.publish(offset);
  arena.tail = at;
}

function keysOf(arena: Arena, offsets: readonly number[]): readonly string[] {
  return offsets.map((offset) => hex(arena.records.key(offset)));
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
    const slots = new Int32Array(memory.index);
    const arena = new Arena(memory);
    // The last slot is taken; an owner on another thread takes the others, from the first on.
    const kept = slots.length - 1;
    slots[kept] = 64;
    const script = `
      const { workerData: { index, kept } } = require("node:worker_threads");
      const slots = new Int32Array(index);
      for (let at = 1; at < kept; at += 2) {
        for (let pause = 0; pause < 200; pause += 1) Atomics.load(slots, 0);
        Atomics.store(slots, at, 128);
      }
    `;
    const owner = new Worker(script, { eval: true, workerData: { index: memory.index, kept } });
    try {
      let looks = 0;
      for (let count = 1; count < kept / 2; looks += 1) {
        const offsets = arena.offsets();
        count = offsets.length;
        expect(offsets.at(-1)).toBe(64);
        if (count === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(looks).toBeGreaterThan(1);
    } finally {
      await owner.terminate();
    }
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
        expect(keysOf(arena, scan.keys(16, 2, arena.tail))).toEqual([...known].sort());
      }
    });
    await check(property, { runs: 150 });
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

  it("starts over for another table and for another generation", () => {
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
