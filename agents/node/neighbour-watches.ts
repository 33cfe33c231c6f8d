// Neighbour watches — what waits for invocations of other topologies, on behalf of a task's nodes:
// asks there what has become of each, and takes answers of humans there.
//
// In memory alone: what is to last is in the row of the wait, and a start watches again.
// Owns: asking, again and again while the other topology is away, and the order of what is told.
// Leaves to others: rows and messages (passed-questions.ts, waits.ts), what is answered over there
// (client/neighbour-watch.ts).
//
// Invariants:
//   G1. What is told to the task is told in an order that could have been: an answer that was
//       taken, before the end that it has led to.
//   G2. An answer that may have been sent before counts as taken when the question is found closed:
//       over there it is taken once.
//   G3. Nothing is told of a watch that has ended.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { formatInvocationId } from "../wire/invocation-id.js";
import {
  encodeNeighbourRequest,
  type FoundQuestion,
  type NeighbourRequest,
  type Watched,
} from "../wire/neighbour-request.js";
import { formatQuestionId, type QuestionId } from "../wire/question-id.js";
import { refusalBytes } from "../wire/refusal-bytes.js";
import type { NeighbourChild, WaitPlace } from "../wire/wait-fields.js";
import { encodeTaskWait } from "../wire/wait-message.js";
import { decodeMessage, noBytes } from "../wire/wire-field.js";

/** An answer to a question that was passed on. */
export interface PassedAnswer {
  readonly answerNo: number;
  readonly question: QuestionId;
  readonly value: Uint8Array;
}

export class NeighbourWatches {
  readonly #port: TaskPort;
  readonly #watches = new Map<string, Watch>();

  constructor(port: TaskPort) {
    this.#port = port;
  }

  /** A wait is on record. `left`: answers that were there already, and may have been sent. */
  begin(
    place: WaitPlace,
    child: NeighbourChild,
    asked: readonly QuestionId[],
    left: readonly PassedAnswer[],
  ): void {
    this.end(place);
    const watch = new Watch(this.#port, place, child, asked);
    this.#watches.set(nameOf(place), watch);
    for (const answer of left) watch.answer(answer, true);
    void watch.run();
  }

  /** Somebody answers, on record. */
  answer(place: WaitPlace, answer: PassedAnswer): void {
    this.#watches.get(nameOf(place))?.answer(answer, false);
  }

  /** A wait is over, or given up. */
  end(place: WaitPlace): void {
    this.#watches.get(nameOf(place))?.end();
    this.#watches.delete(nameOf(place));
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
  }
}

class Watch {
  readonly #port: TaskPort;
  readonly #place: WaitPlace;
  readonly #child: NeighbourChild;
  readonly #over = new AbortController();
  /** The questions that are passed on, by name. */
  readonly #asked = new Map<string, QuestionId>();
  readonly #answering = new Set<Promise<void>>();
  #hasEnded = false;

  constructor(
    port: TaskPort,
    place: WaitPlace,
    child: NeighbourChild,
    asked: readonly QuestionId[],
  ) {
    this.#port = port;
    this.#place = place;
    this.#child = { ...child, child: child.child.slice() };
    for (const question of asked) this.#asked.set(hex(question), question.slice());
  }

  end(): void {
    this.#over.abort();
  }

  async run(): Promise<void> {
    const { agent, child } = this.#child;
    const invocationId = formatInvocationId(child);
    for (;;) {
      await this.#answered();
      const known = [...this.#asked.values()];
      const told = await this.#persistently({ op: "watch", agent, invocationId, known });
      if (told === undefined) return;
      // cast: the server answers `watch` so
      const watched = decodeMessage(told) as Watched;
      const isOld = this.#answering.size > 0;
      await this.#answered();
      if (this.#over.signal.aborted) return;
      if ("ended" in watched) {
        this.#hasEnded = true;
        const outcome = { kind: "outcome", ...this.#place, child, bytes: watched.ended } as const;
        this.#port.submit(encodeTaskWait(outcome));
        return;
      }
      // What was answered meanwhile may be open in what was told: it is asked for again.
      if (!isOld) this.#compare(watched.open);
    }
  }

  /** Sends an answer on its way. Once the end was told it comes too late (G1): it is refused. */
  answer(answer: PassedAnswer, isRepeated: boolean): void {
    if (this.#hasEnded) return;
    const answered = this.#answer(answer, isRepeated).finally(() => {
      this.#answering.delete(answered);
    });
    this.#answering.add(answered);
  }

  async #answer({ answerNo, question, value }: PassedAnswer, isRepeated: boolean): Promise<void> {
    const { agent, child } = this.#child;
    const invocationId = formatInvocationId(child);
    const named = formatQuestionId(child, question);
    const request = { op: "answer", agent, invocationId, question: named, value } as const;
    const repeats = { isSo: isRepeated };
    let refused = noBytes;
    try {
      if ((await this.#persistently(request, repeats)) === undefined) return;
    } catch (error) {
      const isTaken = repeats.isSo && PartitaError.is(error, "QUESTION_STALE");
      if (!isTaken) refused = refusalBytes(error);
    }
    if (this.#over.signal.aborted) return;
    const isTaken = refused.length === 0;
    if (isTaken) this.#asked.delete(hex(question));
    const settled = { ...this.#place, answerNo, isTaken, bytes: refused };
    this.#port.submit(encodeTaskWait({ kind: "settle", ...settled }));
  }

  /** Passes on what is new, and closes what is not open any more. */
  #compare(open: readonly FoundQuestion[]): void {
    const { child: invocationId } = this.#child;
    const names = new Set(open.map(({ question }) => hex(question)));
    for (const [name, question] of this.#asked) {
      if (names.has(name)) continue;
      this.#asked.delete(name);
      const origin = { invocationId, question };
      const closed = { ...this.#place, origin, by: undefined };
      this.#port.submit(encodeTaskWait({ kind: "childClosed", ...closed }));
    }
    for (const { question, prompt } of open) {
      if (prompt === undefined || this.#asked.has(hex(question))) continue;
      this.#asked.set(hex(question), question);
      const origin = { invocationId, question };
      this.#port.submit(encodeTaskWait({ kind: "childAsked", ...this.#place, origin, prompt }));
    }
  }

  async #answered(): Promise<void> {
    while (this.#answering.size > 0) await Promise.all(this.#answering);
  }

  /** The answer, as soon as the other topology is there to give one; `undefined` at the end. */
  async #persistently(
    request: NeighbourRequest,
    repeats?: { isSo: boolean },
  ): Promise<Uint8Array | undefined> {
    const { signal } = this.#over;
    const bytes = encodeNeighbourRequest(request);
    for (let pauseMs: number = limits.neighbourPauseMs; !signal.aborted; ) {
      try {
        return await this.#port.neighbour(this.#child.topology, bytes, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        // Only answers are refused; what else is thrown passes.
        if (repeats !== undefined && !isAway(error)) throw error;
        if (repeats !== undefined) repeats.isSo = true;
      }
      await this.#pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, limits.neighbourPauseMsMax);
    }
    return undefined;
  }

  #pause(pauseMs: number): Promise<void> {
    const { signal } = this.#over;
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = this.#port.after(pauseMs, end);
      signal.addEventListener("abort", end);
    });
  }
}

const awayCodes = ["TASK_EXITED", "CLOSED", "NEIGHBOUR_UNAVAILABLE", "MAILBOX_FULL"] as const;

/** Whether the other topology, or a part of it, is away, and may come back. */
function isAway(error: unknown): boolean {
  return awayCodes.some((code) => PartitaError.is(error, code));
}

function nameOf({ arrivalNo, index }: WaitPlace): string {
  return `${arrivalNo} ${index}`;
}

function hex(question: QuestionId): string {
  return Buffer.from(question).toString("hex");
}
