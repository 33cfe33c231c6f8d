// Noted steps — what one node invocation notes in its journal, so that a later run finds what an
// earlier one has done elsewhere.
//
// Leaves to others: what is noted, and in which order (neighbour-agents.ts, sub-forks.ts).
//
// Invariants:
//   Q1. A place is taken in the journal when the function calls; what is noted at it is what every
//       later run that does the same goes by.

import { noteDigest } from "../../runtime/node-operations.js";
import type { JournalStep } from "../../runtime/operation-journal.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { messageBounds } from "../wire/message-bounds.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";

/** A place in the journal, by its name. */
export interface NamedStep extends JournalStep {
  readonly name: Uint8Array;
}

export class NotedSteps {
  readonly #active: ActiveNode;
  readonly #port: TaskPort;
  readonly #kind: string;

  /** `kind`: of what is noted here, apart from all else. */
  constructor(active: ActiveNode, port: TaskPort, kind: string) {
    this.#active = active;
    this.#port = port;
    this.#kind = kind;
  }

  /** Takes the next place for a note of that name (Q1). */
  place(text: string): NamedStep {
    const name = this.#nameOf(text);
    return { name, ...this.#active.journal.claim(noteDigest(name)) };
  }

  /** What an earlier run noted under that name, so many places ahead. */
  noted(text: string, ahead: number): unknown {
    const { journal } = this.#active;
    const known = journal.earlier(ahead, noteDigest(this.#nameOf(text)));
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

  #nameOf(text: string): Uint8Array {
    return Buffer.from(`${this.#kind} ${text}`);
  }
}
