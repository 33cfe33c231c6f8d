// A model of one task's storage: plain maps, one per frame, so that it can go back to the frame
// that a
// crash left.

import { expect } from "vitest";
import type {
  KeyRange,
  RecordWrite,
  StoredRow,
  StoredValue,
  TableId,
  TaskReader,
  TaskStorage,
} from "../../store/storage.js";
import { encodedOnce } from "../../store/value.js";
import { hex } from "./storage-bytes.js";

/** What a model run is tried on. */
export interface StorageSubject {
  readonly storage: TaskStorage;
  readonly reader: TaskReader;
  reopen(): Promise<void>;
  /** Stops as in a power cut and opens what it left; `luck` picks how much of the rest survived. */
  crash(luck: CrashLuck): Promise<void>;
  close(): Promise<void>;
}

/** The random choices of a crash. */
export interface CrashLuck {
  /** How much of what was not durable made it, from 0 to 1. */
  readonly kept: number;
  /** What stands behind that: nothing, zeros, or the rest with a hole before it. */
  readonly tail: "nothing" | "zeros" | "hole";
  /** A checkpoint is under way: started so many event turns before. */
  readonly checkpointTurns: number | undefined;
  /** A frame is written and neither synced nor visible. */
  readonly frameInHand: boolean;
}

/** Tables that a frame clears, each with the version up to which it does. */
export type Clears = readonly (readonly [TableId, number])[];

type Rows = ReadonlyMap<string, string>;

/** State after one frame: rows as `table/key in hex` → `version:value in hex`. */
interface State {
  readonly rows: Rows;
  readonly version: number;
}

/** See the head of the file. */
export class StorageModel {
  /** States by frame number; all that a crash may go back to. */
  #states: State[] = [{ rows: new Map(), version: 0 }];
  #durableBatch = 0;
  readonly durable: boolean;

  constructor(durable: boolean) {
    this.durable = durable;
  }

  get state(): State {
    return this.#states.at(-1) ?? { rows: new Map(), version: 0 };
  }

  get batch(): number {
    return this.#states.length - 1;
  }

  has(table: TableId, key: Uint8Array): boolean {
    return this.state.rows.has(nameOf(table, key));
  }

  /** A frame that is written and perhaps not durable. */
  append(records: readonly RecordWrite[], clears: Clears): void {
    const rows = new Map(this.state.rows);
    let { version } = this.state;
    for (const [table, clearedTo] of clears) {
      for (const name of [...rows.keys()]) if (name.startsWith(`${table}/`)) rows.delete(name);
      version = Math.max(version, clearedTo);
    }
    for (const record of records) {
      const name = nameOf(record.table, record.key);
      if (record.value === undefined) rows.delete(name);
      else rows.set(name, `${record.version}:${hex(encodedOnce(record.value))}`);
      version = Math.max(version, record.version);
    }
    this.#states.push({ rows, version });
  }

  /** A frame that is committed. */
  commit(records: readonly RecordWrite[], clears: Clears): void {
    this.append(records, clears);
    if (this.durable) this.#durableBatch = this.batch;
  }

  /** Everything up to now survives any crash from here on. */
  becameDurable(): void {
    this.#durableBatch = this.batch;
  }

  /** Goes back to frame `batch`, which must be one that a crash may leave. */
  crashedTo(batch: number): void {
    expect(batch).toBeGreaterThanOrEqual(this.#durableBatch);
    expect(batch).toBeLessThanOrEqual(this.batch);
    this.#states = this.#states.slice(0, batch + 1);
    this.#durableBatch = batch;
  }

  get(table: TableId, key: Uint8Array): string | undefined {
    return this.state.rows.get(nameOf(table, key));
  }

  page(table: TableId, range: KeyRange, limit: number): readonly string[] {
    const from = range.from === undefined ? "" : hex(range.from);
    const to = range.to === undefined ? "g" : hex(range.to);
    const found: string[] = [];
    for (const [name, value] of this.state.rows) {
      const key = name.slice(name.indexOf("/") + 1);
      if (name.startsWith(`${table}/`) && key >= from && key < to) found.push(`${key}=${value}`);
    }
    found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    if (range.reverse) found.reverse();
    return found.slice(0, limit);
  }
}

/** The name of a key among the rows of all tables. */
export function nameOf(table: TableId, key: Uint8Array): string {
  return `${table}/${hex(key)}`;
}

function keyOf(row: string): string {
  return row.slice(0, row.indexOf("="));
}

/** A value as `version:hex`. */
export function shown(stored: StoredValue | undefined | "busy"): string | undefined {
  if (stored === "busy") throw new Error("busy without a change under way");
  return stored === undefined ? undefined : `${stored.version}:${hex(stored.value)}`;
}

/** Rows as `key=version:value`, in hex. */
export function shownPage(rows: readonly StoredRow[] | "busy"): readonly string[] {
  if (rows === "busy") throw new Error("busy without a change under way");
  return rows.map((row) => `${hex(row.key)}=${row.version}:${hex(row.value)}`);
}
