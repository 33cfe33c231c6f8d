// Probes — what a task answers when others ask what its rows are and wait for: the home task of an
// invocation, whether it holds a row of it; a task where a row waits for a key (key-deadlocks.ts),
// whether one waits for another invocation.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { encodeWaitsForReply, type WaitsForMessage } from "../wire/chain-message.js";
import { isSameNode, placementOf } from "../wire/invocation-id.js";
import { encodeStall, type GoneMessage, type ProbeMessage } from "../wire/stall-message.js";
import { noBytes } from "../wire/wire-field.js";
import type { NodeQueue } from "./node-queue.js";
import type { NodeRunner } from "./node-runner.js";

export class Probes {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #runner: NodeRunner;

  constructor(port: TaskPort, queue: NodeQueue, runner: NodeRunner) {
    this.#port = port;
    this.#queue = queue;
    this.#runner = runner;
  }

  /**
   * Passes a probe on to the task that is to run the node, or looks whether this one does. What
   * came before the probe is there when the frame in hand is committed.
   */
  probe(turn: Turn, message: ProbeMessage): void {
    const { taskId } = this.#port;
    if (message.task !== taskId) {
      turn.send(message.task, encodeStall(message));
      return;
    }
    const { invocationId, nodeInvocationId } = message;
    const { task: _task, ...subject } = message;
    turn.afterCommit(() => {
      const isHeld = this.#runner.held.of(invocationId).some((arrivalNo) => {
        const run = this.#queue.peek(arrivalNo);
        // Gone with the frame that has just been committed: its ack is on the way home.
        return run === undefined || isSameNode(run.nodeInvocationId, nodeInvocationId);
      });
      if (isHeld) return;
      this.#port.submit(encodeStall({ ...subject, kind: "gone" }));
    });
  }

  /** Whether a row of the caller waits for the child. */
  waitsFor({ caller, child }: WaitsForMessage): Uint8Array {
    const rows = this.#runner.held.of(caller);
    const waits = rows.some((arrivalNo) => {
      return this.#runner.awaited.of(arrivalNo).some((id) => Buffer.compare(id, child) === 0);
    });
    const [carried = noBytes] = rows.flatMap(
      (arrivalNo) => this.#queue.peek(arrivalNo)?.carried ?? [],
    );
    return encodeWaitsForReply({ waits, carried });
  }

  /** It is not here, and its ack, if it has finished, is on the way home: this goes behind it. */
  gone(turn: Turn, message: GoneMessage): void {
    const home = this.#port.ownerOf(placementOf(message.invocationId));
    turn.send(home, encodeStall({ ...message, kind: "missing" }));
  }
}
