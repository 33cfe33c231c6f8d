// Questions — what invocations ask humans, and who waits for them: at their home tasks.
//
// A node's task says what its node asks; clients see it here and answer it here. An answer goes to
// the task that asked, whose node looks at it; what comes of it comes back here, and to whoever
// answered. A node that waits for an invocation's result is a caller: each question of the
// invocation is passed on to it, which asks it as a question of its own, up to the top; answers
// take the way back.
// Owns: that. Leaves to others: rows (desk-rows.ts), the node's side (node/waits.ts), records
// (invocations.ts), bytes (question-message.ts).
//
// Invariants:
//   H1. A question is open from when its task has said so until an answer was taken, or nobody
//       waits for one any more. Whose answer is taken is told after it was closed at the home he
//       has asked; a refused one may be told before.
//   H2. Every answer that came in is told to its answerer, once at least: taken, or refused.
//   H3. A caller is told the outcome once; from then on no question is passed on to it.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { type InvocationId, invocationName, placementOf } from "../wire/invocation-id.js";
import { laneOf } from "../wire/message.js";
import type { StoppingRow } from "../wire/attempt-message.js";
import { encodeNotice, type Outcome } from "../wire/outcome.js";
import type { QuestionId } from "../wire/question-id.js";
import {
  encodeQuestionPage,
  encodeStep,
  type ListedQuestion,
  type StepReply,
} from "../wire/question-list.js";
import {
  type AnsweredMessage,
  type AnswerMessage,
  type AskedMessage,
  anyAttempt,
  type Caller,
  type ClosedMessage,
  encodeQuestion,
  type QuestionRow,
  type QuestionsMessage,
  type WithdrawnMessage,
} from "../wire/question-message.js";
import { type AnsweredBy, wholeRow } from "../wire/wait-fields.js";
import { encodeTaskWait } from "../wire/wait-message.js";
import { refusalBytes, staleError } from "../wire/refusal-bytes.js";
import { noBytes } from "../wire/wire-field.js";
import {
  addCaller,
  addQuestion,
  callersOf,
  findQuestion,
  type OpenQuestion,
  openQuestions,
  removeCaller,
  removeQuestion,
} from "./desk-rows.js";
import { WaitingThreads } from "./waiting-threads.js";

export class Questions {
  readonly #port: TaskPort;
  readonly #valueBytesMax: number;
  /** Threads to be told of the next question of an invocation. */
  readonly #waiting = new WaitingThreads();
  /** Threads to be told when the questions of an invocation have changed. */
  readonly #following = new WaitingThreads();

  /** `valueBytesMax`: of an answer. */
  constructor(port: TaskPort, valueBytesMax: number) {
    this.#port = port;
    this.#valueBytesMax = valueBytesMax;
  }

  threadExited(thread: number): void {
    this.#waiting.threadExited(thread);
    this.#following.threadExited(thread);
  }

  /** A node asks, in an attempt that counts. */
  asked(turn: Turn, { invocationId, question, kind: _, ...row }: AskedMessage): void {
    if (findQuestion(turn, invocationId, question) !== undefined) return;
    addQuestion(turn, invocationId, question, row);
    this.#notify(turn, this.#waiting, invocationId);
    this.#notify(turn, this.#following, invocationId);
    for (const { no, caller } of callersOf(turn, invocationId)) {
      if (caller.until === "result") {
        this.#passOn(turn, caller, invocationId, question, row.prompt);
      }
      if (caller.until !== "step") continue;
      removeCaller(turn, invocationId, no);
      this.tellCaller(turn, caller, invocationId, { kind: "asks", asked: listed(question, row) });
    }
  }

  closed(turn: Turn, { invocationId, question, by }: ClosedMessage): void {
    const found = findQuestion(turn, invocationId, question);
    if (found === undefined && by === undefined) return;
    // One that another attempt has closed is perhaps open still where it was passed on to: word of
    // that is on the way, and the answerer is not to be told before it has come.
    const isPassedOn =
      found === undefined
        ? this.#passClosed(turn, invocationId, question, by)
        : this.#close(turn, invocationId, found, by);
    if (by === undefined) return;
    const isHere = invocationName(by.invocationId) === invocationName(invocationId);
    // Those who pass it on tell at the home where it came in, once it is closed there.
    if (isHere || !isPassedOn) this.tell(turn, by, noBytes);
  }

  withdrawn(turn: Turn, { invocationId, task, arrivalNo, index }: WithdrawnMessage): void {
    for (const found of [...openQuestions(turn, invocationId)]) {
      const { row } = found;
      const isOfRow = row.task === task && row.arrivalNo === arrivalNo;
      if (isOfRow && (index === wholeRow || row.index === index)) {
        this.#close(turn, invocationId, found, undefined);
      }
    }
  }

  /** A new attempt has begun: what was asked in earlier ones is asked no more. */
  closeOlder(turn: Turn, invocationId: InvocationId, attempt: number): void {
    for (const found of [...openQuestions(turn, invocationId)]) {
      const { attempt: asked } = found.row;
      if (asked !== anyAttempt && asked < attempt) {
        this.#close(turn, invocationId, found, undefined);
      }
    }
  }

  /** @throws PartitaError QUESTION_STALE, MESSAGE_TOO_LARGE: when a client asks */
  answer(turn: Turn, message: AnswerMessage): void {
    const { invocationId, question, value } = message;
    const { origin } = turn;
    const found = findQuestion(turn, invocationId, question);
    const refusal = this.#refusal(message, found);
    if (origin.kind === "lane" && refusal !== undefined) throw refusal;
    const by = origin.kind === "lane" ? fromThread(message.by, laneOf(turn).thread) : message.by;
    if (refusal !== undefined || found === undefined) {
      this.tell(turn, by, refusalBytes(refusal));
      return;
    }
    const { task, arrivalNo, index, origin: passedOn } = found.row;
    const asked = { arrivalNo, index, invocationId, question, origin: passedOn };
    turn.send(task, encodeTaskWait({ kind: "deliver", ...asked, by, value }));
  }

  /** An answer that came in here was taken, or refused (H2). */
  answered(turn: Turn, { by, error }: AnsweredMessage): void {
    const { answerer, invocationId: child } = by;
    if (answerer.kind === "client") {
      const { thread, token } = answerer;
      turn.notify(thread, encodeNotice({ kind: "answered", token, error }));
      return;
    }
    const { task, arrivalNo, index } = answerer;
    const outcome = { kind: "outcome", arrivalNo, index, child, bytes: error } as const;
    turn.send(task, encodeTaskWait(outcome));
  }

  /** The open questions of an invocation, in pages. */
  page(turn: Turn, { invocationId, from, subscribe }: QuestionsMessage): Uint8Array {
    if (subscribe) this.#following.add(laneOf(turn).thread, invocationId);
    const questions: ListedQuestion[] = [];
    let bytes = 0;
    for (const { no, question, row } of openQuestions(turn, invocationId, from)) {
      if (questions.length >= limits.questionsPageRows || bytes >= limits.pageBytesMax) {
        return encodeQuestionPage({ isKnown: true, next: no, questions });
      }
      questions.push(listed(question, row));
      bytes += row.prompt.length;
    }
    return encodeQuestionPage({ isKnown: true, next: 0, questions });
  }

  /** What a pending invocation asks first; without any the thread is told when it asks. */
  step(turn: Turn, invocationId: InvocationId): StepReply {
    for (const { question, row } of openQuestions(turn, invocationId)) {
      return { kind: "asks", asked: listed(question, row) };
    }
    this.#waiting.add(laneOf(turn).thread, invocationId);
    return { kind: "pending" };
  }

  /** A node waits for an invocation, of which `reply` says how it stands. */
  attach(turn: Turn, invocationId: InvocationId, caller: Caller, reply: StepReply): boolean {
    if (reply.kind !== "pending") {
      this.tellCaller(turn, caller, invocationId, reply);
      return false;
    }
    for (const { question, row } of [...openQuestions(turn, invocationId)]) {
      if (caller.until === "step") {
        this.tellCaller(turn, caller, invocationId, {
          kind: "asks",
          asked: listed(question, row),
        });
        return false;
      }
      this.#passOn(turn, caller, invocationId, question, row.prompt);
    }
    addCaller(turn, invocationId, caller);
    return true;
  }

  /** The invocation has an outcome: its callers are told (H3). */
  ended(turn: Turn, invocationId: InvocationId, outcome: Outcome): void {
    for (const { no, caller } of callersOf(turn, invocationId)) {
      if (caller.until === "stopped") continue;
      removeCaller(turn, invocationId, no);
      this.tellCaller(turn, caller, invocationId, { kind: "ended", outcome });
    }
  }

  /** A row of a task waits until nothing of the invocation runs any more. */
  attachStopping(turn: Turn, invocationId: InvocationId, row: StoppingRow): void {
    const isThere = callersOf(turn, invocationId).some(({ caller }) => {
      const { until, task, arrivalNo } = caller;
      return until === "stopped" && task === row.task && arrivalNo === row.arrivalNo;
    });
    if (!isThere) addCaller(turn, invocationId, { ...row, index: wholeRow, until: "stopped" });
  }

  /** Nothing of the invocation runs any more: rows that wait for that are told. */
  stopped(turn: Turn, invocationId: InvocationId): void {
    for (const { no, caller } of callersOf(turn, invocationId)) {
      if (caller.until !== "stopped") continue;
      removeCaller(turn, invocationId, no);
      this.tellStopped(turn, invocationId, caller);
    }
  }

  tellStopped(turn: Turn, child: InvocationId, { task, arrivalNo }: StoppingRow): void {
    const place = { arrivalNo, index: wholeRow };
    turn.send(task, encodeTaskWait({ kind: "childStopped", ...place, child }));
  }

  /** Closes a question, also where it was passed on to; returns whether it was. */
  #close(
    turn: Turn,
    invocationId: InvocationId,
    found: OpenQuestion,
    by: AnsweredBy | undefined,
  ): boolean {
    removeQuestion(turn, invocationId, found);
    this.#notify(turn, this.#following, invocationId);
    return this.#passClosed(turn, invocationId, found.question, by);
  }

  /** Tells those who wait for the result that a question is closed; returns whether there are. */
  #passClosed(
    turn: Turn,
    invocationId: InvocationId,
    question: QuestionId,
    by: AnsweredBy | undefined,
  ): boolean {
    const callers = callersOf(turn, invocationId).filter(({ caller }) => caller.until === "result");
    const origin = { invocationId, question };
    for (const { caller } of callers) {
      const { task, arrivalNo, index } = caller;
      turn.send(task, encodeTaskWait({ kind: "childClosed", arrivalNo, index, origin, by }));
    }
    return callers.length > 0;
  }

  #notify(turn: Turn, threads: WaitingThreads, invocationId: InvocationId): void {
    const notice = encodeNotice({ kind: "asked", invocationId });
    for (const thread of threads.take(invocationId)) turn.notify(thread, notice);
  }

  #passOn(
    turn: Turn,
    { task, arrivalNo, index }: Caller,
    invocationId: InvocationId,
    question: QuestionId,
    prompt: Uint8Array,
  ): void {
    const origin = { invocationId, question };
    turn.send(task, encodeTaskWait({ kind: "childAsked", arrivalNo, index, origin, prompt }));
  }

  /** What a node that waits is told. */
  tellCaller(turn: Turn, caller: Caller, child: InvocationId, reply: StepReply): void {
    const { task, arrivalNo, index } = caller;
    const bytes = encodeStep(reply);
    turn.send(task, encodeTaskWait({ kind: "outcome", arrivalNo, index, child, bytes }));
  }

  /** Tells whoever answered what came of it (H2). */
  tell(turn: Turn, by: AnsweredBy, error: Uint8Array): void {
    const home = this.#port.ownerOf(placementOf(by.invocationId));
    turn.send(home, encodeQuestion({ kind: "answered", by, error }));
  }

  #refusal(
    { invocationId, question, value }: AnswerMessage,
    found: OpenQuestion | undefined,
  ): PartitaError | undefined {
    if (found === undefined) return staleError(invocationId, question);
    if (value.length <= this.#valueBytesMax) return undefined;
    return new PartitaError("MESSAGE_TOO_LARGE", {
      where: `answer to a question of node "${found.row.node}"`,
      messageBytes: value.length,
      messageBytesMax: this.#valueBytesMax,
    });
  }
}

function fromThread({ invocationId, answerer }: AnsweredBy, thread: number): AnsweredBy {
  assert(answerer.kind === "client", "nodes answer through their tasks");
  return { invocationId, answerer: { ...answerer, thread } };
}

function listed(question: QuestionId, { node, prompt }: QuestionRow): ListedQuestion {
  return { question, node, prompt };
}
