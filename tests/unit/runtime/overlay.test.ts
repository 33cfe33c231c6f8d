// Bugs here would look like a version used twice, a change that survives its rollback, or a hot key
// whose cached row is not what the storage has.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitaError } from "../../../base/errors.js";
import { Overlay, type Row } from "../../../runtime/overlay.js";
import { string } from "../../../store/key.js";
import { hashKey } from "../../../store/key-hash.js";
import { MemoryStorage } from "../../../store/memory-storage.js";
import type { RecordWrite, TaskStorage } from "../../../store/storage.js";
import { decodeValue, encodedOnce, encodeValue } from "../../../store/value.js";
import { check } from "../../support/property.js";
import { bytes } from "../../support/storage-bytes.js";

const table = 16;
const own = { ownRowsMax: 8, ownBytesMax: 1_000_000 };
const bounds = { rowsMax: 1_000, bytesMax: 1_000_000, valueBytesMax: 100, ...own };

class Bench {
  readonly storage: TaskStorage;
  overlay: Overlay;
  readonly written: RecordWrite[] = [];

  constructor(storage: TaskStorage = MemoryStorage.create(), limitsOf = bounds) {
    this.storage = storage;
    this.overlay = new Overlay(storage, limitsOf);
  }

  row(key: string): Row {
    return this.overlay.row(table, string.encode(key));
  }

  set(key: string, value: unknown): void {
    this.overlay.setValue(this.row(key), value);
  }

  value(key: string): unknown {
    return this.overlay.decoded(this.row(key));
  }

  commit(): void {
    const { records, clears } = this.overlay.writes();
    if (records.length > 0 || clears.size > 0) {
      for (const [cleared, version] of clears) this.storage.clear(cleared, version);
      this.storage.append(records);
      this.storage.sync();
      this.storage.publish();
    }
    this.written.push(...records);
    this.overlay.committed();
  }

  stored(key: string): unknown {
    const encoded = string.encode(key);
    const row = this.storage.get(table, encoded, hashKey(encoded));
    return row === undefined ? undefined : decodeValue(row.value);
  }
}

describe("overlay — versions (O1)", () => {
  it("strictly rise with every change of a key, and go on above a deleted one's", () => {
    const bench = new Bench();
    const versions: number[] = [];
    for (const value of [1, undefined, { a: 1 }, undefined, "x"]) {
      if (value === undefined) bench.overlay.remove(bench.row("k"));
      else bench.set("k", value);
      versions.push(bench.row("k").version);
      bench.commit();
    }
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect(versions[0]).toBeGreaterThan(0);
  });

  it("go on above what a storage held, removals and clears included", () => {
    const bench = new Bench();
    bench.set("a", 1);
    bench.overlay.remove(bench.row("a"));
    bench.overlay.clear(table);
    bench.commit();
    const before = bench.storage.versionLast;
    const again = new Bench(bench.storage);
    again.set("a", 2);
    expect(again.row("a").version).toBeGreaterThan(before);
    expect(before).toBeGreaterThanOrEqual(3);
  });

  it("are not used again after a rollback", () => {
    const bench = new Bench();
    bench.overlay.savepoint();
    bench.set("a", 1);
    const { version } = bench.row("a");
    bench.overlay.rollback();
    bench.set("a", 2);
    expect(bench.row("a").version).toBeGreaterThan(version);
  });
});

describe("overlay — rollback (O2)", () => {
  it("leaves every row as it was at the savepoint, whatever happened since", async () => {
    const keys = ["a", "b", "c"];
    const change = fc.tuple(
      fc.constantFrom(...keys),
      fc.oneof(fc.constant(undefined), fc.integer(), fc.array(fc.integer(), { maxLength: 3 })),
    );
    const apply = (bench: Bench, [key, value]: readonly [string, unknown]): void => {
      if (value === undefined) bench.overlay.remove(bench.row(key));
      else bench.set(key, value);
    };
    const property = fc.property(
      fc.array(change),
      fc.array(change),
      fc.array(change),
      (committed, kept, undone) => {
        const bench = new Bench();
        for (const each of committed) apply(bench, each);
        bench.commit();
        for (const each of kept) apply(bench, each);
        const state = () => keys.map((key) => [bench.value(key), bench.row(key).present]);
        const versions = () => keys.map((key) => bench.row(key).version);
        const before = [state(), versions(), bench.overlay.changed];
        bench.overlay.savepoint();
        for (const each of undone) apply(bench, each);
        bench.overlay.rollback();
        expect([state(), versions(), bench.overlay.changed]).toEqual(before);
        bench.commit();
        for (const key of keys) expect(bench.stored(key)).toEqual(bench.value(key));
      },
    );
    await check(property, { runs: 200 });
  });

  it("brings back a stored row that was overwritten without a look at it", () => {
    for (const isClearedBefore of [false, true]) {
      const bench = new Bench();
      bench.set("a", "stored");
      bench.commit();
      // Nothing is in the cache.
      bench.overlay = new Overlay(bench.storage, bounds);
      if (isClearedBefore) bench.overlay.clear(table);
      bench.overlay.savepoint();
      const key = string.encode("a");
      bench.overlay.overwrite(table, key, encodeValue("another"), false);
      bench.overlay.overwrite(table, key, encodeValue("a third"), false);
      bench.overlay.rollback();
      expect(bench.value("a")).toBe(isClearedBefore ? undefined : "stored");
      bench.set("a", "in the end");
      bench.commit();
      expect(bench.stored("a")).toBe("in the end");
    }
  });

  it("gives user code a value decoded anew, since it may have changed the old one in place", () => {
    const bench = new Bench();
    bench.set("a", { list: [1] });
    bench.overlay.savepoint();
    const value = bench.value("a");
    // cast: set above
    (value as { list: number[] }).list.push(2);
    bench.set("a", value);
    bench.overlay.rollback();
    expect(bench.value("a")).toEqual({ list: [1] });
  });

  it("does not nest, and does not work without a savepoint", () => {
    const { overlay } = new Bench();
    expect(() => overlay.rollback()).toThrow("without a savepoint");
    overlay.savepoint();
    expect(() => overlay.savepoint()).toThrow("do not nest");
    expect(() => overlay.clear(table)).toThrow("cannot be rolled back");
  });
});

/** A storage, and how often it was asked for a row. */
function counted(): { readonly storage: TaskStorage; looks(): number } {
  const inMemory = MemoryStorage.create();
  let lookups = 0;
  const storage: TaskStorage = Object.create(inMemory, {
    get: {
      value: (...args: Parameters<TaskStorage["get"]>) => {
        lookups += 1;
        return inMemory.get(...args);
      },
    },
    versionLast: { get: () => inMemory.versionLast },
    append: { value: (writes: readonly RecordWrite[]) => inMemory.append(writes) },
    sync: { value: () => inMemory.sync() },
    publish: { value: () => inMemory.publish() },
  });
  return { storage, looks: () => lookups };
}

describe("overlay — cache (O3)", () => {
  it("holds about what it is allowed to, never drops a dirty row, and reads the rest again", () => {
    const { storage, looks } = counted();
    const bench = new Bench(storage, { ...bounds, rowsMax: 8 });
    for (let index = 0; index < 50; index += 1) bench.set(`k${index}`, index);
    expect(bench.overlay.writes().records).toHaveLength(50);
    bench.commit();
    expect(bench.overlay.changed).toBe(false);
    bench.set("other", 1);
    bench.commit();
    for (let index = 0; index < 20; index += 1) {
      bench.row(`x${index}`);
      bench.commit();
    }
    const before = looks();
    for (let index = 0; index < 50; index += 1) expect(bench.value(`k${index}`)).toBe(index);
    const after = looks();
    expect(after - before).toBeGreaterThan(50 - 8);
    for (let index = 0; index < 50; index += 1) bench.value(`k${index}`);
    expect(looks()).toBe(after);
  });

  it("keeps a store's row beyond its batch once its key was asked for again", () => {
    const { storage, looks } = counted();
    const bench = new Bench(storage);
    const found: number[] = [];
    for (let batch = 0; batch < 4; batch += 1) {
      bench.set("a", batch);
      bench.value("a");
      bench.commit();
      found.push(looks());
    }
    expect(found).toEqual([1, 2, 2, 2]);
  });

  it("writes the newest value of a row once a frame, with the version of its last change", () => {
    const bench = new Bench();
    for (const value of [1, 2, 3]) bench.set("a", value);
    const { records } = bench.overlay.writes();
    expect(records).toHaveLength(1);
    expect(records[0]?.version).toBe(bench.row("a").version);
    expect(decodeValue(encodedOnce(records[0]?.value ?? new Uint8Array()))).toBe(3);
  });
});

describe("overlay — clear (O4)", () => {
  it("hides what the table had and nothing that comes later, in this batch or after", async () => {
    const keys = ["a", "b", "c", "d"];
    const step = fc.oneof(
      fc.constant("clear" as const),
      fc.constant("commit" as const),
      fc.constant("reopen" as const),
      fc.tuple(fc.constantFrom(...keys), fc.option(fc.integer(), { nil: undefined })),
    );
    const property = fc.property(fc.array(step), (steps) => {
      const bench = new Bench();
      const model = new Map<string, number>();
      for (const each of steps) {
        if (each === "commit") bench.commit();
        else if (each === "reopen") {
          bench.commit();
          bench.overlay = new Overlay(bench.storage, bounds);
        } else if (each === "clear") {
          bench.overlay.clear(table);
          model.clear();
        } else if (each[1] === undefined) {
          bench.overlay.remove(bench.row(each[0]));
          model.delete(each[0]);
        } else {
          bench.set(each[0], each[1]);
          model.set(each[0], each[1]);
        }
        for (const key of keys) expect(bench.value(key)).toBe(model.get(key));
      }
      bench.commit();
      for (const key of keys) expect(bench.stored(key)).toBe(model.get(key));
    });
    await check(property, { runs: 300 });
  });

  it("hides rows that were not in the cache, until the clear is committed and after", () => {
    const bench = new Bench();
    bench.set("a", 1);
    bench.set("b", 2);
    bench.commit();
    bench.overlay = new Overlay(bench.storage, bounds);
    bench.overlay.clear(table);
    expect([bench.value("a"), bench.row("a").present]).toEqual([undefined, false]);
    bench.set("a", 3);
    bench.commit();
    expect([bench.stored("a"), bench.stored("b")]).toEqual([3, undefined]);
  });

  it("calls no row fresh that a layer below still has", () => {
    const bench = new Bench();
    bench.set("a", 1);
    expect(bench.overlay.writes().records[0]?.fresh).toBe(true);
    bench.commit();
    bench.overlay.clear(table);
    bench.set("a", 2);
    expect(bench.overlay.writes().records[0]?.fresh).toBe(false);
    bench.commit();
    bench.overlay = new Overlay(bench.storage, bounds);
    bench.overlay.clear(table);
    bench.set("a", 3);
    expect(bench.overlay.writes().records[0]?.fresh).toBe(false);
  });

  it("leaves other tables alone", () => {
    const bench = new Bench();
    bench.set("a", 1);
    bench.overlay.clear(table + 1);
    expect(bench.value("a")).toBe(1);
  });
});

describe("overlay — what a frame cannot carry", () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ["a function", () => 1, "VALUE_UNSUPPORTED"],
    ["a symbol", Symbol("s"), "VALUE_UNSUPPORTED"],
    ["a lone surrogate", "\ud800", "VALUE_UNSUPPORTED"],
    ["a text that is too long", "x".repeat(200), "VALUE_TOO_LARGE"],
    ["an object that is too large", { text: "x".repeat(200) }, "VALUE_TOO_LARGE"],
  ];

  for (const [what, value, code] of refused) {
    it(`refuses ${what} at once, with the row unchanged`, () => {
      const bench = new Bench();
      bench.set("a", 1);
      const { version } = bench.row("a");
      expect(() => bench.set("a", value)).toThrow(expect.objectContaining({ code }));
      expect([bench.value("a"), bench.row("a").version]).toEqual([1, version]);
      bench.commit();
      expect(bench.stored("a")).toBe(1);
    });
  }

  it("refuses encoded bytes above the limit, with the row unchanged", () => {
    const bench = new Bench();
    const large = encodeValue("x".repeat(200));
    let error: unknown;
    try {
      bench.overlay.setBytes(bench.row("a"), large);
    } catch (thrown) {
      error = thrown;
    }
    expect(PartitaError.is(error, "VALUE_TOO_LARGE")).toBe(true);
    expect(bench.overlay.changed).toBe(false);
  });
});

describe("overlay — the runtime's own tables", () => {
  it("takes no place of a store's rows in memory, and few of its own", () => {
    const bench = new Bench();
    const ownRow = (no: number): Row => bench.overlay.row(9, Uint8Array.of(no));
    bench.set("a", 1);
    bench.commit();
    const [store, first] = [bench.row("a"), ownRow(0)];
    for (let no = 0; no < 100; no += 1) {
      bench.overlay.setBytes(ownRow(no), bytes("x"));
      bench.commit();
    }
    expect(bench.row("a")).toBe(store);
    expect(ownRow(99)).toBe(ownRow(99));
    const again = ownRow(0);
    expect(again).not.toBe(first);
    expect(bench.overlay.encoded(again)).toEqual(bytes("x"));
  });

  it("is bounded in bytes too", () => {
    const limited = { ...bounds, ownRowsMax: 1_000, ownBytesMax: 2_000 };
    const bench = new Bench(MemoryStorage.create(), { ...limited, valueBytesMax: 500 });
    const ownRow = (no: number): Row => bench.overlay.row(9, Uint8Array.of(no));
    const first = ownRow(0);
    for (let no = 0; no < 20; no += 1) {
      bench.overlay.setBytes(ownRow(no), new Uint8Array(400));
      bench.commit();
    }
    expect(ownRow(0)).not.toBe(first);
  });
});
