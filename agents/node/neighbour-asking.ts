// Neighbour asking — the way of one node invocation to another topology, and what is noted of it.
//
// Owns: asking until there is an answer. Leaves to others: notes (noted-steps.ts), what is asked,
// and in which order it is noted (neighbour-agents.ts), the way there (TaskPort.neighbour).

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { encodeNeighbourRequest, type NeighbourRequest } from "../wire/neighbour-request.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";
import { NotedSteps } from "./noted-steps.js";

export class NeighbourAsking extends NotedSteps {
  readonly #port: TaskPort;
  readonly #topology: string;

  constructor(active: ActiveNode, port: TaskPort, topology: string) {
    super(active, port, "neighbour");
    this.#port = port;
    this.#topology = topology;
  }

  /** Asks until there is an answer: a task of the other topology may be on its way back. */
  async send(request: NeighbourRequest, signal?: AbortSignal): Promise<unknown> {
    const port = this.#port;
    const bytes = encodeNeighbourRequest(request);
    for (let tries = 1; ; tries += 1) {
      try {
        return decodeMessage(await port.neighbour(this.#topology, bytes, signal));
      } catch (error) {
        const isLast = tries >= limits.neighbourTriesMax || signal?.aborted === true;
        if (isLast || !PartitaError.is(error, "TASK_EXITED")) throw error;
        await new Promise<void>((resolve) => port.after(limits.neighbourPauseMs, resolve));
      }
    }
  }
}

/** What is noted of a call before it is sent: it is sent again so, whatever a later run gives. */
export interface NotedCall {
  readonly call: string;
  readonly metadata: Uint8Array;
  /** Who has called (wire/carried.ts). */
  readonly callers: Uint8Array;
}
