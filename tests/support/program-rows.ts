// Rows of one harness task: what is committed, and what the batch in hand would change.
//
// The contract is that of `Turn` and `TaskPort` (runtime/task-program.ts), in plain maps. Copies
// every byte that goes in, as storages do, so that a program which changes them later is caught.

import { PartitaError } from "../../base/errors.js";
import type { KeyRange, StoredRow } from "../../store/storage.js";

type Table = Map<string, Uint8Array>;

/** A page may always be shorter than asked for; only an empty one is the end. */
const shortPageRows = 2;

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

/** Committed rows; they survive a crash. */
export class CommittedRows {
  readonly #tables = new Map<number, Table>();
  /** Every key that was ever written: a fresh row must have a key of its own. */
  readonly #used = new Set<string>();

  get(table: number, key: Uint8Array): Uint8Array | undefined {
    return this.#tables.get(table)?.get(nameOf(key))?.slice();
  }

  page(table: number, range: KeyRange, limit: number): readonly StoredRow[] {
    const names = [...(this.#tables.get(table)?.keys() ?? [])].sort();
    const from = range.from === undefined ? "" : nameOf(range.from);
    const to = range.to === undefined ? undefined : nameOf(range.to);
    const within = names.filter((name) => name >= from && (to === undefined || name < to));
    if (range.reverse) within.reverse();
    return within.slice(0, Math.min(limit, shortPageRows)).map((name) => {
      const key = new Uint8Array(Buffer.from(name, "latin1"));
      return { version: 1, key, value: this.get(table, key) ?? new Uint8Array(0) };
    });
  }

  /** A table is as it was at an earlier moment: keys that were first used since are new again. */
  bringBack(table: number, rows: readonly StoredRow[]): void {
    for (const used of this.#used) if (used.startsWith(`${table} `)) this.#used.delete(used);
    const old: Table = new Map();
    for (const { key, value } of rows) {
      old.set(nameOf(key), value);
      this.#used.add(`${table} ${nameOf(key)}`);
    }
    this.#tables.set(table, old);
  }

  count(table: number): number {
    return this.#tables.get(table)?.size ?? 0;
  }

  commit(batch: BatchRows): void {
    for (const { table, name, value } of batch.changes()) {
      let rows = this.#tables.get(table);
      if (rows === undefined) {
        rows = new Map();
        this.#tables.set(table, rows);
      }
      this.#used.add(`${table} ${name}`);
      if (value === undefined) rows.delete(name);
      else rows.set(name, value);
    }
  }

  /** Whether there ever was a row of this key. */
  wasUsed(table: number, name: string): boolean {
    return this.#used.has(`${table} ${name}`);
  }
}

function rowTooLarge(valueBytes: number, valueBytesMax: number): PartitaError {
  const where = "a row of this task";
  return new PartitaError("VALUE_TOO_LARGE", { where, valueBytes, valueBytesMax });
}

interface Change {
  readonly table: number;
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

/** The rows as the batch in hand leaves them. */
export class BatchRows {
  readonly #committed: CommittedRows;
  readonly #rowBytesMax: number;
  #changes: Change[] = [];

  /** Throws VALUE_TOO_LARGE for a row of more than `rowBytesMax` bytes, as tasks do. */
  constructor(committed: CommittedRows, rowBytesMax: number) {
    this.#committed = committed;
    this.#rowBytesMax = rowBytesMax;
  }

  get(table: number, key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key);
    const change = this.#changes.findLast((made) => made.table === table && made.name === name);
    return change === undefined ? this.#committed.get(table, key) : change.value?.slice();
  }

  put(table: number, key: Uint8Array, value: Uint8Array, fresh: boolean): void {
    const name = nameOf(key);
    const isKnown =
      this.#committed.wasUsed(table, name) ||
      this.#changes.some((made) => made.table === table && made.name === name);
    if (fresh && isKnown) throw new Error(`a row of table ${table} is not fresh`);
    if (value.length > this.#rowBytesMax) throw rowTooLarge(value.length, this.#rowBytesMax);
    this.#changes.push({ table, name, value: value.slice() });
  }

  delete(table: number, key: Uint8Array): void {
    this.#changes.push({ table, name: nameOf(key), value: undefined });
  }

  changes(): readonly Change[] {
    return this.#changes;
  }

  /** How much was changed so far; `rollback` goes back to it. */
  mark(): number {
    return this.#changes.length;
  }

  rollback(mark: number): void {
    this.#changes = this.#changes.slice(0, mark);
  }
}
