// What a storage or a reader shows, as short texts that tests compare.

import { hashKey } from "../../store/key-hash.js";
import type { KeyRange, StoredRow, StoredValue, TableId, TaskReader } from "../../store/storage.js";
import { bytes, text } from "./storage-bytes.js";

/** An owner or a reader. */
export type Readable = Pick<TaskReader, "get" | "page">;

/** A value as `version:text`. */
export function valueAt(source: Readable, table: TableId, key: string): string | undefined {
  const keyBytes = bytes(key);
  return shown(source.get(table, keyBytes, hashKey(keyBytes)));
}

/** A value as `version:text`. */
export function shown(stored: StoredValue | undefined | "busy"): string | undefined {
  if (stored === "busy") throw new Error("busy without a change under way");
  return stored === undefined ? undefined : `${stored.version}:${text(stored.value)}`;
}

/** Rows as `key=version:text`. */
export function rowsOf(
  source: Readable,
  table: TableId,
  range: KeyRange = {},
  limit = 1_000,
): readonly string[] {
  return pageOf(source, table, range, limit).map(
    (row) => `${text(row.key)}=${row.version}:${text(row.value)}`,
  );
}

/** Every row of a table, page by page: pages of large values are short. */
export function allRows(source: Pick<Readable, "page">, table: TableId): readonly StoredRow[] {
  const rows: StoredRow[] = [];
  for (let range: KeyRange = {}; ; ) {
    const page = pageOf(source, table, range, 1_000);
    const last = page.at(-1);
    if (last === undefined) return rows;
    rows.push(...page);
    const from = new Uint8Array(last.key.length + 1);
    from.set(last.key);
    range = { from };
  }
}

/** A page of something that cannot be busy. */
export function pageOf(
  source: Pick<Readable, "page">,
  table: TableId,
  range: KeyRange,
  limit: number,
): readonly StoredRow[] {
  const page = source.page(table, range, limit);
  if (page === "busy") throw new Error("busy without a change under way");
  return page;
}
