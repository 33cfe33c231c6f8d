// Reader — any thread's look at a task's committed state, without a message to its owner.
//
// A seqlock: note the generation, look, copy out, and see whether it is the same; otherwise look
// again.
// Owns: that check and this thread's read-only environment. Leaves to others: the layers (view.ts).
//
// Invariants:
//   G1. What is returned was true at one instant between the call and its return.
//   G2. The environment's snapshot is renewed when the generation changed since it was last used:
//       it is never older than the arenas that were looked at before it.

import { join } from "node:path";
import { Arena } from "./arena.js";
import { Environment } from "./environment.js";
import type { KeyRange, StoredRow, StoredValue, TableId, TaskReader } from "./storage.js";
import { environmentFolder } from "./task-files.js";
import { ControlWords, type TaskMemory } from "./task-memory.js";
import { View } from "./view.js";

export interface TaskReaderOptions {
  /** The task's directory. */
  readonly directory: string;
  readonly taskId: number;
  readonly memory: TaskMemory;
}

/** Looks before the owner is asked: it is within a change, which takes milliseconds at most. */
const attemptsMax = 64;
/** The same for a page, of which one look costs as much as a thousand for a key. */
const pageAttemptsMax = 8;

/** A reader for this thread. The environment is opened with the first look that needs it. */
export function openTaskReader(options: TaskReaderOptions): TaskReader {
  return new SharedReader(options);
}

class SharedReader implements TaskReader {
  readonly #options: TaskReaderOptions;
  readonly #control: ControlWords;
  readonly #view: View;
  #environment: Environment | undefined;
  /** Generation at the environment's last renewal. */
  #seen = -1;
  #generation = 0;

  constructor(options: TaskReaderOptions) {
    const { memory } = options;
    this.#options = options;
    this.#control = new ControlWords(memory);
    const arenas = [new Arena(memory.arenas[0]), new Arena(memory.arenas[1])] as const;
    this.#view = new View(this.#control, arenas, () => this.#fresh());
  }

  get(table: TableId, key: Uint8Array, keyHash: number): StoredValue | undefined | "busy" {
    return this.#consistent(attemptsMax, () => this.#view.get(table, key, keyHash));
  }

  page(table: TableId, range: KeyRange, limit: number): readonly StoredRow[] | "busy" {
    return this.#consistent(pageAttemptsMax, () => this.#view.page(table, range, limit));
  }

  async close(): Promise<void> {
    const environment = this.#environment;
    this.#environment = undefined;
    await environment?.close();
  }

  #consistent<T>(attempts: number, look: () => T | "moved"): T | "busy" {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      this.#generation = this.#control.generation;
      if (this.#generation % 2 !== 0) continue;
      try {
        const found = look();
        if (found !== "moved" && this.#control.generation === this.#generation) return found;
      } catch (error) {
        // Memory that is being reused can lead a look astray; only under one generation is it a
        // fault.
        if (this.#control.generation === this.#generation) throw error;
      }
    }
    return "busy";
  }

  #fresh(): Environment {
    const { directory, taskId } = this.#options;
    this.#environment ??= Environment.open(join(directory, environmentFolder), {
      taskId,
      readOnly: true,
    });
    if (this.#seen !== this.#generation) {
      this.#environment.refresh();
      this.#seen = this.#generation;
    }
    return this.#environment;
  }
}
