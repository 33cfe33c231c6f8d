// Environment — the LMDB environment of one task: what its checkpoints have written. The only file
// that imports lmdb.
//
// Owns: LMDB's options, transactions, and the two snapshots a thread can be at (see `refresh`).
// Leaves to others: the bytes of a row (environment-row.ts), what is written when (checkpoint.ts),
// and what lies above it (reader.ts).
//
// Invariants:
//   N1. A step is on the device when `applyStep` returns, all of it, or none of it when it throws.
//   N2. A row is checked against its checksum before it is returned.
//   N3. Nothing that is returned shares memory with LMDB: its buffers die with the next read.
//   N4. Every opener uses the same options: LMDB keeps one environment per process and inode.
//   N5. LMDB is loaded on threads that open an environment, and on the main thread, which nobody
//       ends: a thread that is ended while its native part begins takes the process with it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import type * as Lmdb from "lmdb";
import type { RootDatabase } from "lmdb";
import { PartitaError } from "../base/errors.js";
import { assert } from "../base/invariant.js";
import { limits } from "../base/limits.js";
import { dataFile, dataFileProblem, ensureDataFile } from "./environment-file.js";
import { keyOfRow, RowBuffers, rowKeyOf } from "./environment-row.js";
import type { KeyRange, StoredRow, StoredValue, TableId } from "./storage.js";

/** One row of a step: its new value, or `undefined` to remove it. */
export interface EnvironmentWrite {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly version: number;
  readonly value: Uint8Array | undefined;
}

/**
 * Writes rows, within a step. Key and value stand one behind the other in `bytes`, whose key is
 * `[start, keyEnd)`: as they do in a record, so that nobody makes a view of either.
 */
export interface StepWriter {
  put(
    table: TableId,
    version: number,
    bytes: Uint8Array,
    start: number,
    keyEnd: number,
    end: number,
  ): void;
  remove(table: TableId, bytes: Uint8Array, start: number, keyEnd: number): void;
}

/** How an environment is opened. */
export interface EnvironmentOptions {
  /** Named in errors. */
  readonly taskId: number;
  /** Refuses `applyStep`; the directory must exist. */
  readonly readOnly: boolean;
}

let loaded: typeof Lmdb | undefined;
if (isMainThread) loadLmdb();

/** Address space, not memory or disk; LMDB enlarges it when an environment outgrows it. */
const mapBytes = 64 * 1024 ** 3;

/** LMDB's own words for a file that is not, or no longer, one of its own. */
const corruptCodes: ReadonlySet<unknown> = new Set([-30797, -30796, -30794, -30793]);

export class Environment {
  readonly #taskId: number;
  readonly #readOnly: boolean;
  readonly #database: RootDatabase<Buffer, Uint8Array>;
  readonly #rows = new RowBuffers();
  #closing: Promise<void> | undefined;

  readonly #writer: StepWriter;

  private constructor(database: RootDatabase<Buffer, Uint8Array>, options: EnvironmentOptions) {
    this.#database = database;
    this.#taskId = options.taskId;
    this.#readOnly = options.readOnly;
    this.#writer = {
      put: (table, version, bytes, start, keyEnd, end) => {
        assertWritable(table, keyEnd - start, version);
        const rowKey = this.#rows.key(table, bytes, start, keyEnd);
        database.putSync(rowKey, this.#rows.value(version, bytes, keyEnd, end));
      },
      remove: (table, bytes, start, keyEnd) => {
        assertWritable(table, keyEnd - start, 0);
        database.removeSync(this.#rows.key(table, bytes, start, keyEnd));
      },
    };
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
    const rowKey = this.#rows.key(table, key);
    const row = uncorrupted(this.#taskId, () => this.#database.getBinaryFast(rowKey));
    return row === undefined ? undefined : this.#checked(rowKey, row);
  }

  /**
   * Up to `limit` rows of a table in key order, all of one snapshot: that of the newest `refresh`.
   */
  page(table: TableId, range: KeyRange, limit: number): StoredRow[] {
    this.#assertOpen();
    assert(Number.isSafeInteger(limit) && limit >= 0, () => `${limit} is no limit of a page`);
    const low = rowKeyOf(table, range.from);
    const high = range.to === undefined ? rowKeyOf(table + 1) : rowKeyOf(table, range.to);
    if (limit === 0 || Buffer.compare(low, high) >= 0) return [];
    const bounds = range.reverse
      ? { start: high, end: low, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start: low, end: high };
    return uncorrupted(this.#taskId, () => {
      const rows: StoredRow[] = [];
      let bytes = 0;
      for (const { key, value } of this.#database.getRange({ ...bounds, limit })) {
        this.#rows.takeKey(key);
        const row = { key: keyOfRow(key), ...this.#checked(key, value) };
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
   */
  applyStep(writes: readonly EnvironmentWrite[]): void {
    for (const { table, key, version } of writes) assertWritable(table, key.length, version);
    this.step(() => {
      for (const { table, key, version, value } of writes) {
        const rowKey = this.#rows.key(table, key);
        if (value === undefined) this.#database.removeSync(rowKey);
        else this.#database.putSync(rowKey, this.#rows.value(version, value));
      }
    });
  }

  /**
   * The same for what `fill` writes, in the order of its calls.
   * What it throws is the device's or LMDB's last word, or that of `fill`: nobody writes to this
   * environment again.
   */
  step(fill: (writer: StepWriter) => void): void {
    this.#assertOpen();
    assert(!this.#readOnly, "the environment was opened read-only");
    // The braces matter: a promise that a callback returns would keep the transaction open.
    this.#database.transactionSync(() => {
      fill(this.#writer);
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

  /** Copies a row's value out once it is checked (N2, N3); its key is that made last. */
  #checked(rowKey: Uint8Array, row: Uint8Array): StoredValue {
    const stored = this.#rows.read(row);
    if (typeof stored === "string") throw this.#corrupt(rowKey, stored);
    return stored;
  }

  #corrupt(rowKey: Uint8Array, what: string): PartitaError {
    const table = (rowKey[0] ?? 0) * 256 + (rowKey[1] ?? 0);
    const key = Buffer.from(keyOfRow(rowKey)).toString("hex");
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
  return lmdb().open<Buffer, Uint8Array>(path, settings);
}

/** Loads LMDB on this thread, unless it is: for who must know when that is over (N5). */
export function loadLmdb(): void {
  lmdb();
}

function lmdb(): typeof Lmdb {
  // The one file that it has for `require` is loaded twice as fast as its modules, in every thread.
  // cast: both are made of the same sources.
  loaded ??= createRequire(import.meta.url)("lmdb") as typeof Lmdb;
  return loaded;
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

function assertWritable(table: TableId, keyBytes: number, version: number): void {
  assert(Number.isInteger(table) && table >= 0 && table < 0xffff, () => `${table} is no table`);
  assert(
    keyBytes > 0 && keyBytes <= limits.keyBytesMax,
    () => `a key of ${keyBytes} bytes for the environment`,
  );
  assert(Number.isSafeInteger(version) && version >= 0, () => `${version} is no version`);
}
