// Overlay over a storage on disk — what a batch leaves is what maps hold, for its owner and for
// readers, whatever the cache has forgotten, a checkpoint has taken over or a clear has hidden.
// Bugs here would look like a deleted row that is back, or a removed table that is not empty.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Overlay } from "../../runtime/overlay.js";
import { runCheckpoint } from "../../store/checkpoint.js";
import { hashKey } from "../../store/key-hash.js";
import { openTaskReader } from "../../store/reader.js";
import { createTaskMemory } from "../../store/task-memory.js";
import { openTaskStorage } from "../../store/task-storage.js";
import { check } from "../support/property.js";
import { bytes, text } from "../support/storage-bytes.js";
import { commit, taskId } from "../support/storage-fixture.js";
import { allRows, shown } from "../support/storage-shown.js";
import { tempDirectory } from "../support/temp-directory.js";

const tables = [16, 17] as const;
const names = ["a", "b"];
/** So few that most rows are forgotten between two batches, or so many that none is. */
const rowsMaxima = fc.constantFrom(2, 100);

const change = fc.record({
  kind: fc.constantFrom("overwrite", "look", "set", "set", "remove", "remove"),
  table: fc.constantFrom(...tables),
  name: fc.constantFrom(...names),
});
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

type Step =
  | { readonly kind: "message"; readonly changes: readonly Change[]; readonly fails: boolean }
  | { readonly kind: "clear"; readonly table: number }
  | { readonly kind: "commit" | "begin checkpoint" | "end checkpoint" | "reopen" };

const message: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("message"),
  changes: fc.array(change, { maxLength: 3 }),
  fails: fc.nat(3).map((chance) => chance === 0),
});
const clear: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("clear"),
  table: fc.constantFrom(...tables),
});
const others: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...(["commit", "commit", "commit", "begin checkpoint", "end checkpoint", "reopen"] as const),
  ),
});
const step = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 1, arbitrary: clear },
  { weight: 8, arbitrary: others },
);
type Model = Map<string, string>;

class Bench {
  readonly #directory = tempDirectory();
  #memory = createTaskMemory({ arenaBytes: 1024 * 1024 });
  #storage!: Awaited<ReturnType<typeof openTaskStorage>>;
  #reader!: ReturnType<typeof openTaskReader>;
  #overlay!: Overlay;
  /** Lets a job go that waits. */
  #letGo: (() => void) | undefined;
  #under: Promise<void> | undefined;
  #number = 0;
  readonly #rowsMax: number;
  committed: Model = new Map();
  batch: Model = new Map();

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  async open(): Promise<void> {
    this.#memory = createTaskMemory({ arenaBytes: 1024 * 1024 });
    this.#storage = await openTaskStorage({
      directory: this.#directory,
      taskId,
      memory: this.#memory,
      durability: "durable",
      runCheckpoint: async (job) => {
        await new Promise<void>((resolve) => {
          this.#letGo = resolve;
        });
        return runCheckpoint(job);
      },
    });
    this.#reader = openTaskReader({ directory: this.#directory, taskId, memory: this.#memory });
    const bounds = { rowsMax: this.#rowsMax, bytesMax: 100_000, valueBytesMax: 10_000 };
    this.#overlay = new Overlay(this.#storage, { ...bounds, ownRowsMax: 4, ownBytesMax: 1_000 });
  }

  async close(): Promise<void> {
    await this.#end();
    await this.#reader.close();
    await this.#storage.close();
  }

  async #end(): Promise<void> {
    while (this.#under !== undefined || this.#letGo !== undefined) {
      this.#letGo?.();
      this.#letGo = undefined;
      await this.#under;
      this.#under = undefined;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #change({ kind, table, name }: Change): void {
    const id = `${table} ${name}`;
    const key = bytes(name);
    this.#number += 1;
    const value = `${this.#number}`;
    switch (kind) {
      case "overwrite":
        this.#overlay.overwrite(table, key, bytes(value), false);
        this.batch.set(id, value);
        return;
      case "set": {
        const row = this.#overlay.row(table, key);
        expect(row.present).toBe(this.batch.has(id));
        this.#overlay.setBytes(row, bytes(value));
        this.batch.set(id, value);
        return;
      }
      case "remove": {
        const row = this.#overlay.row(table, key);
        expect(row.present).toBe(this.batch.has(id));
        if (row.present) this.#overlay.remove(row);
        this.batch.delete(id);
        return;
      }
      default: {
        const found = this.#overlay.encoded(this.#overlay.row(table, key));
        expect(found === undefined ? undefined : text(found)).toBe(this.batch.get(id));
      }
    }
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case "message": {
        const { changes, fails } = next;
        const before = new Map(this.batch);
        this.#overlay.savepoint();
        for (const each of changes) this.#change(each);
        if (fails) {
          this.#overlay.rollback();
          this.batch = before;
        } else this.#overlay.release();
        return;
      }
      case "clear": {
        const { table } = next;
        this.#overlay.clear(table);
        for (const id of [...this.batch.keys()])
          if (id.startsWith(`${table} `)) this.batch.delete(id);
        return;
      }
      case "commit":
        await this.#commit();
        return;
      case "begin checkpoint":
        if (this.#under === undefined) {
          this.#under = this.#storage.checkpoint();
          await new Promise((resolve) => setImmediate(resolve));
        }
        break;
      case "end checkpoint":
        await this.#end();
        break;
      default:
        await this.#commit();
        await this.close();
        await this.open();
    }
    this.#same();
  }

  async #commit(): Promise<void> {
    const { records, clears } = this.#overlay.writes();
    if (this.#overlay.changed) await commit(this.#storage, records, [...clears]);
    this.#overlay.committed();
    this.committed = new Map(this.batch);
    this.#same();
  }

  #same(): void {
    for (const source of [this.#storage, this.#reader]) {
      for (const table of tables) {
        const expected = new Map<string, string>();
        for (const name of names) {
          const value = this.committed.get(`${table} ${name}`);
          if (value !== undefined) expected.set(name, value);
          const key = bytes(name);
          const found = shown(source.get(table, key, hashKey(key)));
          expect(found?.split(":")[1]).toBe(value);
        }
        expect(
          new Map(allRows(source, table).map((row) => [text(row.key), text(row.value)])),
        ).toEqual(expected);
      }
    }
  }
}

describe("overlay model — on a disk", () => {
  it("is what the maps are", async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 80, size: "max" });
    const property = fc.asyncProperty(steps, rowsMaxima, async (chosen, rowsMax) => {
      const bench = new Bench(rowsMax);
      await bench.open();
      try {
        for (const each of chosen) await bench.take(each);
      } finally {
        await bench.close();
      }
    });
    await check(property, { runs: 60 });
  }, 300_000);
});
