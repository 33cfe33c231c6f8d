// Environment row — the bytes of one row as LMDB holds it.
//
//   key    table u16 (big-endian) │ encoded key
//   value  flags u8 = 0 │ version u64 │ checksum u32 │ value        (little-endian)
//
// Big-endian tables keep the rows of a table together, in the order of their encoded keys.
// Owns: this layout, and the buffers in which rows are made: a checkpoint makes half a million in a
// second, and an array of its own for each key, value and checksum took five times as long as LMDB.
// Leaves to others: transactions and errors (environment.ts).
//
// Invariants:
//   B1. The checksum covers table, key, version and value.
//   B2. What `key` and `value` return is good until the next call of the same.
//   B3. What `read` returns shares memory with nobody.

import { heapBytesMax, keptCopy } from "../base/kept-bytes.js";
import { limits } from "../base/limits.js";
import { checksum } from "./checksum.js";
import type { StoredValue, TableId } from "./storage.js";

const tableBytes = 2;
const headerBytes = 13;
const checksumAt = 9;
/** What the checksum covers behind the key: the version, and the checksum of the value. */
const coveredBytes = 12;
const two32 = 2 ** 32;
/** Larger rows are given a buffer each. */
const rowBytesMax = 4_096;
const shortCopyBytes = 32;

/** Rows of one opening. */
export class RowBuffers {
  readonly #key = Buffer.allocUnsafeSlow(tableBytes + limits.keyBytesMax + coveredBytes);
  /** Views of its first bytes, by their number. */
  readonly #keys: Buffer[] = [];
  #keyLength = 0;
  readonly #row = Buffer.allocUnsafeSlow(rowBytesMax);
  readonly #rows: Buffer[] = [];

  /** The key of the row of `[start, end)` in a table (B2). */
  key(table: TableId, bytes: Uint8Array, start = 0, end: number = bytes.length): Buffer {
    const buffer = this.#key;
    buffer[0] = table >>> 8;
    buffer[1] = table;
    copy(bytes, start, end, buffer, tableBytes);
    const length = tableBytes + end - start;
    this.#keyLength = length;
    return viewOf(buffer, length, this.#keys);
  }

  /** The value of the row whose key was made last (B2). */
  value(version: number, bytes: Uint8Array, start = 0, end: number = bytes.length): Buffer {
    const length = headerBytes + end - start;
    const isLarge = length > rowBytesMax;
    const row = isLarge ? Buffer.allocUnsafeSlow(length) : this.#row;
    row[0] = 0;
    writeU32(row, 1, version);
    writeU32(row, 5, Math.floor(version / two32));
    copy(bytes, start, end, row, headerBytes);
    writeU32(row, checksumAt, this.#checksum(version, checksum(row, headerBytes, length)));
    return isLarge ? row : viewOf(row, length, this.#rows);
  }

  /** Takes the key of a row as LMDB gives it for the one made last. */
  takeKey(rowKey: Uint8Array): void {
    this.#keyLength = rowKey.length;
    copy(rowKey, 0, rowKey.length, this.#key, 0);
  }

  /** What a row of the key made last holds (B3), or what is wrong with it. */
  read(row: Uint8Array): StoredValue | string {
    // `length` of LMDB's reused buffer is set by hand: its end is to be given.
    const { length } = row;
    if (length < headerBytes || row[0] !== 0) return "it has no header";
    const version = readU32(row, 1) + readU32(row, 5) * two32;
    const value = ownCopy(row, headerBytes, length);
    const expected = readU32(row, checksumAt);
    if (this.#checksum(version, checksum(value)) !== expected) return "its checksum is wrong";
    return { version, value };
  }

  /**
   * The value enters by its own checksum, so that a large one is not copied together with the rest.
   */
  #checksum(version: number, ofValue: number): number {
    const covered = this.#key;
    const length = this.#keyLength;
    writeU32(covered, length, version);
    writeU32(covered, length + 4, Math.floor(version / two32));
    writeU32(covered, length + 8, ofValue);
    return checksum(covered, 0, length + coveredBytes);
  }
}

/** The encoded key of the key of a row. */
export function keyOfRow(rowKey: Uint8Array): Uint8Array {
  return ownCopy(rowKey, tableBytes, rowKey.length);
}

/** A key of its own: of the row of an encoded key, or the first that a table can have. */
export function rowKeyOf(table: TableId, key: Uint8Array = new Uint8Array(0)): Buffer {
  const rowKey = Buffer.allocUnsafe(tableBytes + key.length);
  rowKey[0] = table >>> 8;
  rowKey[1] = table;
  rowKey.set(key, tableBytes);
  return rowKey;
}

/** Rows of stores may stay for ever: larger ones share no memory with others. */
function ownCopy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start <= heapBytesMax) return keptCopy(bytes, start, end);
  return new Uint8Array(bytes.subarray(start, end));
}

/** Its first `length` bytes, by a view that is made once for each length. */
function viewOf(buffer: Buffer, length: number, known: Buffer[]): Buffer {
  const view = known[length];
  if (view !== undefined) return view;
  const made = buffer.subarray(0, length);
  known[length] = made;
  return made;
}

/** A loop copies a few bytes faster than `set`, which needs a view of them. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > shortCopyBytes) to.set(from.subarray(start, end), at);
  else for (let index = start; index < end; index += 1) to[at + index - start] = from[index] ?? 0;
}

function writeU32(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}
