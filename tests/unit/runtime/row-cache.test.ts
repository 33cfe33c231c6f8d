// Bugs here would look like one key's row given for another, a row in two places, or a cache that
// grows without end.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CachedRow, RowCache } from "../../../runtime/row-cache.js";
import { check } from "../../support/property.js";
import { bytes } from "../../support/storage-bytes.js";

interface TestRow extends CachedRow<TestRow> {
  readonly name: string;
  readonly bytes: number;
}

const bytesOf = (row: TestRow): number => row.bytes;

/** Keys of one table; hashes are chosen, so that some keys share one. */
function row(name: string, keyHash: number, table = 16, size = 10): TestRow {
  return { table, key: bytes(name), keyHash, name, bytes: size, next: undefined };
}

describe("row cache — finding (R1)", () => {
  it("tells keys apart that share a hash, and tables", () => {
    const cache = new RowCache<TestRow>(100, 10_000, bytesOf);
    for (const name of ["a", "b", "c"]) cache.keep(row(name, 0xffff_fff0));
    cache.keep(row("a", 0xffff_fff0, 17));
    expect(cache.find(16, bytes("b"), 0xffff_fff0)?.name).toBe("b");
    expect(cache.find(16, bytes("d"), 0xffff_fff0)).toBeUndefined();
    expect(cache.find(17, bytes("b"), 0xffff_fff0)).toBeUndefined();
    expect(cache.find(17, bytes("a"), 0xffff_fff0)?.table).toBe(17);
  });

  it("has each row once, whatever is found, dropped, grows old and comes back", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("use" as const), name: fc.constantFrom(..."abcdefgh") }),
      fc.record({ kind: fc.constant("drop" as const), name: fc.constantFrom(..."abcdefgh") }),
      fc.record({ kind: fc.constant("forget" as const), name: fc.constant("") }),
    );
    const kept = fc.constantFrom("all" as const, "asked again" as const);
    const property = fc.property(fc.array(step, { maxLength: 60 }), kept, (steps, keeps) => {
      const cache = new RowCache<TestRow>(4, 10_000, bytesOf, keeps);
      for (const { kind, name } of steps) {
        if (kind === "forget") {
          cache.forgetOld();
          continue;
        }
        // Enough of them that a cache forgets which were asked for, and some shared.
        const keyHash = name.charCodeAt(0) % 6;
        if (kind === "drop") {
          const before = Array.from(cache.rowsOf(16), (kept) => kept.name);
          const dropped = [...cache.rowsOf(16)].find((kept) => kept.name === name);
          cache.drop(dropped ?? row(name, keyHash));
          const after = Array.from(cache.rowsOf(16), (kept) => kept.name);
          expect(after).toEqual(before.filter((other) => other !== name));
          continue;
        }
        const found = cache.find(16, bytes(name), keyHash) ?? cache.keep(row(name, keyHash));
        expect(found.name).toBe(name);
        const names = Array.from(cache.rowsOf(16), (kept) => kept.name);
        expect(new Set(names).size).toBe(names.length);
        expect(names).toContain(name);
      }
    });
    await check(property, { runs: 300 });
  });
});

describe("row cache — forgetting (R2, R3)", () => {
  it("forgets nothing by itself, and what was not asked for when told to", () => {
    const cache = new RowCache<TestRow>(4, 10_000, bytesOf);
    for (let index = 0; index < 10; index += 1) cache.keep(row(`k${index}`, index));
    expect([...cache.rowsOf(16)]).toHaveLength(10);
    cache.forgetOld();
    expect(cache.find(16, bytes("k3"), 3)?.name).toBe("k3");
    for (let index = 10; index < 13; index += 1) cache.keep(row(`k${index}`, index));
    cache.forgetOld();
    const names = Array.from(cache.rowsOf(16), (kept) => kept.name);
    expect(names.sort()).toEqual(["k10", "k11", "k12", "k3"]);
  });

  it("counts bytes as well as rows", () => {
    const cache = new RowCache<TestRow>(1_000, 100, bytesOf);
    cache.keep(row("a", 1));
    cache.grew(60);
    cache.forgetOld();
    cache.keep(row("b", 2, 16, 60));
    cache.forgetOld();
    expect(Array.from(cache.rowsOf(16), (kept) => kept.name)).toEqual(["b"]);
  });
});

describe("row cache — its bound of bytes (R3)", () => {
  const bytesMax = 1_000;
  const kept = (cache: RowCache<TestRow>): number => {
    return Array.from(cache.rowsOf(16), bytesOf).reduce((sum, size) => sum + size, 0);
  };

  it("holds where every row is found again, beside one that is new in each batch", () => {
    const cache = new RowCache<TestRow>(1_000, bytesMax, bytesOf);
    for (let batch = 0; batch < 100; batch += 1) {
      for (let key = 0; key <= batch; key += 1) {
        const name = `k${key}`;
        if (key === batch) cache.keep(row(name, key, 16, 100));
        else cache.find(16, bytes(name), key);
      }
      cache.forgetOld();
      expect(kept(cache)).toBeLessThanOrEqual(bytesMax);
    }
  });

  it("holds where one batch has asked for much more, and where rows have grown", () => {
    const cache = new RowCache<TestRow>(1_000, bytesMax, bytesOf);
    for (let key = 0; key < 50; key += 1) cache.keep(row(`k${key}`, key, 16, 100));
    cache.forgetOld();
    expect(kept(cache)).toBe(0);
    cache.keep(row("grown", 1));
    cache.grew(bytesMax);
    cache.forgetOld();
    expect(kept(cache)).toBe(0);
  });
});

describe("row cache — what is asked for again (R4)", () => {
  const names = (cache: RowCache<TestRow>) => Array.from(cache.rowsOf(16), ({ name }) => name);

  it("keeps a row beyond its batch when its key was asked for before", () => {
    const cache = new RowCache<TestRow>(100, 10_000, bytesOf, "asked again");
    const first = cache.keep(row("a", 1));
    cache.keep(row("a", 1, 17));
    cache.keep(row("b", 2));
    expect(cache.find(16, bytes("a"), 1)).toBe(first);
    expect(cache.find(17, bytes("b"), 2)).toBeUndefined();
    cache.forgetOld();
    expect(names(cache)).toEqual([]);
    const second = cache.keep(row("a", 1));
    cache.keep(row("c", 3));
    cache.forgetOld();
    expect(names(cache)).toEqual(["a"]);
    expect(cache.find(16, bytes("a"), 1)).toBe(second);
  });

  it("forgets which keys were asked for when they have become many", () => {
    const cache = new RowCache<TestRow>(32, 10_000, bytesOf, "asked again");
    for (let key = 0; key < 33; key += 1) cache.keep(row(`k${key}`, key));
    cache.forgetOld();
    const known = names(cache);
    for (const key of [0, 1, 2, 32]) cache.keep(row(`k${key}`, key));
    cache.forgetOld();
    expect(names(cache)).toEqual([...known, "k32"]);
  });

  it("finds both of two passing rows whose keys share a hash", () => {
    const cache = new RowCache<TestRow>(4, 10_000, bytesOf, "asked again");
    // The second of one hash is passing because the first has been forgotten as asked for.
    for (const hash of [1, 2, 3, 4, 5, 1]) {
      cache.keep(row(`k${names(cache).length}`, hash));
    }
    expect(cache.find(16, bytes("k0"), 1)?.name).toBe("k0");
    expect(cache.find(16, bytes("k5"), 1)?.name).toBe("k5");
    cache.forgetOld();
    expect(names(cache)).toEqual([]);
  });
});

describe("row cache — keys that share a hash", () => {
  const names = (cache: RowCache<TestRow>) => Array.from(cache.rowsOf(16), ({ name }) => name);

  /** Three rows of one hash, the youngest first in their chain. */
  function chain(): { cache: RowCache<TestRow>; rows: ReadonlyMap<string, TestRow> } {
    const cache = new RowCache<TestRow>(4, 10_000, bytesOf);
    const rows = new Map(["a", "b", "c"].map((name) => [name, cache.keep(row(name, 7))]));
    return { cache, rows };
  }

  it.each(["a", "b", "c"])("makes %s young again wherever it stands among the old", (name) => {
    const { cache, rows } = chain();
    cache.forgetOld();
    expect(cache.find(16, bytes(name), 7)).toBe(rows.get(name));
    expect(names(cache).sort()).toEqual(["a", "b", "c"]);
    for (const other of ["d", "e"]) cache.keep(row(other, 8));
    cache.forgetOld();
    expect(names(cache).sort()).toEqual([name, "d", "e"]);
  });

  it.each(["a", "b", "c"])("drops %s alone, be it young or old", (name) => {
    for (const isOld of [false, true]) {
      const { cache, rows } = chain();
      if (isOld) cache.forgetOld();
      const dropped = rows.get(name);
      if (dropped !== undefined) cache.drop(dropped);
      expect(names(cache).sort()).toEqual(["a", "b", "c"].filter((other) => other !== name));
    }
  });

  it("drops nothing in the place of a row that it does not keep, or keeps no more", () => {
    const { cache } = chain();
    cache.drop(row("a", 7));
    expect(names(cache).sort()).toEqual(["a", "b", "c"]);
  });

  it("tells a key from one that it begins with", () => {
    const { cache, rows } = chain();
    expect(cache.find(16, bytes("ab"), 7)).toBeUndefined();
    expect(cache.find(16, bytes("ab"), 7, 0, 1)).toBe(rows.get("a"));
    expect(cache.find(16, bytes("ab"), 7, 1, 2)).toBe(rows.get("b"));
  });
});
