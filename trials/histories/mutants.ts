// Mutants — rules of reading and acknowledging, each broken in a copy of `dist`: the histories of
// a run must show it.

import type { Mutant } from "../mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "replies leave before their batch is visible",
    file: "runtime/task-driver.js",
    find: "for (const [table, version] of batch.clears)",
    replace: `for (const [thread, body] of batch.replies) {
      this.#outlet.post(thread, section.replies, this.task.taskId, thread, body.finish());
    }
    batch.replies.clear();
    for (const [table, version] of batch.clears)`,
  },
  {
    name: "a reader takes no notice of the generation",
    file: "store/reader.js",
    find: "this.#generation = this.#control.generation;",
    replace: "this.#generation = 0;",
    also: { find: " && this.#control.generation === this.#generation", replace: "" },
  },
  {
    name: "a read does not wait for its own thread's writes",
    file: "runtime/lane.js",
    find: "pendingWrites(keyHash) {",
    replace: "pendingWrites(keyHash) { return 0;",
  },
];
