// Marks — the newest sequence number this task has applied from each source.
//
// A mark changes in the same frame as the effects of the messages it counts, so a message that
// comes again after a crash is known, and one that was lost is missed.
// Owns: duplicate, gap or next. Leaves to others: resending (outbox.ts at the source).
//
// Invariants:
//   K1. A source's mark changes only in the frame that holds the effects of those messages.
//   K2. A message is applied only when its number is the mark's successor.

import { ByteReader } from "../base/byte-reader.js";
import { ByteWriter } from "../base/byte-writer.js";
import { limits } from "../base/limits.js";
import { hashKey } from "../store/key-hash.js";
import type { RecordWrite, TaskStorage } from "../store/storage.js";
import { systemTable } from "./system-table.js";

/** What a message's number says. */
export type Arrival = "next" | "duplicate" | "gap";

export class Marks {
  readonly #applied = new Map<number, number>();
  readonly #durable = new Map<number, number>();
  readonly #touched = new Set<number>();

  constructor(storage: TaskStorage) {
    for (const row of storage.page(systemTable.marks, {}, limits.tasksMax)) {
      const source = new ByteReader(row.key).u16();
      const applied = new ByteReader(row.value).uint64();
      this.#applied.set(source, applied);
      this.#durable.set(source, applied);
    }
  }

  /** Newest number applied, the batch in hand included. */
  applied(source: number): number {
    return this.#applied.get(source) ?? 0;
  }

  /** Newest number whose effects are durable: all that may be said to others. */
  durable(source: number): number {
    return this.#durable.get(source) ?? 0;
  }

  arrival(source: number, sequence: number): Arrival {
    const next = this.applied(source) + 1;
    if (sequence === next) return "next";
    return sequence < next ? "duplicate" : "gap";
  }

  /** The message is applied in the batch in hand. */
  advance(source: number, sequence: number): void {
    this.#applied.set(source, sequence);
    this.#touched.add(source);
  }

  get changed(): boolean {
    return this.#touched.size > 0;
  }

  /** The rows of the batch: one for each source that moved. */
  writes(nextVersion: () => number): RecordWrite[] {
    return [...this.#touched].map((source) => {
      const value = new ByteWriter();
      value.uint64(this.applied(source));
      const key = sourceKey(source);
      const keyHash = hashKey(key);
      const table = systemTable.marks;
      return { table, key, keyHash, version: nextVersion(), value: value.finish(), fresh: false };
    });
  }

  committed(): void {
    for (const source of this.#touched) this.#durable.set(source, this.applied(source));
    this.#touched.clear();
  }
}

function sourceKey(source: number): Uint8Array {
  const key = new ByteWriter();
  key.u16(source);
  return key.finish();
}
