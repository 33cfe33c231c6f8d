// Environment — the LMDB environment of one task: what its checkpoints have written. The only file
// that imports lmdb.
//
//   key    table u16 (big-endian) │ encoded key
//   value  flags u8 = 0 │ version u64 │ checksum u32 │ value        (little-endian)
//
// Big-endian tables keep the rows of a table together, in the order of their encoded keys.
// Owns: this layout, LMDB's options, and the two snapshots a thread can be at (see `refresh`).
// Leaves to others: what is written when (checkpoint.ts), and what lies above it (reader.ts).
//
// Invariants:
//   N1. A step is on the device when `applyStep` returns, all of it, or none of it when it throws.
//   N2. The checksum covers table, key, version and value; a row is checked before it is returned.
//   N3. Nothing that is returned shares memory with LMDB: its buffers die with the next read.
//   N4. Every opener uses the same options: LMDB keeps one environment per process and inode.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
import type * as Lmdb from "lmdb";
import type { RootDatabase } from "lmdb";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { checksum } from "./checksum.js";
import { dataFile, dataFileProblem, ensureDataFile } from "./environment-file.js";
import type { KeyRange, StoredRow, StoredValue, TableId } from "./storage.js";

/** One row of a step: its new value, or `undefined` to remove it. */
export interface EnvironmentWrite {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly version: number;
  readonly value: Uint8Array | undefined;
}

/** How an environment is opened. */
export interface EnvironmentOptions {
  /** Named in errors. */
  readonly taskId: number;
  /** Refuses `applyStep`; the directory must exist. */
  readonly readOnly: boolean;
}

// The one file that it has for `require` is loaded twice as fast as its modules, in every thread.
// cast: both are made of the same sources.
const { open } = createRequire(import.meta.url)("lmdb") as typeof Lmdb;

const tableBytes = 2;
const headerBytes = 13;
const two32 = 2 ** 32;

/** Address space, not memory or disk; LMDB enlarges it when an environment outgrows it. */
const mapBytes = 64 * 1024 ** 3;

/** LMDB's own words for a file that is not, or no longer, one of its own. */
const corruptCodes: ReadonlySet<unknown> = new Set([-30797, -30796, -30794, -30793]);

export class Environment {
  readonly #taskId: number;
  readonly #readOnly: boolean;
  readonly #database: RootDatabase<Buffer, Uint8Array>;
  #closing: Promise<void> | undefined;

  private constructor(database: RootDatabase<Buffer, Uint8Array>, options: EnvironmentOptions) {
    this.#database = database;
    this.#taskId = options.taskId;
    this.#readOnly = options.readOnly;
  }

  /**
   * Opens the environment in the directory `path`, and creates both unless it is read-only. The
   * same path may be open several times, on one thread or on several.
   * @throws PartitaError DIRECTORY_INVALID when it is read-only and there is nothing to read
   * @throws PartitaError STORE_CORRUPT when the file is no LMDB environment
   */
  static open(path: string, options: EnvironmentOptions): Environment {
    if (!options.readOnly) ensureDataFile(path, createDatabase);
    else if (!existsSync(join(path, dataFile))) {
      const reason = `it holds no ${dataFile}`;
      throw new PartitaError("DIRECTORY_INVALID", { directory: path, reason });
    }
    const { taskId } = options;
    const problem = dataFileProblem(path);
    if (problem !== undefined) throw new PartitaError("STORE_CORRUPT", { taskId, reason: problem });
    return uncorrupted(taskId, () => {
      return new Environment(openDatabase(path), options);
    });
  }

  /** The row of a key, as of the newest `refresh`. */
  get(table: TableId, key: Uint8Array): StoredValue | undefined {
    this.#assertOpen();
    const rowKey = rowKeyOf(table, key);
    const row = uncorrupted(this.#taskId, () => this.#database.getBinaryFast(rowKey));
    return row === undefined ? undefined : this.#decode(rowKey, row);
  }

  /**
   * Up to `limit` rows of a table in key order, all of one snapshot: that of the newest `refresh`.
   */
  page(table: TableId, range: KeyRange, limit: number): StoredRow[] {
    this.#assertOpen();
    assert(Number.isSafeInteger(limit) && limit >= 0, () => `${limit} is no limit of a page`);
    const low = range.from === undefined ? tableStart(table) : rowKeyOf(table, range.from);
    const high = range.to === undefined ? tableStart(table + 1) : rowKeyOf(table, range.to);
    if (limit === 0 || Buffer.compare(low, high) >= 0) return [];
    const bounds = range.reverse
      ? { start: high, end: low, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start: low, end: high };
    return uncorrupted(this.#taskId, () => {
      const rows: StoredRow[] = [];
      let bytes = 0;
      for (const { key, value } of this.#database.getRange({ ...bounds, limit })) {
        const row = { key: new Uint8Array(key.subarray(tableBytes)), ...this.#decode(key, value) };
        rows.push(row);
        bytes += row.key.length + row.value.length;
        if (bytes >= limits.pageBytesMax) break;
      }
      return rows;
    });
  }

  /**
   * Writes rows in one transaction (N1), in the given order. The caller bounds their number and
   * bytes.
   * What it throws is the device's or LMDB's last word: nobody writes to this environment again.
   */
  applyStep(writes: readonly EnvironmentWrite[]): void {
    this.#assertOpen();
    assert(!this.#readOnly, "the environment was opened read-only");
    for (const write of writes) assertWritable(write);
    // The braces matter: a promise that a callback returns would keep the transaction open.
    this.#database.transactionSync(() => {
      for (const write of writes) {
        const rowKey = rowKeyOf(write.table, write.key);
        if (write.value === undefined) this.#database.removeSync(rowKey);
        else this.#database.putSync(rowKey, encodeRow(rowKey, write.version, write.value));
      }
    });
  }

  /** Reads that follow see what is committed now, by whatever thread; others may see less. */
  refresh(): void {
    this.#assertOpen();
    this.#database.resetReadTxn();
  }

  /** Frees this opening; other openings of the path are not touched. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#database.close();
    return this.#closing;
  }

  /** Checks a row and copies its value out (N2, N3). */
  #decode(rowKey: Uint8Array, row: Uint8Array): StoredValue {
    // `length` of LMDB's reused buffer is set by hand: only `subarray` with both ends is right.
    const rowBytes = row.length;
    if (rowBytes < headerBytes || row[0] !== 0) throw this.#corrupt(rowKey, "it has no header");
    const version = readU32(row, 1) + readU32(row, 5) * two32;
    const value = new Uint8Array(rowBytes - headerBytes);
    value.set(row.subarray(headerBytes, rowBytes));
    if (checksumOf(rowKey, version, value) !== readU32(row, 9)) {
      throw this.#corrupt(rowKey, "its checksum is wrong");
    }
    return { version, value };
  }

  #corrupt(rowKey: Uint8Array, what: string): PartitaError {
    const table = (rowKey[0] ?? 0) * 256 + (rowKey[1] ?? 0);
    const key = Buffer.from(rowKey.subarray(tableBytes)).toString("hex");
    const reason = `the row of key ${key} in table ${table} is damaged: ${what}`;
    return new PartitaError("STORE_CORRUPT", { taskId: this.#taskId, reason });
  }

  #assertOpen(): void {
    assert(this.#closing === undefined, "the environment is closed");
  }
}

/** Makes an empty environment; nothing of it stays open. */
function createDatabase(path: string): void {
  // Without writes under way LMDB closes at once: the promise only says so.
  void openDatabase(path).close();
}

function openDatabase(path: string): RootDatabase<Buffer, Uint8Array> {
  const settings = {
    // Readers too (N4): were one of them the first to open it, nobody in this process could write
    // until all of them had closed it, not even an owner that is started again.
    readOnly: false,
    // A dot in the path would otherwise turn the directory into a file.
    noSubdir: false,
    encoding: "binary" as const,
    keyEncoding: "binary" as const,
    cache: false,
    compression: false,
    // On by default, and then rows are visible before they are durable.
    overlappingSync: false,
    eventTurnBatching: false,
    useWritemap: false,
    noMemInit: false,
    remapChunks: false,
    mapSize: mapBytes,
    maxDbs: 16,
    maxReaders: 1024,
    // Not in lmdb's types.
    permissionsMode: 0o600,
    trackMetrics: true,
  };
  return open<Buffer, Uint8Array>(path, settings);
}

/** Runs `action`; what LMDB calls corrupt is STORE_CORRUPT. */
function uncorrupted<T>(taskId: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && corruptCodes.has(error.code))) throw error;
    const reason = `LMDB says: ${error.message}`;
    throw new PartitaError("STORE_CORRUPT", { taskId, reason }, { cause: error });
  }
}

function assertWritable({ table, key, version }: EnvironmentWrite): void {
  assert(Number.isInteger(table) && table >= 0 && table < 0xffff, () => `${table} is no table`);
  assert(
    key.length > 0 && key.length <= limits.keyBytesMax,
    () => `a key of ${key.length} bytes for the environment`,
  );
  assert(Number.isSafeInteger(version) && version >= 0, () => `${version} is no version`);
}

function tableStart(table: TableId): Buffer {
  return Buffer.from([table >>> 8, table & 0xff]);
}

function rowKeyOf(table: TableId, key: Uint8Array): Buffer {
  const rowKey = Buffer.allocUnsafe(tableBytes + key.length);
  rowKey[0] = table >>> 8;
  rowKey[1] = table;
  rowKey.set(key, tableBytes);
  return rowKey;
}

function encodeRow(rowKey: Uint8Array, version: number, value: Uint8Array): Buffer {
  const row = Buffer.allocUnsafeSlow(headerBytes + value.length);
  row[0] = 0;
  row.writeUInt32LE(version % two32, 1);
  row.writeUInt32LE(Math.floor(version / two32), 5);
  row.writeUInt32LE(checksumOf(rowKey, version, value), 9);
  row.set(value, headerBytes);
  return row;
}

/**
 * The value enters by its own checksum, so that a large one is not copied together with the rest.
 */
function checksumOf(rowKey: Uint8Array, version: number, value: Uint8Array): number {
  const summary = Buffer.allocUnsafe(rowKey.length + 12);
  summary.set(rowKey);
  summary.writeUInt32LE(version % two32, rowKey.length);
  summary.writeUInt32LE(Math.floor(version / two32), rowKey.length + 4);
  summary.writeUInt32LE(checksum(value), rowKey.length + 8);
  return checksum(summary);
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}
