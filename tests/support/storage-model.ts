// A model of one task's storage: plain maps, one per frame, so that it can go back to the frame that a
// crash left. And the operations that are tried on a storage and on the model alike.

import fc from "fast-check";
import { expect } from "vitest";
import { hashKey } from "../../store/key-hash.js";
import type {
  KeyRange,
  RecordWrite,
  StoredRow,
  StoredValue,
  TableId,
  TaskReader,
  TaskStorage,
} from "../../store/storage.js";
import { hex, hostileKeys } from "./storage-bytes.js";
import { commit } from "./storage-fixture.js";

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

  apply(records: readonly RecordWrite[], clears: readonly (readonly [TableId, number])[]): void {
    const rows = new Map(this.state.rows);
    let { version } = this.state;
    for (const [table, clearedTo] of clears) {
      for (const name of [...rows.keys()]) if (name.startsWith(`${table}/`)) rows.delete(name);
      version = Math.max(version, clearedTo);
    }
    for (const record of records) {
      const name = nameOf(record.table, record.key);
      if (record.value === undefined) rows.delete(name);
      else rows.set(name, `${record.version}:${hex(record.value)}`);
      version = Math.max(version, record.version);
    }
    this.#states.push({ rows, version });
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

function nameOf(table: TableId, key: Uint8Array): string {
  return `${table}/${hex(key)}`;
}

function keyOf(row: string): string {
  return row.slice(0, row.indexOf("="));
}

function shown(stored: StoredValue | undefined | "busy"): string | undefined {
  if (stored === "busy") throw new Error("busy without a change under way");
  return stored === undefined ? undefined : `${stored.version}:${hex(stored.value)}`;
}

function shownPage(rows: readonly StoredRow[] | "busy"): readonly string[] {
  if (rows === "busy") throw new Error("busy without a change under way");
  return rows.map((row) => `${hex(row.key)}=${row.version}:${hex(row.value)}`);
}

type Command = fc.AsyncCommand<StorageModel, StorageSubject>;

/** Keys are few, so that they meet again. */
const keys = hostileKeys.slice(0, 9);
const tables = [16, 17];

interface WriteChoice {
  readonly table: TableId;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly saysFresh: boolean;
}

function recordsOf(
  model: StorageModel,
  choices: readonly WriteChoice[],
  version: number,
  cleared: readonly TableId[],
): readonly RecordWrite[] {
  const byKey = new Map(choices.map((choice) => [nameOf(choice.table, choice.key), choice]));
  return [...byKey.values()].map(({ table, key, value, saysFresh }, index) => ({
    table,
    key,
    keyHash: hashKey(key),
    version: version + index,
    value,
    fresh: saysFresh && (cleared.includes(table) || !model.has(table, key)),
  }));
}

class Commit implements Command {
  readonly #choices: readonly WriteChoice[];
  readonly #cleared: readonly TableId[];

  constructor(choices: readonly WriteChoice[], cleared: TableId | undefined) {
    this.#choices = choices;
    this.#cleared = cleared === undefined ? [] : [cleared];
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    const version = subject.storage.versionLast + 1;
    const clears = this.#cleared.map((table) => [table, version] as const);
    const records = recordsOf(model, this.#choices, version + 1, this.#cleared);
    await commit(subject.storage, records, clears);
    model.apply(records, clears);
    expectSame(model, subject);
  }

  toString(): string {
    const writes = this.#choices.map(
      ({ table, key, value, saysFresh }) =>
        `${table}/${hex(key)}=${value === undefined ? "gone" : `${value.length} bytes`}` +
        `${saysFresh ? " fresh" : ""}`,
    );
    return `commit([${writes.join(", ")}], clears [${this.#cleared.join()}])`;
  }
}

class Look implements Command {
  readonly #table: TableId;
  readonly #range: KeyRange;
  readonly #limit: number;

  constructor(table: TableId, range: KeyRange, limit: number) {
    this.#table = table;
    this.#range = range;
    this.#limit = limit;
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, { storage, reader }: StorageSubject): Promise<void> {
    for (const source of [storage, reader]) {
      const page = shownPage(source.page(this.#table, this.#range, this.#limit));
      expect(page).toEqual(model.page(this.#table, this.#range, this.#limit));
      for (const key of keys) {
        const found = shown(source.get(this.#table, key, hashKey(key)));
        expect(found).toBe(model.get(this.#table, key));
      }
    }
  }

  toString(): string {
    const { from, to, reverse } = this.#range;
    const bounds = `${from ? hex(from) : ""}..${to ? hex(to) : ""}${reverse ? " down" : ""}`;
    return `look(${this.#table}, ${bounds}, ${this.#limit})`;
  }
}

class Checkpoint implements Command {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    await subject.storage.checkpoint();
    model.becameDurable();
    expectSame(model, subject);
  }

  toString(): string {
    return "checkpoint";
  }
}

class Flush implements Command {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    subject.storage.flush();
    model.becameDurable();
  }

  toString(): string {
    return "flush";
  }
}

class Reopen implements Command {
  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    await subject.reopen();
    model.becameDurable();
    expectSame(model, subject);
  }

  toString(): string {
    return "reopen";
  }
}

class Crash implements Command {
  readonly #luck: CrashLuck;
  readonly #choices: readonly WriteChoice[];

  constructor(luck: CrashLuck, choices: readonly WriteChoice[]) {
    this.#luck = luck;
    this.#choices = choices;
  }

  check(): boolean {
    return true;
  }

  async run(model: StorageModel, subject: StorageSubject): Promise<void> {
    const { checkpointTurns, frameInHand } = this.#luck;
    if (checkpointTurns !== undefined) {
      // It ends with the storage that it belongs to; how is of no interest.
      subject.storage.checkpoint().catch(() => undefined);
      for (let turn = 0; turn < checkpointTurns; turn += 1) await nextTurn();
    }
    const records = recordsOf(model, this.#choices, subject.storage.versionLast + 1, []);
    if (frameInHand && subject.storage.hasRoom(records)) {
      subject.storage.append(records);
      const { durable } = model;
      const before = new StorageModel(false);
      void before;
      modelInHand(model, records, durable);
    }
    await subject.crash(this.#luck);
    model.crashedTo(subject.storage.batchLast);
    expectSame(model, subject);
  }

  toString(): string {
    return `crash(${JSON.stringify(this.#luck)})`;
  }
}
