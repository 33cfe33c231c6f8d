// Asked again — open questions of a task's nodes, told to their homes once more at a start that
// follows a power cut, perhaps.
//
// In a weak mode this task can have lost that an answer was taken, or that a wait has ended, while
// the home of the question closed it: the node waits again, and nobody sees what for. A home that
// has the question open is told nothing new.
// Owns: that. Leaves to others: rows of waits, which keep prompts for it (wait-rows.ts), what home
// makes of it (home/desk.ts).
//
// Invariants:
//   V1. Behind a start that may have forgotten something, each question that a node waits for is
//       open at its home, or its row is told that it counts no more.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { decodeRun } from "../wire/message.js";
import type { WaitPlace } from "../wire/wait-fields.js";
import { encodeTaskWait, type RepeatMessage } from "../wire/wait-message.js";
import { eachRow } from "../table-rows.js";
import { attemptOf, type Fences } from "./fences.js";
import type { NodeQueue } from "./node-queue.js";
import { sendRequest } from "./wait-requests.js";
import { decodeWait, placeOf, waitKey, waitsRange, waitTable } from "./wait-rows.js";

/** Questions of one frame. */
const frameMax = 256;

export class AskedAgain {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #fences: Fences;

  constructor(port: TaskPort, queue: NodeQueue, fences: Fences) {
    this.#port = port;
    this.#queue = queue;
    this.#fences = fences;
  }

  start(): void {
    if (!this.#port.boot.lossy) return;
    const asked: WaitPlace[] = [];
    eachRow(this.#port, waitTable, waitsRange, (key, value) => {
      if (decodeWait(value).wanted.kind === "answer") asked.push(placeOf(key));
    });
    for (let from = 0; from < asked.length; from += frameMax) {
      const places = asked.slice(from, from + frameMax);
      this.#port.submit(encodeTaskWait({ kind: "repeat", places }));
    }
  }

  repeat(turn: Turn, { places }: RepeatMessage): void {
    for (const place of places) this.#ask(turn, place);
  }

  #ask(turn: Turn, place: WaitPlace): void {
    const row = turn.get(waitTable, waitKey(place));
    const bytes = this.#queue.find(turn, place.arrivalNo);
    if (row === undefined || bytes === undefined) return;
    const { wanted } = decodeWait(row);
    // One that was asked in mode `durable` cannot have been lost.
    if (wanted.kind !== "answer" || wanted.prompt === undefined) return;
    const run = decodeRun(bytes);
    const attempt = attemptOf(run, this.#fences.seen(turn, run.invocationId));
    const { prompt } = wanted;
    sendRequest(turn, this.#port, { place, run, attempt }, { ...wanted, prompt });
  }
}
