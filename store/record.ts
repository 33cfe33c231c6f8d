// Record — the bytes of one entry, in a frame of the log and in an arena alike.
//
//   0   table u16 │ 2 flags u8 │ 3 zero u8 │ 4 key length u16 │ 6 zero u16 │ 8 value length u32
//   12  key hash u32 │ 16 version u64 │ 24 checksum u32 │ 28 zero u32 │ 32 key, value, zeros to 8
//   bytes
//
// Numbers are little-endian. Owns: this layout, and reading its fields where they lie, without
// objects.
// Leaves to others: frames (frame.ts), finding a record (arena.ts).
//
// Invariants:
//   E1. A record starts at a multiple of 8 and ends at one.
//   E2. The checksum covers the header (but itself), the key and the value.

import { assert } from "../base/invariant.js";
import { heapBytesMax, keptCopy } from "../base/kept-bytes.js";
import { limits } from "../base/limits.js";
import { checksum } from "./checksum.js";
import { storageTable } from "./system-key.js";
import type { RecordWrite, StoredRow, StoredValue, TableId } from "./storage.js";
import { numberBytes, writeNumber } from "./value-number.js";

/** Bytes before the key. */
const recordHeaderBytes = 32;
/** The key was removed. */
const tombstoneFlag = 1;
/** No layer below this arena holds the key: a tombstone with it need not be checkpointed. */
const bornFlag = 2;

const two32 = 2 ** 32;
const shortCopyBytes = 24;

/** In the key of most records, and in the other half of a short one. */
const touchedAt = 48;

/** Where short records are checked: an array for each takes longer than the check. */
const scratch = new Uint8Array(256);

/** Bytes a record takes. */
export function recordBytes(keyBytes: number, valueBytes: number): number {
  return (recordHeaderBytes + keyBytes + valueBytes + 7) & ~7;
}

/** Bytes of a record's value. */
export function bytesOfValue(value: RecordWrite["value"]): number {
  if (value === undefined) return 0;
  return typeof value === "number" ? numberBytes(value) : value.length;
}

/** A loop copies a few bytes faster than `set`. */
function copyInto(target: Uint8Array, at: number, bytes: Uint8Array): void {
  const { length } = bytes;
  if (length > shortCopyBytes) target.set(bytes, at);
  else for (let index = 0; index < length; index += 1) target[at + index] = bytes[index] ?? 0;
}

/**
 * Records that were walked over, in order: what is needed to index them, and what one walk can tell
 * besides. A launch walks over a million records before the engine has warmed up, so one loop is
 * much better than three.
 */
export class RecordList {
  readonly offsets: Int32Array;
  readonly hashes: Int32Array;
  readonly tables: Uint16Array;
  /** Offsets of those of the storage's own table. */
  readonly storageOffsets: number[] = [];
  length = 0;
  /** The highest of their versions. */
  version = 0;
  /** As many bits as records, at least, of which each hash has set one; and how many are set. */
  readonly marks: Int32Array;
  marked = 0;

  constructor(records: number) {
    this.offsets = new Int32Array(records);
    this.hashes = new Int32Array(records);
    this.tables = new Uint16Array(records);
    this.marks = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(records, 64))) / 32);
  }

  /**
   * About how many different hashes there are, and never more than there are records: how many bits
   * have stayed zero tells (linear counting, right to a percent or two).
   */
  get differentHashes(): number {
    const bits = this.marks.length * 32;
    const estimate = Math.ceil(bits * Math.log(bits / Math.max(bits - this.marked, 1)));
    return Math.min(estimate, this.length);
  }
}

/**
 * Views of one stretch of memory that holds records; all fields are read and written through them.
 */
export class RecordMemory {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(buffer: ArrayBufferLike) {
    this.bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Writes a record at `at` and returns where it ends. */
  write(at: number, record: RecordWrite, born: boolean): number {
    const { key, value } = record;
    const valueBytes = bytesOfValue(value);
    const view = this.#view;
    view.setUint16(at, record.table, true);
    view.setUint8(at + 2, (value === undefined ? tombstoneFlag : 0) | (born ? bornFlag : 0));
    view.setUint8(at + 3, 0);
    view.setUint16(at + 4, key.length, true);
    view.setUint16(at + 6, 0, true);
    view.setUint32(at + 8, valueBytes, true);
    view.setUint32(at + 12, record.keyHash, true);
    view.setUint32(at + 16, record.version >>> 0, true);
    view.setUint32(at + 20, Math.floor(record.version / two32), true);
    view.setUint32(at + 28, 0, true);
    const keyStart = at + recordHeaderBytes;
    copyInto(this.bytes, keyStart, key);
    if (typeof value === "number") writeNumber(this.bytes, keyStart + key.length, value);
    else if (value !== undefined) copyInto(this.bytes, keyStart + key.length, value);
    const contentEnd = keyStart + key.length + valueBytes;
    const end = at + recordBytes(key.length, valueBytes);
    for (let pad = contentEnd; pad < end; pad += 1) this.bytes[pad] = 0;
    view.setUint32(at + 24, 0, true);
    view.setUint32(at + 24, checksum(this.bytes, at, end), true);
    return end;
  }

  table(at: number): TableId {
    return this.#view.getUint16(at, true);
  }

  keyHash(at: number): number {
    return this.#view.getUint32(at + 12, true);
  }

  version(at: number): number {
    return this.#view.getUint32(at + 16, true) + this.#view.getUint32(at + 20, true) * two32;
  }

  isTombstone(at: number): boolean {
    return (this.#view.getUint8(at + 2) & tombstoneFlag) !== 0;
  }

  isBorn(at: number): boolean {
    return (this.#view.getUint8(at + 2) & bornFlag) !== 0;
  }

  keyBytes(at: number): number {
    return this.#view.getUint16(at + 4, true);
  }

  valueBytes(at: number): number {
    return this.#view.getUint32(at + 8, true);
  }

  /** Where the record ends. */
  end(at: number): number {
    return at + recordBytes(this.keyBytes(at), this.valueBytes(at));
  }

  /** Adds the records of a frame, which lie in `[start, end)`, to a list that has room for them. */
  list(start: number, end: number, list: RecordList): void {
    // Reads fields by itself, for the same reason.
    const view = this.#view;
    const { offsets, hashes, tables, marks } = list;
    const lastMark = marks.length * 32 - 1;
    let { length, version, marked } = list;
    for (let at = start; at < end; length += 1) {
      const table = view.getUint16(at, true);
      const hash = view.getInt32(at + 12, true);
      offsets[length] = at;
      tables[length] = table;
      hashes[length] = hash;
      const word = marks[(hash & lastMark) >>> 5] ?? 0;
      marked += ((word >>> (hash & 31)) & 1) ^ 1;
      marks[(hash & lastMark) >>> 5] = word | (1 << (hash & 31));
      if (table === storageTable) list.storageOffsets.push(at);
      const own = view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * two32;
      if (own > version) version = own;
      at += recordBytes(view.getUint16(at + 4, true), view.getUint32(at + 8, true));
    }
    assert(length <= offsets.length, "more records than there is room for in their list");
    list.length = length;
    list.marked = marked;
    list.version = version;
  }

  /** Whether the record is of this table and key. */
  holds(at: number, table: TableId, key: Uint8Array): boolean {
    if (this.table(at) !== table || this.keyBytes(at) !== key.length) return false;
    const start = at + recordHeaderBytes;
    for (let index = 0; index < key.length; index += 1) {
      if (this.bytes[start + index] !== key[index]) return false;
    }
    return true;
  }

  /** Whether two records are of one table and key. */
  isSameKey(one: number, other: number): boolean {
    const keyBytes = this.keyBytes(one);
    if (this.table(one) !== this.table(other) || keyBytes !== this.keyBytes(other)) return false;
    const { bytes } = this;
    const start = this.keyStart(one);
    const apart = this.keyStart(other) - start;
    for (let at = start; at < start + keyBytes; at += 1) {
      if (bytes[at] !== bytes[at + apart]) return false;
    }
    return true;
  }

  /** Where the key begins, for those who read more of them than a view each is good for. */
  keyStart(at: number): number {
    return at + recordHeaderBytes;
  }

  /** Reads where a short record begins and ends, for the processor to fetch it. */
  touch(at: number): number {
    return (this.bytes[at] ?? 0) + (this.bytes[at + touchedAt] ?? 0);
  }

  /** A view of the key where it lies. */
  key(at: number): Uint8Array {
    const start = at + recordHeaderBytes;
    return this.bytes.subarray(start, start + this.keyBytes(at));
  }

  /** A view of the value where it lies. */
  value(at: number): Uint8Array {
    const start = at + recordHeaderBytes + this.keyBytes(at);
    return this.bytes.subarray(start, start + this.valueBytes(at));
  }

  /** A private copy of version and value. */
  stored(at: number): StoredValue {
    const start = this.keyStart(at) + this.keyBytes(at);
    const end = start + this.valueBytes(at);
    // Rows of the runtime's own are soon done with; those of stores may stay for ever.
    // Few bytes are copied by a loop in a fraction of the time that `slice` takes.
    const isOwn = this.table(at) < limits.tableStoreFirst;
    const isShort = end - start <= heapBytesMax;
    const value =
      isOwn || isShort ? keptCopy(this.bytes, start, end) : this.bytes.slice(start, end);
    return { version: this.version(at), value };
  }

  /** A private copy of key, version and value. */
  row(at: number): StoredRow {
    const start = this.keyStart(at);
    const keyEnd = start + this.keyBytes(at);
    const value = this.bytes.slice(keyEnd, keyEnd + this.valueBytes(at));
    return { key: this.bytes.slice(start, keyEnd), version: this.version(at), value };
  }

  /** Whether the record lies within `end` and its checksum is right. */
  isSound(at: number, end: number): boolean {
    if (at + recordHeaderBytes > end || this.end(at) > end) return false;
    const expected = this.#view.getUint32(at + 24, true);
    const length = this.end(at) - at;
    const isLarge = length > scratch.length;
    const copy = isLarge ? this.bytes.slice(at, at + length) : scratch;
    if (!isLarge) {
      const { bytes } = this;
      for (let index = 0; index < length; index += 1) copy[index] = bytes[at + index] ?? 0;
    }
    for (let index = 24; index < 28; index += 1) copy[index] = 0;
    return checksum(copy, 0, length) === expected;
  }
}
