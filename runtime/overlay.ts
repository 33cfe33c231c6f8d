// Overlay — the rows of one task as the batch in hand leaves them, over the committed state.
//
// Owns: the bounded write-through cache of decoded rows (so that a hot read-modify-write neither
// looks up nor decodes), the dirty rows of the batch, versions, and undo within one message.
// Leaves to others: applier.ts decides what is applied, the storage makes the frame durable.
//
// Invariants:
//   O1. A row's version is the task's update counter at its last change: it strictly increases and
//       is never reused, deletes included.
//   O2. After `rollback` every row is as it was at `savepoint`; values handed to user code are
//       decoded anew, since a function that threw may have changed them in place.
//   O3. Between `committed` and the next change no row is dirty. The cache forgets only then, so it
//       never drops a dirty row; it holds at most about `rowsMax` rows of stores and `bytesMax`
//       bytes of them, and `ownRowsMax` and `ownBytesMax` of the runtime's own tables.
//   O4. A row with a version of at most its table's clear in this batch is absent.

import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { keptCopy } from "../base/kept-bytes.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import { bytesOfValue } from "../store/record.js";
import type { KeyRange, RecordWrite, StoredRow, TableId, TaskStorage } from "../store/storage.js";
import { decodeValue, encodedOnce, encodeValue } from "../store/value.js";
import { isPlainNumber } from "../store/value-number.js";
import { RowCache } from "./row-cache.js";

/**
 * A key of the task with its value as the batch leaves it; a dirty one is its own record in the
 * frame (RecordWrite). Mutated by the overlay alone.
 */
export interface Row extends RecordWrite {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly keyHash: number;
  /** 0 when the key was never seen. */
  version: number;
  present: boolean;
  /** As the frame is given it: encoded, or a number; `undefined` when absent. */
  value: Uint8Array | number | undefined;
  /** Decoded value, or `notDecoded`. */
  decoded: unknown;
  dirty: boolean;
  fresh: boolean;
  place: number;
  placeEra: number;
  /** The cache's own. */
  next: Row | undefined;
}

interface UndoEntry {
  readonly row: Row;
  readonly version: number;
  readonly present: boolean;
  readonly value: Uint8Array | number | undefined;
  readonly dirty: boolean;
  readonly fresh: boolean;
}

/** How much an overlay takes. */
export interface OverlayBounds {
  /** Rows of stores that the cache keeps, and about their bytes. */
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** The same of the runtime's own tables. */
  readonly ownRowsMax: number;
  readonly ownBytesMax: number;
  /** One value: a frame must hold it. */
  readonly valueBytesMax: number;
}

const notDecoded: unique symbol = Symbol("not decoded");

/** What a call record has around its reply and reads. */
const recordSpareBytes = 64;

/** Bytes of a record around its key and value, for the size of a batch. */
const recordOverheadBytes = 40;

/** What a number takes at most. */
const numberBytesMax = 9;

export class Overlay {
  readonly #storage: TaskStorage;
  readonly #valueBytesMax: number;
  readonly #cache: RowCache<Row>;
  /** Of the runtime's own tables: they have more rows, which would take the places of stores'. */
  readonly #ownCache: RowCache<Row>;
  #version: number;
  #dirty: Row[] = [];
  #dirtyBytes = 0;
  #readBytes = 0;
  /** Key hashes that the cache did not know when it was looked ahead. */
  readonly #missing = new Uint32Array(limits.lookAheadRequests);
  readonly #cleared = new Map<TableId, number>();
  #undo: UndoEntry[] | undefined;

  constructor(storage: TaskStorage, bounds: OverlayBounds) {
    this.#storage = storage;
    this.#cache = new RowCache(bounds.rowsMax, bounds.bytesMax, sizeOf, "asked again");
    // The runtime's own are few, and most are looked at again soon.
    this.#ownCache = new RowCache(bounds.ownRowsMax, bounds.ownBytesMax, sizeOf);
    this.#valueBytesMax = bounds.valueBytesMax;
    this.#version = storage.versionLast;
  }

  /** About the bytes of the frame so far. */
  get bytes(): number {
    return this.#dirtyBytes;
  }

  /** Bytes of rows that the batch has taken from the storage. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** Whether the batch has changed anything. */
  get changed(): boolean {
    return this.#dirty.length > 0 || this.#cleared.size > 0;
  }

  /** Touches what the rows of stores with these key hashes are made of. Changes nothing. */
  lookAhead(tables: Uint16Array, keyHashes: Uint32Array, count: number): void {
    const missing = this.#cache.lookAhead(tables, keyHashes, count, this.#missing);
    if (missing > 0) this.#storage.lookAhead?.(this.#missing, missing);
  }

  /** The row of a key. `key` is copied when it is kept. */
  row(table: TableId, key: Uint8Array, keyHash: number = hashKey(key)): Row {
    return this.rowAt(table, key, 0, key.length, keyHash);
  }

  /** The same for the key `[start, end)` of some bytes. */
  rowAt(table: TableId, bytes: Uint8Array, start: number, end: number, keyHash: number): Row {
    const known = this.#cacheOf(table).find(table, bytes, keyHash, start, end);
    if (known !== undefined) return known;
    const key = bytes.slice(start, end);
    const stored = this.#storage.get(table, key, keyHash);
    if (stored !== undefined) this.#readBytes += stored.value.length;
    const hidden = stored !== undefined && stored.version <= (this.#cleared.get(table) ?? 0);
    const present = stored !== undefined && !hidden;
    return this.#keep({
      table,
      key,
      keyHash,
      version: stored?.version ?? 0,
      present,
      value: present ? stored.value : undefined,
      decoded: notDecoded,
      dirty: false,
      fresh: stored === undefined,
      place: 0,
      placeEra: 0,
      next: undefined,
    });
  }

  /**
   * The decoded value; `undefined` when absent. User code may change it in place only to return it.
   */
  decoded(row: Row): unknown {
    if (!row.present) return undefined;
    if (row.decoded === notDecoded) {
      assert(row.value !== undefined, "a row has neither value nor bytes");
      row.decoded = typeof row.value === "number" ? row.value : decodeValue(row.value);
    }
    return row.decoded;
  }

  /** The encoded value; `undefined` when absent. Must not be changed. */
  encoded(row: Row): Uint8Array | undefined {
    if (!row.present) return undefined;
    assert(row.value !== undefined, "a row has neither value nor bytes");
    return encodedOnce(row.value);
  }

  /** User code failed on `row`'s value: whatever it did to the decoded object is forgotten. */
  forgetDecoded(row: Row): void {
    if (row.value !== undefined) row.decoded = notDecoded;
  }

  /**
   * Gives the row a value. What the codec could refuse, or a later update change in place, is
   * encoded here; numbers where the frame is written. Throws what is refused, with the row
   * unchanged.
   */
  setValue(row: Row, value: unknown): void {
    const carried = isPlainNumber(value) ? value : this.#fitting(encodeValue(value));
    this.#change(row, true, carried);
    row.decoded = value;
    this.#dirtyBytes += typeof carried === "number" ? numberBytesMax : carried.length;
  }

  /**
   * Gives the row encoded bytes, which are copied. Throws VALUE_TOO_LARGE with the row unchanged.
   */
  setBytes(row: Row, bytes: Uint8Array): void {
    this.#fitting(bytes);
    this.#adopt(row, bytes.slice());
  }

  #adopt(row: Row, bytes: Uint8Array): void {
    this.#change(row, true, bytes);
    row.decoded = notDecoded;
    this.#dirtyBytes += bytes.length;
  }

  /**
   * Gives a key encoded bytes whatever it holds: spares the look-up. Copies both. Throws
   * VALUE_TOO_LARGE with the row unchanged.
   */
  overwrite(
    table: TableId,
    key: Uint8Array,
    bytes: Uint8Array,
    fresh: boolean,
    keyHash: number = hashKey(key),
  ): void {
    this.#fitting(bytes);
    this.#adopt(this.#blindRow(table, key, fresh, keyHash), bytes.slice());
  }

  /** As `setBytes`, and the bytes are kept, not copied: they do not change any more. */
  adoptBytes(row: Row, bytes: Uint8Array): void {
    this.#fitting(bytes);
    this.#adopt(row, bytes);
  }

  /** As `overwrite`, and the bytes are kept, not copied: they do not change any more. */
  adopt(table: TableId, key: Uint8Array, bytes: Uint8Array, fresh: boolean): void {
    this.#fitting(bytes);
    this.#adopt(this.#blindRow(table, key, fresh, hashKey(key)), bytes);
  }

  /**
   * The same for a call record (call-records.ts): a reply as large as a value, and what was read
   * before it, fit. The frame that holds value and record fits an arena, of which a value takes at
   * most a quarter.
   */
  record(table: TableId, key: Uint8Array, bytes: Uint8Array, fresh: boolean): void {
    this.#fitting(bytes, this.#valueBytesMax + limits.operationReadBytesMax + recordSpareBytes);
    this.#adopt(this.#blindRow(table, key, fresh, hashKey(key)), keptCopy(bytes));
  }

  /** Removes the key. */
  remove(row: Row): void {
    this.#change(row, false, undefined);
    row.decoded = notDecoded;
  }

  /** Committed rows: what the batch in hand has changed is not among them yet. */
  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] {
    return this.#storage.page(table, range, limit);
  }

  /** Removes every key of a table, in O(rows in the cache). Not within a savepoint. */
  clear(table: TableId): void {
    assert(this.#undo === undefined, "a clear cannot be rolled back");
    this.#version += 1;
    this.#cleared.set(table, this.#version);
    for (const row of this.#cacheOf(table).rowsOf(table)) {
      row.present = false;
      row.value = undefined;
      row.decoded = notDecoded;
      row.dirty = false;
      // The layers below hold it until the clear is committed.
      row.fresh = false;
    }
    this.#dirty = this.#dirty.filter((row) => row.dirty);
  }

  /** Starts a message that may be rolled back. */
  savepoint(): void {
    assert(this.#undo === undefined, "savepoints do not nest");
    this.#undo = [];
  }

  /** Ends the message: its changes stay in the batch. */
  release(): void {
    this.#undo = undefined;
  }

  /** Takes back every change since the savepoint. Versions used stay used. */
  rollback(): void {
    assert(this.#undo !== undefined, "rollback without a savepoint");
    for (const entry of this.#undo.reverse()) {
      const { row } = entry;
      row.version = entry.version;
      row.present = entry.present;
      row.value = entry.value;
      row.decoded = notDecoded;
      row.fresh = entry.fresh;
      row.dirty = entry.dirty;
      if (isUnseen(row)) this.#cacheOf(row.table).drop(row);
    }
    this.#dirty = this.#dirty.filter((row) => row.dirty);
    this.#undo = undefined;
  }

  /**
   * The batch's records and clears. The rows stay dirty, and the records as they are, until
   * `committed`.
   */
  writes(): {
    readonly records: readonly RecordWrite[];
    readonly clears: ReadonlyMap<TableId, number>;
  } {
    return { records: this.#dirty, clears: this.#cleared };
  }

  /** The frame is visible: rows are clean, and the cache may forget old ones. */
  committed(): void {
    let ownBytes = 0;
    for (const row of this.#dirty) {
      row.dirty = false;
      row.fresh = !row.present;
      if (row.table >= limits.tableStoreFirst) continue;
      // What is deleted of the runtime's own has done its work: few of its keys come again.
      if (row.present) ownBytes += sizeOf(row);
      else this.#ownCache.drop(row);
    }
    this.#ownCache.grew(ownBytes);
    this.#cache.grew(Math.max(0, this.#dirtyBytes - ownBytes));
    this.#dirty = [];
    this.#dirtyBytes = 0;
    this.#readBytes = 0;
    this.#cleared.clear();
    this.#cache.forgetOld();
    this.#ownCache.forgetOld();
  }

  /** A version above every one used so far. */
  nextVersion(): number {
    this.#version += 1;
    return this.#version;
  }

  /** The row of a key that is overwritten next, for certain: until then it says what is not so. */
  #blindRow(table: TableId, key: Uint8Array, fresh: boolean, keyHash: number): Row {
    const known = this.#cacheOf(table).find(table, key, keyHash);
    if (known !== undefined) return known;
    return this.#keep({
      table,
      key: key.slice(),
      keyHash,
      version: 0,
      present: false,
      value: undefined,
      decoded: notDecoded,
      dirty: false,
      fresh,
      place: 0,
      placeEra: 0,
      next: undefined,
    });
  }

  #fitting(bytes: Uint8Array, valueBytesMax: number = this.#valueBytesMax): Uint8Array {
    if (bytes.length <= valueBytesMax) return bytes;
    const details = { where: "a row of this task", valueBytes: bytes.length, valueBytesMax };
    throw new PartitaError("VALUE_TOO_LARGE", details);
  }

  #change(row: Row, present: boolean, value: Row["value"]): void {
    this.#undo?.push({
      row,
      version: row.version,
      present: row.present,
      value: row.value,
      dirty: row.dirty,
      fresh: row.fresh,
    });
    row.version = this.nextVersion();
    row.present = present;
    row.value = value;
    if (row.dirty) return;
    row.dirty = true;
    this.#dirty.push(row);
    this.#dirtyBytes += row.key.length + recordOverheadBytes;
  }

  #keep(row: Row): Row {
    return this.#cacheOf(row.table).keep(row);
  }

  #cacheOf(table: TableId): RowCache<Row> {
    return table < limits.tableStoreFirst ? this.#ownCache : this.#cache;
  }
}

/** Whether a row says nothing: it was made to be overwritten, and was not. */
function isUnseen({ version, fresh }: Row): boolean {
  return version === 0 && !fresh;
}

/** About the bytes of a row. */
function sizeOf(row: Row): number {
  return row.key.length + bytesOfValue(row.value) + recordOverheadBytes;
}
