// Index keeper — when a task's index is kept in its file for the next launch, and when the file
// goes.
//
// Owns: the two decisions. Leaves to others: the file (index-file.ts).
//
// Invariants:
//   K1. A close writes the file only where a launch would index at least `indexFileBytesMin`
//       without: as a rule a launch that changes little leaves the file as it is, and most
//       directories of tests and small programs have none.
//   K2. The file goes with its segment.

import { limits } from "../base/limits.js";
import type { Arena } from "./arena.js";
import { deleteIndexFile, writeIndexFile } from "./index-file.js";

export class IndexKeeper {
  readonly #directory: string;
  readonly #taskId: number;
  /** First batch of the segment that the file is of; 0 when there is no file. */
  #firstBatch: number;
  /** Where what it indexes ends; by the time of a close that is the newest segment, or nothing. */
  #end: number;

  /** `firstBatch`, `end`: of what the file was found to fit, zeros when it fitted nothing. */
  constructor(directory: string, taskId: number, firstBatch: number, end: number) {
    this.#directory = directory;
    this.#taskId = taskId;
    this.#firstBatch = firstBatch;
    this.#end = end;
  }

  /**
   * At a close, behind the last checkpoint: `arena` is that of the newest segment, all its records
   * are published.
   */
  keep(firstBatch: number, arena: Arena): void {
    if (arena.tail - this.#end < limits.indexFileBytesMin) return;
    writeIndexFile({ directory: this.#directory, taskId: this.#taskId, firstBatch }, arena);
  }

  /** The segment that begins with this batch was deleted. */
  forget(firstBatch: number): void {
    if (this.#firstBatch !== firstBatch) return;
    this.#firstBatch = 0;
    this.#end = 0;
    deleteIndexFile(this.#directory);
  }
}
