// Neighbour asking — the way of one node invocation to another topology, and what is noted of it.
//
// Owns: asking until there is an answer, and the notes in the node's journal by which a later run
// finds what an earlier one did there. Leaves to others: what is asked, and in which order it is
// noted (neighbour-agents.ts), the way there (TaskPort.neighbour).
//
// Invariants:
//   Q1. A place is taken in the journal when the function calls; what is noted at it is what every
//       later run that does the same goes by.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { noteDigest } from "../../runtime/node-operations.js";
import type { JournalStep } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { messageBounds } from "../wire/message-bounds.js";
import { encodeNeighbourRequest, type NeighbourRequest } from "../wire/neighbour-request.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";

/** A place in the journal, by its name. */
export interface NamedStep extends JournalStep {
  readonly name: Uint8Array;
}

export class NeighbourAsking {
  readonly #active: ActiveNode;
  readonly #port: TaskPort;
  readonly #topology: string;

  constructor(active: ActiveNode, port: TaskPort, topology: string) {
    this.#active = active;
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

  /** Takes the next place for a note of that name (Q1). */
  place(text: string): NamedStep {
    const name = noteName(text);
    return { name, ...this.#active.journal.claim(noteDigest(name)) };
  }

  /** What an earlier run noted under that name, so many places ahead. */
  noted(text: string, ahead: number): unknown {
    const { journal } = this.#active;
    const known = journal.earlier(ahead, noteDigest(noteName(text)));
    return known === undefined ? undefined : decodeMessage(known.bytes);
  }

  /** What is noted at a place; what `make` gives, when nothing is. `of`: whose answer it is. */
  async keep(place: NamedStep, of: string, make: () => Promise<unknown>): Promise<unknown> {
    if (place.known !== undefined) return decodeMessage(place.known.bytes);
    const port = this.#port;
    const bytes = encodeMessage(await make(), `answer of ${of}`);
    this.#active.assertWrites();
    // What no row can hold is asked for again by a later run.
    const { resultBytesMax } = messageBounds(port.rowBytesMax);
    if (bytes.length <= resultBytesMax)
      await port.note(this.#active.journal, place, place.name, bytes);
    return decodeMessage(bytes);
  }
}

/** What is noted of a call before it is sent: it is sent again so, whatever a later run gives. */
export interface NotedCall {
  readonly call: string;
  readonly metadata: Uint8Array;
  /** Who has called (wire/carried.ts). */
  readonly callers: Uint8Array;
}

function noteName(name: string): Uint8Array {
  return Buffer.from(`neighbour ${name}`);
}
