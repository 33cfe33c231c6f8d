// Mailbox — what has arrived at one task and was not applied yet.
//
// Owns: the order of arrival. Never runs user code (applier.ts does), never picks a task (router.ts
// does).
// Leaves the bound to those who send: a lane has a window (lane.ts), a stream has a window
// (outbox.ts), and the task's own submissions are one for each running node; the mailbox asserts
// their sum.
//
// Invariants:
//   M1. Messages of one lane or stream leave in the order they arrived, so do those for one key.
//   M2. A message is taken once; the batch that took it applies it before it takes the next.
//   M3. `sections` never exceeds `sectionsMax`: a sender beyond its window is a broken invariant.

import { Ring } from "./ring.js";
import type { MessageOrigin, OwnWork } from "./task-program.js";

/** One or more messages from one sender. */
export interface ReceivedSection {
  readonly origin: MessageOrigin;
  /** A requests body (lane), or length-prefixed messages (task, self). */
  readonly body: Uint8Array;
  /** Sequence number of the first message; streams only. */
  readonly firstSequence: number;
  /** In place of bytes; self only. */
  readonly work?: OwnWork;
}

/** First in, first out over the sections of all senders. */
export class Mailbox {
  readonly #sections: Ring<ReceivedSection>;
  #bytes = 0;

  constructor(sectionsMax: number) {
    this.#sections = new Ring(sectionsMax);
  }

  get length(): number {
    return this.#sections.length;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(section: ReceivedSection): void {
    this.#sections.push(section);
    this.#bytes += section.body.length;
  }

  peek(): ReceivedSection | undefined {
    return this.#sections.peek();
  }

  shift(): ReceivedSection | undefined {
    const section = this.#sections.shift();
    if (section !== undefined) this.#bytes -= section.body.length;
    return section;
  }
}
