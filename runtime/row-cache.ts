// Row cache — the rows of one task that were asked for lately, decoded, bounded.
//
// Found by the key hash that routing has computed anyway, so that a hot row costs neither a string
// nor a second hash. Owns: look-up and forgetting. Leaves to others: what a row holds (overlay.ts).
//
// Invariants:
//   R1. Of one key there is at most one row, in one of the two generations.
//   R2. Nothing is forgotten but by `forgetOld` and `drop`, which its owner calls when no row is
//       dirty.
//   R3. After `forgetOld` at most about `rowsMax` rows and `bytesMax` bytes are kept.

import type { TableId } from "../store/storage.js";

/** What a cache needs of its rows. `next` is the cache's own: rows whose keys share a hash. */
export interface CachedRow<R> {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly keyHash: number;
  next: R | undefined;
}

type Generation<R> = Map<TableId, Map<number, R>>;

/** Two generations stand in for an exact order of use: what one did not ask for is forgotten. */
export class RowCache<R extends CachedRow<R>> {
  readonly #rowsMax: number;
  readonly #bytesMax: number;
  #young: Generation<R> = new Map();
  #old: Generation<R> = new Map();
  #youngRows = 0;
  #youngBytes = 0;

  constructor(rowsMax: number, bytesMax: number) {
    this.#rowsMax = rowsMax;
    this.#bytesMax = bytesMax;
  }

  /** The row of the key `bytes[start, end)`; one that had grown old is young again. */
  find(
    table: TableId,
    bytes: Uint8Array,
    keyHash: number,
    start = 0,
    end: number = bytes.length,
  ): R | undefined {
    const young = this.#young.get(table)?.get(keyHash | 0);
    for (let row = young; row !== undefined; row = row.next) {
      if (isKey(row.key, bytes, start, end)) return row;
    }
    const rows = this.#old.get(table);
    let before: R | undefined;
    for (let row = rows?.get(keyHash | 0); row !== undefined; row = row.next) {
      if (isKey(row.key, bytes, start, end)) {
        if (before !== undefined) before.next = row.next;
        else if (row.next !== undefined) rows?.set(keyHash | 0, row.next);
        else rows?.delete(keyHash | 0);
        return this.keep(row, 0);
      }
      before = row;
    }
    return undefined;
  }

  /** Takes a row that `find` does not know. `bytes`: about what it holds. */
  keep(row: R, bytes: number): R {
    let rows = this.#young.get(row.table);
    if (rows === undefined) {
      rows = new Map();
      this.#young.set(row.table, rows);
    }
    row.next = rows.get(row.keyHash | 0);
    rows.set(row.keyHash | 0, row);
    this.#youngRows += 1;
    this.#youngBytes += bytes;
    return row;
  }

  /** Forgets a row that nobody holds any more. */
  drop(row: R): void {
    if (!removed(this.#young, row)) removed(this.#old, row);
    else this.#youngRows -= 1;
  }

  /** Every row of a table. */
  *rowsOf(table: TableId): Generator<R> {
    for (const generation of [this.#young, this.#old]) {
      for (const first of generation.get(table)?.values() ?? []) {
        for (let row: R | undefined = first; row !== undefined; row = row.next) yield row;
      }
    }
  }

  /** Rows have grown by about so many bytes. */
  grew(bytes: number): void {
    this.#youngBytes += bytes;
  }

  /** Forgets what is old when the young have become many. */
  forgetOld(): void {
    if (this.#youngRows <= this.#rowsMax / 2 && this.#youngBytes <= this.#bytesMax / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngRows = 0;
    this.#youngBytes = 0;
  }
}

/** Takes a row out of a generation; false when it is not in it. */
function removed<R extends CachedRow<R>>(from: Generation<R>, row: R): boolean {
  const rows = from.get(row.table);
  const first = rows?.get(row.keyHash | 0);
  if (rows === undefined || first === undefined) return false;
  if (first === row) {
    if (row.next === undefined) rows.delete(row.keyHash | 0);
    else rows.set(row.keyHash | 0, row.next);
    return true;
  }
  for (let before = first; before.next !== undefined; before = before.next) {
    if (before.next !== row) continue;
    before.next = row.next;
    return true;
  }
  return false;
}

function isKey(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = key;
  if (length !== end - start) return false;
  for (let index = 0; index < length; index += 1) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
