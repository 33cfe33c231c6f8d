// Memory image — one state of a MemoryStorage: rows by table and key, and what is cleared.
//
// Rows that are removed or cleared stay until `purge`, as they do in arenas and environments. Rows
// are
// never changed, so images share them; keys are kept as latin-1 texts, whose order is that of
// their bytes.

import { limits } from "../base/limits.js";
import type { KeyRange, RecordWrite, StoredRow, StoredValue, TableId } from "./storage.js";
import { encodedOnce } from "./value.js";

/** A frame as a MemoryStorage logs it. */
export interface MemoryFrame {
  readonly batch: number;
  readonly clears: readonly (readonly [TableId, number])[];
  readonly records: readonly RecordWrite[];
  readonly byteLength: number;
}

interface Row {
  readonly version: number;
  readonly value: Uint8Array | undefined;
}

interface Table {
  readonly rows: Map<string, Row>;
  /** Keys of `rows` in order; `undefined` when one was added or dropped since. */
  sorted: readonly string[] | undefined;
}

/** An image without rows. */
export function emptyImage(): Image {
  return new Image(new Map(), new Map(), 0, 0);
}

/** One state of a storage. */
export class Image {
  readonly #tables: Map<TableId, Table>;
  readonly #cleared: Map<TableId, number>;
  #versionLast: number;
  #batchLast: number;

  constructor(
    tables: Map<TableId, Table>,
    cleared: Map<TableId, number>,
    versionLast: number,
    batchLast: number,
  ) {
    this.#tables = tables;
    this.#cleared = cleared;
    this.#versionLast = versionLast;
    this.#batchLast = batchLast;
  }

  /** Highest version of what was applied, clears and removals included. */
  get versionLast(): number {
    return this.#versionLast;
  }

  get batchLast(): number {
    return this.#batchLast;
  }

  get(table: TableId, key: Uint8Array): StoredValue | undefined {
    const row = this.#tables.get(table)?.rows.get(nameOf(key));
    if (row?.value === undefined || this.#isCleared(table, row)) return undefined;
    return { version: row.version, value: new Uint8Array(row.value) };
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] {
    const found = this.#tables.get(table);
    if (found === undefined) return [];
    found.sorted ??= [...found.rows.keys()].sort();
    const names = found.sorted;
    const first = range.from === undefined ? 0 : lowerBound(names, nameOf(range.from));
    const end = range.to === undefined ? names.length : lowerBound(names, nameOf(range.to));
    const rows: StoredRow[] = [];
    let bytes = 0;
    for (let count = 0; count < end - first; count += 1) {
      if (rows.length >= limit || bytes >= limits.pageBytesMax) break;
      const name = names[range.reverse === true ? end - 1 - count : first + count] ?? "";
      const kept = found.rows.get(name);
      if (kept?.value === undefined || this.#isCleared(table, kept)) continue;
      const { version, value } = kept;
      const row = { key: bytesOf(name), version, value: new Uint8Array(value) };
      rows.push(row);
      bytes += row.key.length + value.length;
    }
    return rows;
  }

  /** Adds a frame; of a key's records the newest is the last that is applied. */
  apply({ batch, clears, records }: MemoryFrame): void {
    for (const { table, key, version, value } of records) {
      const bytes = value === undefined ? undefined : encodedOnce(value);
      this.#put(table, nameOf(key), { version, value: bytes });
      this.#versionLast = Math.max(this.#versionLast, version);
    }
    for (const [table, version] of clears) {
      this.#cleared.set(table, Math.max(version, this.#cleared.get(table) ?? 0));
      this.#versionLast = Math.max(this.#versionLast, version);
    }
    this.#batchLast = batch;
  }

  /** Drops the rows that are removed or cleared. */
  purge(): void {
    for (const [table, { rows }] of this.#tables) {
      for (const [name, row] of rows) {
        if (row.value === undefined || this.#isCleared(table, row)) this.#drop(table, name);
      }
    }
  }

  /** An image that changes on its own from here. */
  copy(): Image {
    const tables = new Map<TableId, Table>();
    for (const [table, { rows, sorted }] of this.#tables) {
      tables.set(table, { rows: new Map(rows), sorted });
    }
    return new Image(tables, new Map(this.#cleared), this.#versionLast, this.#batchLast);
  }

  #isCleared(table: TableId, row: Row): boolean {
    return row.version <= (this.#cleared.get(table) ?? 0);
  }

  #put(table: TableId, name: string, row: Row): void {
    let found = this.#tables.get(table);
    if (found === undefined) {
      found = { rows: new Map(), sorted: undefined };
      this.#tables.set(table, found);
    }
    if (!found.rows.has(name)) found.sorted = undefined;
    found.rows.set(name, row);
  }

  #drop(table: TableId, name: string): void {
    const found = this.#tables.get(table);
    if (found?.rows.delete(name)) found.sorted = undefined;
  }
}

function nameOf(key: Uint8Array): string {
  // cast: the function reads numbers from whatever is like an array.
  const codes = key as unknown as number[];
  if (key.length <= 32) return String.fromCharCode.apply(null, codes);
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function bytesOf(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(name, "latin1"));
}

function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
