// Completion — what follows when a node function has returned: its emits go to the tasks that are
// to run them, and home is told what the node invocation was and came to.
//
// Owns: where each emit runs. Leaves to others: nodes that have failed (failed-nodes.ts), rows
// (node-queue.ts), what home does with the ack (home/).
// Invariant E2 of execution.ts.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import { type EmitRecord, encodeAck } from "../wire/ack.js";
import { childNodeId, placementOf } from "../wire/invocation-id.js";
import { type CompletedMessage, decodeRun, encodeRun, type RunMessage } from "../wire/message.js";
import { forgetOperations } from "./failed-nodes.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRunner } from "./node-runner.js";
import { PlainRound } from "./plain-round.js";

export class Completions {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #runner: NodeRunner;

  constructor(port: TaskPort, queue: NodeQueue, runner: NodeRunner) {
    this.#port = port;
    this.#queue = queue;
    this.#runner = runner;
  }

  /** A node function has returned, and not failed. */
  complete(turn: Turn, message: CompletedMessage): void {
    const { arrivalNo, attempt, end, carry, trace, recorded } = message;
    const taken = decodeRun(this.#queue.take(turn, arrivalNo));
    const { invocationId, nodeInvocationId, node, scope } = taken;
    const round = new PlainRound(this.#port);
    const emits = message.emits.map((emit, index): EmitRecord => {
      const id = childNodeId(nodeInvocationId, index);
      const task = emit.key === undefined ? round.next() : this.#port.ownerOf(hashKey(emit.key));
      const run: RunMessage = { ...taken, attempt, ...emit, nodeInvocationId: id };
      turn.send(task, encodeRun(run));
      return { id, task, ...emit };
    });
    const home = this.#port.ownerOf(placementOf(invocationId));
    const task = this.#port.taskId;
    const ended = { node, scope, attempt, task, end, emits, gather: "", carry, trace };
    turn.send(home, encodeAck({ kind: "ack", invocationId, nodeInvocationId, ...ended }));
    forgetOperations(turn, taken, recorded);
    turn.afterCommit(() => this.#runner.completed(arrivalNo));
  }
}
