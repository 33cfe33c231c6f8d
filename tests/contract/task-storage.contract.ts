// The storage contract as a suite: every sentence of store/storage.ts that can be false.
//
// What a suite cannot see is left to others: that a crash loses nothing durable (the model and the
// tests of log and replay), and readers on other threads (reader.thread.test.ts).

import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { PartitaError } from "../../base/errors.js";
import { hashKey } from "../../store/key-hash.js";
import type {
  KeyRange,
  StoredRow,
  StoredValue,
  TableId,
  TaskReader,
  TaskStorage,
} from "../../store/storage.js";
import { check } from "../support/property.js";
import { bytes, hex, hostileKeys, keyBytes, record, text } from "../support/storage-bytes.js";
import { commit, type StorageFixture } from "../support/storage-fixture.js";

type Readable = Pick<TaskReader, "get" | "page">;

/** A value as `version:text`. */
function valueAt(source: Readable, table: TableId, key: string): string | undefined {
  const keyBytes = bytes(key);
  return shown(source.get(table, keyBytes, hashKey(keyBytes)));
}

function shown(stored: StoredValue | undefined | "busy"): string | undefined {
  if (stored === "busy") throw new Error("busy without a change under way");
  return stored === undefined ? undefined : `${stored.version}:${text(stored.value)}`;
}

/** Rows as `key=version:text`. */
function rowsOf(
  source: Readable,
  table: TableId,
  range: KeyRange = {},
  limit = 1_000,
): readonly string[] {
  return pageOf(source, table, range, limit).map(
    (row) => `${text(row.key)}=${row.version}:${text(row.value)}`,
  );
}

function pageOf(
  source: Readable,
  table: TableId,
  range: KeyRange,
  limit: number,
): readonly StoredRow[] {
  const page = source.page(table, range, limit);
  if (page === "busy") throw new Error("busy without a change under way");
  return page;
}

/** Runs the suite over what `create` makes; it is called within each test. */
export function describeTaskStorage(name: string, create: () => StorageFixture): void {
  const start = async (): Promise<{ fixture: StorageFixture; storage: TaskStorage }> => {
    const fixture = create();
    onTestFinished(() => fixture.close());
    return { fixture, storage: await fixture.open() };
  };
  describe(`${name} — keys`, () => describeKeys(start));
  describe(`${name} — pages`, () => describePages(start));
  describe(`${name} — clears`, () => describeClears(start));
  describe(`${name} — steps of a commit`, () => describeSteps(start));
  describe(`${name} — opened again`, () => describeReopening(start));
  describe(`${name} — room`, () => describeRoom(start));
}

type Start = () => Promise<{ fixture: StorageFixture; storage: TaskStorage }>;

function describeKeys(start: Start): void {
  it("has no rows, versions or frames when it is new", async () => {
    const { fixture, storage } = await start();
    expect(storage.versionLast).toBe(0);
    expect(storage.batchLast).toBe(0);
    expect(valueAt(storage, 16, "a")).toBeUndefined();
    expect(rowsOf(storage, 16)).toEqual([]);
    expect(valueAt(fixture.reader(), 16, "a")).toBeUndefined();
  });

  it("returns the newest value and version of a key, to the owner and to readers", async () => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    for (const version of [1, 2, 5, 9]) {
      await commit(storage, [record(16, "a", version, `v${version}`)]);
      await fixture.settle();
      expect(valueAt(storage, 16, "a")).toBe(`${version}:v${version}`);
      expect(valueAt(reader, 16, "a")).toBe(`${version}:v${version}`);
    }
  });

  it("keeps tables apart", async () => {
    const { fixture, storage } = await start();
    await commit(
      storage,
      [1, 16, 17, 255].map((table) => record(table, "a", table, `t${table}`)),
    );
    await fixture.settle();
    for (const table of [1, 16, 17, 255]) {
      expect(valueAt(storage, table, "a")).toBe(`${table}:t${table}`);
      expect(rowsOf(storage, table)).toEqual([`a=${table}:t${table}`]);
    }
    expect(valueAt(storage, 18, "a")).toBeUndefined();
  });

  it("tells an empty value from no value", async () => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "empty", 1, "")]);
    await fixture.settle();
    expect(valueAt(storage, 16, "empty")).toBe("1:");
    expect(valueAt(fixture.reader(), 16, "empty")).toBe("1:");
    expect(rowsOf(storage, 16)).toEqual(["empty=1:"]);
  });

  it("removes a key, and gives it a higher version when it comes back", async () => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    await commit(storage, [record(16, "a", 1, "one"), record(16, "b", 2, "two")]);
    await fixture.settle();
    await commit(storage, [record(16, "a", 3, undefined)]);
    await fixture.settle();
    for (const source of [storage, reader]) {
      expect(valueAt(source, 16, "a")).toBeUndefined();
      expect(rowsOf(source, 16)).toEqual(["b=2:two"]);
    }
    await commit(storage, [record(16, "a", 4, "back", { fresh: true })]);
    await fixture.settle();
    for (const source of [storage, reader]) {
      expect(valueAt(source, 16, "a")).toBe("4:back");
      expect(rowsOf(source, 16)).toEqual(["a=4:back", "b=2:two"]);
    }
  });

  it("removes a key that was never there", async () => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 1, undefined, { fresh: true })]);
    await fixture.settle();
    expect(valueAt(storage, 16, "a")).toBeUndefined();
    expect(storage.versionLast).toBe(1);
  });

  it("forgets a row that was fresh and is removed, also when it is fresh once more", async () => {
    const { fixture, storage } = await start();
    for (let round = 0; round < 3; round += 1) {
      await commit(storage, [record(16, "a", round * 2 + 1, "x", { fresh: true })]);
      await fixture.settle();
      expect(valueAt(storage, 16, "a")).toBe(`${round * 2 + 1}:x`);
      await commit(storage, [record(16, "a", round * 2 + 2, undefined)]);
      await fixture.settle();
      expect(valueAt(storage, 16, "a")).toBeUndefined();
      expect(rowsOf(storage, 16)).toEqual([]);
    }
  });

  it("returns copies: neither later writes nor changes by the caller are seen in them", async () => {
    const { fixture, storage } = await start();
    const key = bytes("key");
    const written = bytes("value");
    await commit(storage, [record(16, key, 1, written)]);
    await fixture.settle();
    written.fill(0);
    for (const source of [storage, fixture.reader()]) {
      const first = source.get(16, key, hashKey(key));
      const row = pageOf(source, 16, {}, 1)[0];
      if (first === undefined || first === "busy" || row === undefined) throw new Error("no row");
      first.value.fill(0x78);
      row.value.fill(0x78);
      row.key.fill(0x78);
      expect(valueAt(source, 16, "key")).toBe("1:value");
      expect(rowsOf(source, 16)).toEqual(["key=1:value"]);
    }
    const kept = storage.get(16, key, hashKey(key));
    const keptPage = storage.page(16, {}, 1);
    await commit(storage, [record(16, "key", 2, "other")]);
    await fixture.settle();
    expect(shown(kept)).toBe("1:value");
    expect(keptPage.map((row) => text(row.key) + text(row.value))).toEqual(["keyvalue"]);
  });
}

function describePages(start: Start): void {
  it("lists hostile keys in byte order, forwards and backwards", async () => {
    const { fixture, storage } = await start();
    const half = hostileKeys.length / 2;
    const records = hostileKeys.map((key, index) => record(16, key, index + 1, key));
    await commit(storage, records.slice(0, half));
    await fixture.settle();
    await commit(storage, records.slice(half));
    const sorted = [...hostileKeys].sort(Buffer.compare).map(hex);
    for (const source of [storage, fixture.reader()]) {
      const up = pageOf(source, 16, {}, 1_000);
      expect(up.map((row) => hex(row.key))).toEqual(sorted);
      expect(up.map((row) => hex(row.value))).toEqual(sorted);
      const down = pageOf(source, 16, { reverse: true }, 1_000);
      expect(down.map((row) => hex(row.key))).toEqual([...sorted].reverse());
    }
  });

  it("includes `from` and excludes `to`, in both directions", async () => {
    const { fixture, storage } = await start();
    const keys = ["a", "b", "c", "d"];
    await commit(
      storage,
      keys.map((key, index) => record(16, key, index + 1, "")),
    );
    await fixture.settle();
    const names = (range: KeyRange, limit?: number): string =>
      rowsOf(storage, 16, range, limit)
        .map((row) => row[0])
        .join("");
    const [b, d] = [bytes("b"), bytes("d")];
    expect(names({ from: b, to: d })).toBe("bc");
    expect(names({ from: b, to: d, reverse: true })).toBe("cb");
    expect(names({ from: b })).toBe("bcd");
    expect(names({ to: b })).toBe("a");
    expect(names({ to: b, reverse: true })).toBe("a");
    expect(names({ from: b, to: b })).toBe("");
    expect(names({ from: d, to: b })).toBe("");
    expect(names({ from: d, to: b, reverse: true })).toBe("");
    expect(names({ from: bytes("bb"), to: bytes("cc") })).toBe("c");
    expect(names({}, 2)).toBe("ab");
    expect(names({ reverse: true }, 2)).toBe("dc");
    expect(names({}, 0)).toBe("");
  });

  it("walks a table page by page, whatever the size of a page", async () => {
    const { fixture, storage } = await start();
    const keys = Array.from({ length: 100 }, (_, index) => `k${String(index).padStart(3, "0")}`);
    for (const [index, key] of keys.entries()) {
      await commit(storage, [record(16, key, index * 2 + 1, "x")]);
      if (index % 30 === 0) await fixture.settle();
    }
    await commit(
      storage,
      keys.filter((_, index) => index % 3 === 0).map((key) => record(16, key, 1_000, undefined)),
    );
    const left = keys.filter((_, index) => index % 3 !== 0);
    for (const source of [storage, fixture.reader()]) {
      for (const size of [1, 2, 7, 66, 67]) {
        expect(walk(source, size, false)).toEqual(left);
        expect(walk(source, size, true)).toEqual([...left].reverse());
      }
    }
  });

  it("agrees with a sorted list over any layers, bounds, direction and limit", async () => {
    const { fixture, storage } = await start();
    let version = 0;
    const table = fc.integer({ min: 16, max: 17 });
    const range = fc.record(
      { from: keyBytes, to: keyBytes, reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    const model = new Map<string, Map<string, number>>();
    const property = fc.asyncProperty(
      fc.array(fc.tuple(table, keyBytes, fc.boolean()), { maxLength: 8 }),
      table,
      range,
      fc.nat(25),
      async (writes, asked, bounds: KeyRange, limit) => {
        for (const [into, key, removes] of writes) {
          version += 1;
          await commit(storage, [record(into, key, version, removes ? undefined : key)]);
          const rows = model.get(String(into)) ?? new Map<string, number>();
          model.set(String(into), rows);
          if (removes) rows.delete(hex(key));
          else rows.set(hex(key), version);
        }
        if (version % 5 === 0) await fixture.settle();
        const rows = model.get(String(asked)) ?? new Map<string, number>();
        const expected = [...rows]
          .filter(([key]) => bounds.from === undefined || key >= hex(bounds.from))
          .filter(([key]) => bounds.to === undefined || key < hex(bounds.to))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        if (bounds.reverse) expected.reverse();
        const page = pageOf(storage, asked, bounds, limit);
        expect(page.map((row) => [hex(row.key), row.version])).toEqual(expected.slice(0, limit));
      },
    );
    await check(property, { runs: 150 });
  });
}

/** All keys of table 16, asked for in pages of `size`. */
function walk(source: Readable, size: number, reverse: boolean): readonly string[] {
  const keys: string[] = [];
  let range: KeyRange = { reverse };
  for (;;) {
    const page = pageOf(source, 16, range, size);
    keys.push(...page.map((row) => text(row.key)));
    const last = page.at(-1);
    if (last === undefined) return keys;
    const successor = new Uint8Array(last.key.length + 1);
    successor.set(last.key);
    range = reverse ? { reverse, to: last.key } : { reverse, from: successor };
  }
}

function describeClears(start: Start): void {
  it("hides older records of the table and nothing else", async () => {
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
  });

  it("keeps what is cleared hidden when it is opened again", async () => {
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
  });

  it("takes part in its frame: it is hidden until the frame is published", async () => {
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
  });

  it("clears a table again and again", async () => {
    const { fixture, storage } = await start();
    for (let round = 1; round <= 6; round += 1) {
      await commit(storage, [record(16, "a", round * 10, `r${round}`, { fresh: true })]);
      await fixture.settle();
      expect(rowsOf(storage, 16)).toEqual([`a=${round * 10}:r${round}`]);
      await commit(storage, [], [[16, round * 10 + 1]]);
      await fixture.settle();
      expect(rowsOf(storage, 16)).toEqual([]);
    }
  });
}

function describeSteps(start: Start): void {
  it("shows nothing of a frame before it is published and all of it afterwards", async () => {
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
  });

  it("numbers frames densely and knows the highest version", async () => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 7, "x"), record(16, "b", 3, "y")]);
    expect([storage.batchLast, storage.versionLast]).toEqual([1, 7]);
    await fixture.settle();
    await commit(storage, [record(16, "a", 8, undefined)]);
    expect([storage.batchLast, storage.versionLast]).toEqual([2, 8]);
    await commit(storage, []);
    expect([storage.batchLast, storage.versionLast]).toEqual([3, 8]);
  });

  it("counts its frames", async () => {
    const { fixture, storage } = await start();
    for (let version = 1; version <= 5; version += 1) {
      await commit(storage, [record(16, "a", version, "value")]);
    }
    await fixture.settle();
    const stats = storage.stats();
    expect(stats.frames).toBe(5);
    expect(stats.frameBytes).toBeGreaterThan(5 * "value".length);
    expect(stats.arenaBytesUsed).toBeLessThanOrEqual(stats.arenaBytesMax);
  });

  it("changes nothing that is seen with a checkpoint, and counts it", async () => {
    const { storage, fixture } = await start();
    await commit(storage, [record(16, "a", 1, "one"), record(16, "gone", 2, "x")]);
    await commit(storage, [record(16, "gone", 3, undefined)]);
    const before = storage.stats().checkpoints;
    await storage.checkpoint();
    expect(storage.stats().checkpoints).toBe(before + 1);
    expect(rowsOf(storage, 16)).toEqual(["a=1:one"]);
    expect(rowsOf(fixture.reader(), 16)).toEqual(["a=1:one"]);
    expect([storage.batchLast, storage.versionLast]).toEqual([2, 3]);
  });

  it("serves pages and commits while a checkpoint is under way", async () => {
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
  });
}

function describeReopening(start: Start): void {
  it("has every row, removal, version and frame number again", async () => {
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
  });

  it("goes on where it was, however often it is opened", async () => {
    const { fixture } = await start();
    for (let round = 1; round <= 5; round += 1) {
      const storage = await fixture.reopen();
      expect([storage.batchLast, storage.versionLast]).toEqual([round - 1, round - 1]);
      await commit(storage, [record(16, `k${round}`, round, "x")]);
      if (round % 2 === 0) await fixture.settle();
      expect(rowsOf(storage, 16)).toHaveLength(round);
    }
  });

  it("knows the highest version of a removed key after checkpoint and reopening", async () => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 41, "x", { fresh: true })]);
    await commit(storage, [record(16, "a", 42, undefined)]);
    await storage.checkpoint();
    const again = await fixture.reopen();
    expect([again.batchLast, again.versionLast]).toEqual([2, 42]);
    expect(valueAt(again, 16, "a")).toBeUndefined();
  });

  it("closes twice, and answers nothing once it is closed", async () => {
    const { storage } = await start();
    await commit(storage, [record(16, "a", 1, "x")]);
    await storage.close();
    await storage.close();
    expect(() => valueAt(storage, 16, "a")).toThrow("closed");
    expect(() => storage.hasRoom([])).toThrow("closed");
    expect(() => storage.append([])).toThrow("closed");
  });
}

function describeRoom(start: Start): void {
  it("takes far more than its arenas hold, and loses none of it", async () => {
    const { fixture, storage } = await start();
    const { arenaBytesMax } = storage.stats();
    const value = new Uint8Array(Math.floor(arenaBytesMax / 10)).fill(0x61);
    for (let version = 1; version <= 60; version += 1) {
      await commit(storage, [record(16, `k${version % 25}`, version, value)]);
    }
    expect(storage.stats().checkpoints).toBeGreaterThan(3);
    const versions = (from: TaskStorage): readonly number[] =>
      from
        .page(16, {}, 100)
        .map((row) => row.version)
        .sort((a, b) => a - b);
    const expected = Array.from({ length: 25 }, (_, index) => 36 + index);
    expect(versions(storage)).toEqual(expected);
    const again = await fixture.reopen();
    expect(versions(again)).toEqual(expected);
    expect([again.batchLast, again.versionLast]).toEqual([60, 60]);
  });

  it("has none while both arenas are full, and some again when the checkpoint is done", async () => {
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
    expect(storage.page(16, {}, 1_000)).toHaveLength(version);
  });

  it("refuses a frame that could never fit, and is as it was", async () => {
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
  });
}
