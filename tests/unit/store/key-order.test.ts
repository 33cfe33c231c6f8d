// Key order — offsets of records in the order of tables and keys, whatever the keys are like.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, arenaStart } from "../../../store/arena.js";
import { inKeyOrder } from "../../../store/key-order.js";
import { createTaskMemory } from "../../../store/task-memory.js";
import { check } from "../../support/property.js";
import { bytes, hex, hostileKeys, record } from "../../support/storage-bytes.js";

/** Writes a record for each, and shows tables and keys in the order that was found. */
function ordered(rows: readonly (readonly [table: number, key: Uint8Array])[]): readonly string[] {
  const arena = new Arena(createTaskMemory({ arenaBytes: 4 * 1024 * 1024 }).arenas[0]);
  const offsets: number[] = [];
  let at = arenaStart;
  for (const [table, key] of rows) {
    offsets.push(at);
    at = arena.write(at, record(table, key, 1, "x"));
  }
  const { records } = arena;
  return Array.from(inKeyOrder(records, Int32Array.from(offsets)), (offset) =>
    shown(records.table(offset), records.key(offset)),
  );
}

/** Sorts as text like table and key. */
function shown(table: number, key: Uint8Array): string {
  return `${table.toString().padStart(5, "0")} ${hex(key)}`;
}

describe("key order", () => {
  it("sorts by table, then by the bytes of the key", async () => {
    const table = fc.constantFrom(1, 15, 16, 255, 256, 65_535);
    const few = fc.uint8Array({ maxLength: 10, max: 1 });
    const key = fc.oneof(
      fc.constantFrom(...hostileKeys),
      fc.tuple(fc.constantFrom("", "a long beginning ", "key-1"), few).map(([text, rest]) => {
        return new Uint8Array(Buffer.concat([bytes(text), rest]));
      }),
    );
    const rows = fc.array(fc.tuple(table, key), { maxLength: 200 });
    const property = fc.property(rows, (chosen) => {
      expect(ordered(chosen)).toEqual(chosen.map(([at, one]) => shown(at, one)).sort());
    });
    await check(property, { runs: 100 });
  });

  it("sorts many keys that share their first bytes by hundreds", () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => {
      return [16, bytes(`key-${(index * 7_919) % 20_011}`)] as const;
    });
    const found = ordered(rows);
    expect(found).toEqual([...found].sort());
    expect(new Set(found).size).toBe(20_000);
  });
});
