// The part of the storage contract that is about rows: single keys and pages.

import fc from "fast-check";
import { expect } from "vitest";
import { limits } from "../../base/limits.js";
import { hashKey } from "../../store/key-hash.js";
import type { KeyRange } from "../../store/storage.js";
import { encodeValue } from "../../store/value.js";
import { check } from "../support/property.js";
import { bytes, hex, hostileKeys, keyBytes, record, text } from "../support/storage-bytes.js";
import type { Cases } from "../support/storage-fixture.js";
import { commit } from "../support/storage-fixture.js";
import {
  allRows,
  pageOf,
  type Readable,
  rowsOf,
  shown,
  valueAt,
} from "../support/storage-shown.js";

/** Single keys: newest value, versions, removals, copies. */
export const keyCases: Cases = {
  "has no rows, versions or frames when it is new": async (start) => {
    const { fixture, storage } = await start();
    expect(storage.versionLast).toBe(0);
    expect(storage.batchLast).toBe(0);
    expect(valueAt(storage, 16, "a")).toBeUndefined();
    expect(rowsOf(storage, 16)).toEqual([]);
    expect(valueAt(fixture.reader(), 16, "a")).toBeUndefined();
  },

  "returns the newest value and version of a key, to the owner and to readers": async (start) => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    for (const version of [1, 2, 5, 9]) {
      await commit(storage, [record(16, "a", version, `v${version}`)]);
      await fixture.settle();
      expect(valueAt(storage, 16, "a")).toBe(`${version}:v${version}`);
      expect(valueAt(reader, 16, "a")).toBe(`${version}:v${version}`);
    }
  },

  "has the bytes of a number that was written as one, as far as they can differ": async (start) => {
    const { fixture, storage } = await start();
    const reader = fixture.reader();
    const edges = [0, 0x17, 0x18, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000];
    const numbers = [...edges, ...edges.map((edge) => -1 - edge), 0.5, -1e300, NaN, -Infinity];
    const writes = numbers.map((value, index) => {
      return { ...record(16, `k${index}`, index + 1, undefined), value };
    });
    await commit(storage, writes);
    await fixture.settle();
    for (const [index, number] of numbers.entries()) {
      const key = bytes(`k${index}`);
      for (const readable of [storage, reader]) {
        const found = readable.get(16, key, hashKey(key));
        if (found === undefined || found === "busy") expect.fail(`${number} was ${String(found)}`);
        expect(hex(found.value)).toBe(hex(encodeValue(number)));
      }
    }
  },

  "keeps tables apart": async (start) => {
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
  },

  "gives fewer rows where values are large, and an empty page only at the end": async (start) => {
    const { fixture, storage } = await start();
    const large = new Uint8Array(Math.floor(storage.stats().arenaBytesMax / 5));
    const rows = Math.ceil(limits.pageBytesMax / large.length) + 2;
    for (let version = 1; version <= rows; version += 1) {
      await commit(storage, [record(16, `a${version + 10}`, version, large)]);
    }
    await fixture.settle();
    for (const source of [storage, fixture.reader()]) {
      const first = pageOf(source, 16, {}, 100);
      expect(first.length).toBeGreaterThan(0);
      expect(first.length).toBeLessThan(rows);
      expect(allRows(source, 16)).toHaveLength(rows);
      expect(pageOf(source, 16, { from: bytes("b") }, 100)).toEqual([]);
    }
  },

  "tells an empty value from no value": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "empty", 1, "")]);
    await fixture.settle();
    expect(valueAt(storage, 16, "empty")).toBe("1:");
    expect(valueAt(fixture.reader(), 16, "empty")).toBe("1:");
    expect(rowsOf(storage, 16)).toEqual(["empty=1:"]);
  },

  "removes a key, and gives it a higher version when it comes back": async (start) => {
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
  },

  "removes a key that was never there": async (start) => {
    const { fixture, storage } = await start();
    await commit(storage, [record(16, "a", 1, undefined, { fresh: true })]);
    await fixture.settle();
    expect(valueAt(storage, 16, "a")).toBeUndefined();
    expect(storage.versionLast).toBe(1);
  },

  "forgets a row that was fresh and is removed, also when it is fresh once more": async (start) => {
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
  },

  "returns copies: neither later writes nor changes by the caller are seen in them": async (
    start,
  ) => {
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
  },
};

/** Pages: order, bounds, direction, limit. */
export const pageCases: Cases = {
  "lists hostile keys in byte order, forwards and backwards": async (start) => {
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
  },

  "includes `from` and excludes `to`, in both directions": async (start) => {
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
  },

  "walks a table page by page, whatever the size of a page": async (start) => {
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
  },

  "agrees with a sorted list over any layers, bounds, direction and limit": async (start) => {
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
  },
};

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
