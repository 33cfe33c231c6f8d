// Done nodes — node invocations that are done for good: tasks that have recorded operations of them
// are told to forget those.
//
// Almost every node invocation that changes a store leaves such a record, half of them on another
// task. A message for each would cost two rows here and one turn there; so what the nodes of one
// batch leave goes to each task as one message, in the frame that ends them.
// Owns: gathering these messages. Leaves to others: when a node invocation is done (completion.ts,
// failed-nodes.ts), which records there are (runtime/operation-journal.ts).
//
// Invariant: a record is forgotten in the frame in which its node invocation is done, or by a
// message that leaves with that frame. What gathers here is not taken back: a message that can be
// refused comes here last.

import { operationId } from "../../runtime/operation-id.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { operationPrefix } from "../wire/invocation-id.js";
import { type DoneOperations, encodeForget, type RunMessage } from "../wire/message.js";
import type { RecordedOperations } from "../wire/recorded-operations.js";

/** Numbers of operations in one message: beyond that it goes at once. */
const indexesMax = 4_096;

interface Gathered {
  readonly done: DoneOperations[];
  indexes: number;
}

export class DoneNodes {
  readonly #port: TaskPort;
  /** By task: what the batch in hand has for it so far. */
  readonly #gathered = new Map<number, Gathered>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** A node invocation is done in the batch in hand. */
  forget(turn: Turn, run: RunMessage, recorded: readonly RecordedOperations[]): void {
    if (recorded.length === 0) return;
    const prefix = operationPrefix(run);
    for (const { task, indexes } of recorded) {
      const done = { prefix, indexes };
      if (task === this.#port.taskId) forgetHere(turn, done);
      else this.#gather(turn, task, done);
    }
  }

  #gather(turn: Turn, task: number, done: DoneOperations): void {
    if (this.#gathered.size === 0) turn.lastly((last) => this.#send(last));
    let gathered = this.#gathered.get(task);
    if (gathered === undefined || gathered.indexes + done.indexes.length > indexesMax) {
      if (gathered !== undefined) turn.send(task, encodeForget({ kind: "forget", ...gathered }));
      gathered = { done: [], indexes: 0 };
      this.#gathered.set(task, gathered);
    }
    gathered.done.push(done);
    gathered.indexes += done.indexes.length;
  }

  #send(turn: Turn): void {
    for (const [task, { done }] of this.#gathered) {
      turn.send(task, encodeForget({ kind: "forget", done }));
    }
    this.#gathered.clear();
  }
}

/** This task has recorded operations of a node invocation that is done. */
export function forgetHere(turn: Turn, { prefix, indexes }: DoneOperations): void {
  for (const index of indexes) turn.forgetOperation(operationId(prefix, index));
}
