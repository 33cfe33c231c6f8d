// Mutants — rules of the runtime, each broken in a copy of `dist`: a torture must notice.

import type { Mutant } from "../mutant.js";

/** Replies leave, and their batch is written two milliseconds later. */
const repliesFirst = `for (const [thread, body] of batch.replies) {
      this.#outlet.post(thread, section.replies, this.task.taskId, thread, body.finish());
    }
    batch.replies.clear();`;

export const mutants: readonly Mutant[] = [
  {
    name: "replies leave before their batch is written",
    file: "runtime/task-driver.js",
    find: "if (hasRoom)\n            this.#commit(batch);",
    replace: `if (hasRoom) {
    ${repliesFirst}
    this.#hold(batch);
    setTimeout(() => { this.#letGo(); this.#commit(batch); }, 2);
  }`,
  },
  {
    name: "a segment is deleted before its checkpoint",
    file: "store/task-storage.js",
    find: "await runCheckpoint(job);",
    replace: "deleteSegment(directory, segment.file); await runCheckpoint(job);",
    also: {
      find: "await segment.close();\n                deleteSegment(directory, segment.file);",
      replace: "await segment.close();",
    },
  },
  {
    name: "clears are not in the log",
    file: "store/task-storage.js",
    find: ", ...clearWrites(this.#clears)]",
    replace: "]",
  },
  {
    name: "what a task has applied is not in its frames",
    file: "runtime/marks.js",
    find: "return [...this.#touched].map(",
    replace: "return [].map(",
  },
  {
    name: "messages on their way are not sent again after a start",
    file: "runtime/task-driver.js",
    find: "this.#outlet.greet(this.task.taskId, destination);",
    replace: "",
  },
  {
    name: "a call is carried out again under its id",
    file: "runtime/call-records.js",
    find: "const isCall = stamp.kind === stampKind.call;",
    replace: "const isCall = stamp.kind === stampKind.call; if (isCall) return undefined;",
  },
  {
    name: "the store operations of a node are carried out again",
    file: "runtime/operation-journal.js",
    find: "of rows) {",
    replace: "of []) {",
    also: {
      find: "this.#recorded === undefined ? stampKind.first : stampKind.again",
      replace: "stampKind.first",
    },
  },
  {
    name: "what a wait came to is not recorded",
    file: "agents/node/waits.js",
    find: "turn.recordOperation(operationId(operationPrefix(run), index + 1), row.digest, kept);",
    replace: "",
  },
  {
    name: "a later attempt calls again what an earlier one has called",
    file: "agents/node/sub-agents.js",
    find: "const attempt = this.#attemptOf(waits, kind, idOf);",
    replace: "const { attempt } = this.#run;",
  },
  {
    name: "who waits for another agent is forgotten",
    file: "agents/home/questions.js",
    find: "addCaller(turn, invocationId, caller);",
    replace: "if (invocationId[15] % 8 > 0) addCaller(turn, invocationId, caller);",
  },
  {
    name: "a node ends before its chunks are durable",
    file: "agents/node/active-node.js",
    find: "await this.#chunks?.drained();",
    replace: "",
  },
  {
    name: "chunks of another run are added to those of the one before",
    file: "agents/home/streams.js",
    find: "before.run.boot === run.boot && before.run.no === run.no",
    replace: "before.run.boot > 0",
  },
  {
    name: "a fence is not kept",
    file: "agents/node/fences.js",
    find: "turn.put(fenceTable, invocationId, encodeFence(fence));",
    replace: "",
  },
];
