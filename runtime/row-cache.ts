// Row cache — the rows of one task that were asked for lately, decoded, bounded.
//
// Found by the key hash that routing has computed anyway, so that a hot row costs neither a string
// nor a second hash. Of very many keys most rows are not asked for again before they are forgotten:
// kept, they would grow old on V8's heap, and to collect them there costs more than to make them.
// So such rows go with their batch (R4).
// Owns: look-up and forgetting. Leaves to others: what a row holds (overlay.ts).
//
// Invariants:
//   R1. Of one key there is at most one row, in one of the two generations or passing.
//   R2. Nothing is forgotten but by `forgetOld` and `drop`, which its owner calls when no row is
//       dirty.
//   R3. After `forgetOld` at most about `rowsMax` rows and `bytesMax` bytes are kept, whatever is
//       found again and again; where one batch has touched more bytes than that, none of its rows.
//   R4. Where what is asked for again is kept, the row of a key that was looked for in vain for the
//       first time among the last `rowsMax` is passing: the next `forgetOld` forgets it. A few are
//       kept at once, because they share a bit with others.

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
  readonly #bytesOf: (row: R) => number;
  #young: Generation<R> = new Map();
  #old: Generation<R> = new Map();
  #youngRows = 0;
  #youngBytes = 0;
  /** Of the look ahead in hand. */
  readonly #ahead: (R | undefined)[] = [];
  /** What the last look ahead has read; of no meaning. */
  touched = 0;
  /** Rows that are not kept beyond the batch, of all tables. */
  #passing = new Map<number, R>();
  readonly #asked: AskedBefore | undefined;

  /**
   * `bytesOf`: about what a row holds. `keeps`: which rows stay beyond the next `forgetOld` (R4).
   */
  constructor(
    rowsMax: number,
    bytesMax: number,
    bytesOf: (row: R) => number,
    keeps: "all" | "asked again" = "all",
  ) {
    this.#rowsMax = rowsMax;
    this.#bytesMax = bytesMax;
    this.#bytesOf = bytesOf;
    if (keeps === "asked again") this.#asked = new AskedBefore(rowsMax);
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
    for (let row = this.#passing.get(keyHash | 0); row !== undefined; row = row.next) {
      if (row.table === table && isKey(row.key, bytes, start, end)) return row;
    }
    const rows = this.#old.get(table);
    let before: R | undefined;
    for (let row = rows?.get(keyHash | 0); row !== undefined; row = row.next) {
      if (isKey(row.key, bytes, start, end)) {
        if (before !== undefined) before.next = row.next;
        else if (row.next !== undefined) rows?.set(keyHash | 0, row.next);
        else rows?.delete(keyHash | 0);
        return this.#keepYoung(row);
      }
      before = row;
    }
    return undefined;
  }

  /**
   * Touches the rows of these keys, one part of all of them after the other, so that the processor
   * fetches each part side by side. Puts the hashes it does not know into `missing`, and returns
   * how many they are. Changes nothing else.
   */
  lookAhead(
    tables: Uint16Array,
    keyHashes: Uint32Array,
    count: number,
    missing: Uint32Array,
  ): number {
    const rows = this.#ahead;
    let misses = 0;
    for (let at = 0; at < count; at += 1) {
      const table = tables[at] ?? 0;
      const hash = (keyHashes[at] ?? 0) | 0;
      const row = this.#young.get(table)?.get(hash) ?? this.#old.get(table)?.get(hash);
      rows[at] = row;
      if (row !== undefined) continue;
      missing[misses] = hash;
      misses += 1;
    }
    // The sums are kept so that no engine leaves the reads out.
    let touched = 0;
    for (let at = 0; at < count; at += 1) touched += rows[at]?.key.length ?? 0;
    for (let at = 0; at < count; at += 1) touched += rows[at]?.key[0] ?? 0;
    this.touched = touched;
    return misses;
  }

  /** Takes a row that `find` does not know. */
  keep(row: R): R {
    if (this.#asked === undefined || this.#asked.note(row.keyHash)) return this.#keepYoung(row);
    row.next = this.#passing.get(row.keyHash | 0);
    this.#passing.set(row.keyHash | 0, row);
    return row;
  }

  #keepYoung(row: R): R {
    let rows = this.#young.get(row.table);
    if (rows === undefined) {
      rows = new Map();
      this.#young.set(row.table, rows);
    }
    row.next = rows.get(row.keyHash | 0);
    rows.set(row.keyHash | 0, row);
    this.#youngRows += 1;
    this.#youngBytes += this.#bytesOf(row);
    return row;
  }

  /** Forgets a row that nobody holds any more. */
  drop(row: R): void {
    if (removed(this.#young.get(row.table), row)) this.#youngRows -= 1;
    else if (!removed(this.#old.get(row.table), row)) removed(this.#passing, row);
  }

  /** Every row of a table. */
  *rowsOf(table: TableId): Generator<R> {
    for (const generation of [this.#young, this.#old]) {
      for (const first of generation.get(table)?.values() ?? []) {
        for (let row: R | undefined = first; row !== undefined; row = row.next) yield row;
      }
    }
    for (const first of this.#passing.values()) {
      for (let row: R | undefined = first; row !== undefined; row = row.next) {
        if (row.table === table) yield row;
      }
    }
  }

  /** Rows have grown by about so many bytes. */
  grew(bytes: number): void {
    this.#youngBytes += bytes;
  }

  /** Forgets what is not kept, and what is old when the young have become many. */
  forgetOld(): void {
    if (this.#passing.size > 0) this.#passing = new Map();
    if (this.#youngRows <= this.#rowsMax / 2 && this.#youngBytes <= this.#bytesMax / 2) return;
    this.#old = this.#youngBytes > this.#bytesMax ? new Map() : this.#young;
    this.#young = new Map();
    this.#youngRows = 0;
    this.#youngBytes = 0;
  }
}

/** Keys that were asked for lately, by bits that their hashes share: some say so wrongly. */
class AskedBefore {
  readonly #bits: Int32Array;
  readonly #notedMax: number;
  #noted = 0;

  constructor(notedMax: number) {
    this.#notedMax = notedMax;
    this.#bits = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(notedMax, 32) * 16)) / 32);
  }

  /** Notes a key; whether it, or one that shares its bit, was noted lately. */
  note(keyHash: number): boolean {
    const bits = this.#bits;
    const bit = 1 << (keyHash & 31);
    const at = (Math.imul(keyHash, 0x9e37_79b1) >>> 8) & (bits.length - 1);
    const word = bits[at] ?? 0;
    if ((word & bit) !== 0) return true;
    if (this.#noted >= this.#notedMax) {
      bits.fill(0);
      this.#noted = 0;
    }
    bits[at] = (bits[at] ?? 0) | bit;
    this.#noted += 1;
    return false;
  }
}

/** Takes a row out of a generation; false when it is not in it. */
function removed<R extends CachedRow<R>>(rows: Map<number, R> | undefined, row: R): boolean {
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
