// Marks — the newest sequence number this task has applied from each source.
//
// A mark changes in the same frame as the effects of the messages it counts, so a message that
// comes again after a crash is known, and one that was lost is missed.
// Owns: duplicate, gap or next, and which of it is on the device. Leaves to others: resending
// (outbox.ts at the source), rows (stream-rows.ts).
//
// Invariants:
//   K1. A source's mark changes only in the frame that holds the effects of those messages.
//   K2. A message is applied only when its number is the mark's successor.
//   K3. `durable <= committed <= applied`; in mode `durable` the first two are equal when the gate
//       opens. The source may forget what is durable here, never more.
//   K4. Of one gap a source is told once: what it sends again follows on what it has sent, so each
//       message that was on the way comes too early too, and would ask for all of it again.

import type { RecordWrite, TaskStorage } from "../store/storage.js";
import { encodeMark, peerKey, readMarks, streamRecord } from "./stream-rows.js";
import { systemTable } from "./system-table.js";

/** What a message's number says. */
export type Arrival = "next" | "duplicate" | "gap";

export class Marks {
  readonly #storage: TaskStorage;
  readonly #epoch: number;
  readonly #applied = new Map<number, number>();
  readonly #committed = new Map<number, number>();
  readonly #durable = new Map<number, number>();
  /** Sources that the batch in hand has moved. */
  readonly #touched = new Set<number>();
  /** Sources whose committed mark may not be on the device: moved by frames up to `#batch`. */
  readonly #volatile = new Set<number>();
  #batch: number;
  /** Sources whose durable mark has moved since somebody asked. */
  readonly #moved = new Set<number>();
  /** By source: the number that it was asked to go on from. */
  readonly #asked = new Map<number, number>();

  constructor(storage: TaskStorage, epoch: number) {
    this.#storage = storage;
    this.#epoch = epoch;
    this.#batch = storage.batchLast;
    for (const [source, applied] of readMarks(storage)) {
      for (const marks of [this.#applied, this.#committed, this.#durable]) {
        marks.set(source, applied);
      }
    }
  }

  /** By source: the newest number whose effects are visible. */
  get entries(): readonly (readonly [source: number, applied: number])[] {
    return [...this.#committed];
  }

  /** Newest number applied, the batch in hand included. */
  applied(source: number): number {
    return this.#applied.get(source) ?? 0;
  }

  /** Newest number whose effects are visible: all that may be said to others. */
  committed(source: number): number {
    return this.#committed.get(source) ?? 0;
  }

  /** Newest number whose effects a power cut cannot take. */
  durable(source: number): number {
    return this.#durable.get(source) ?? 0;
  }

  arrival(source: number, sequence: number): Arrival {
    const next = this.applied(source) + 1;
    if (sequence === next) return "next";
    return sequence < next ? "duplicate" : "gap";
  }

  /** Whether the source is to be told of the gap before what has just arrived (K4). */
  asksAgain(source: number): boolean {
    const next = this.applied(source) + 1;
    if (this.#asked.get(source) === next) return false;
    this.#asked.set(source, next);
    return true;
  }

  /** The source begins anew, and with it what it was told. */
  forgetAsked(source: number): void {
    this.#asked.delete(source);
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
      const key = peerKey(this.#epoch, source);
      const value = encodeMark(this.applied(source));
      return streamRecord(systemTable.marks, key, value, false, nextVersion());
    });
  }

  /** The frame is visible. */
  commit(): void {
    // A swap of arenas, before the frame was written, may have synced those before it.
    this.settle();
    for (const source of this.#touched) {
      this.#committed.set(source, this.applied(source));
      this.#volatile.add(source);
    }
    this.#touched.clear();
    this.#batch = this.#storage.batchLast;
    this.settle();
  }

  /** Takes note of what is on the device by now. */
  settle(): void {
    if (this.#volatile.size === 0 || this.#storage.batchDurable < this.#batch) return;
    for (const source of this.#volatile) {
      this.#durable.set(source, this.committed(source));
      this.#moved.add(source);
    }
    this.#volatile.clear();
  }

  /** The sources to be told what is durable; each is named once for each time it moved. */
  takeMoved(): readonly number[] {
    if (this.#moved.size === 0) return [];
    const sources = [...this.#moved];
    this.#moved.clear();
    return sources;
  }
}
