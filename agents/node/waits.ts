// Waits — what the nodes of a task wait for: humans, pauses, the outcomes of other invocations.
//
// A wait is a row from when its node has asked for it until its outcome is recorded, in one frame,
// at the next place of the node's journal. In between the function may be in memory or not.
// Owns: these rows, the messages that they cause, pauses. Leaves to others: layouts (wait-rows.ts),
// the function that waits (node-waits.ts), which functions are in memory (node-runner.ts), the home
// task's side (home/questions.ts).
//
// Invariants:
//   O1. An outcome is recorded once, for the wait it belongs to: what comes for a wait that has
//       ended, or for another invocation, changes nothing.
//   O2. An answer that reached this task is looked at by its node, in the order of arrival, or
//       refused, whatever dies meanwhile.
//   O3. When a wait ends, or its node, every question that is open because of it is closed.
//   O4. A node is on record as resting while all it does is wait for what is on record too; that
//       goes in the frame that gives it something to go on with. Resting nodes need not run at a
//       start.

import { PartitaError } from "../../base/errors.js";
import { operationId } from "../../runtime/operation-id.js";
import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { eachRow } from "../table-rows.js";
import { type InvocationId, operationPrefix, placementOf } from "../wire/invocation-id.js";
import { decodeRun, type RunMessage } from "../wire/message.js";
import { encodeQuestion } from "../wire/question-message.js";
import { decodeStep, inAttempt } from "../wire/question-list.js";
import { refusalBytes, staleError } from "../wire/refusal-bytes.js";
import type { AnsweredBy, WaitPlace } from "../wire/wait-fields.js";
import {
  type ChildAskedMessage,
  type ChildClosedMessage,
  type ChildStoppedMessage,
  type DeliverMessage,
  encodeTaskWait,
  type OutcomeMessage,
  type SettleMessage,
  type TaskWaitMessage,
  type WaitMessage,
} from "../wire/wait-message.js";
import { noBytes } from "../wire/wire-field.js";
import { attemptOf, type Fences } from "./fences.js";
import { NeighbourWatches } from "./neighbour-watches.js";
import type { NodeQueue } from "./node-queue.js";
import type { OpenWaits } from "./open-waits.js";
import { OwnChildren } from "./own-children.js";
import { PassedQuestions } from "./passed-questions.js";
import { Pauses } from "./pauses.js";
import { sendRequest } from "./wait-requests.js";
import type { RestingNodes } from "./resting-nodes.js";
import type { WaitingRuns } from "./waiting-runs.js";
import {
  type AnswerRow,
  answerKey,
  asks,
  isFor,
  isForOutcome,
  decodeAnswer,
  decodeWait,
  encodeAnswer,
  encodeWait,
  type WaitRow,
  type WaitedAnswer,
  placeOf,
  takeAnswers,
  waitedForOf,
  waitKey,
  waitsRange,
  waitTable,
} from "./wait-rows.js";

export class Waits {
  readonly #port: TaskPort;
  readonly #queue: NodeQueue;
  readonly #fences: Fences;
  readonly #runs: WaitingRuns;
  readonly #pauses: Pauses;
  readonly #resting: RestingNodes;
  readonly #open: OpenWaits;
  readonly #watches: NeighbourWatches;
  readonly #passed: PassedQuestions;
  readonly children: OwnChildren;

  constructor(
    port: TaskPort,
    queue: NodeQueue,
    fences: Fences,
    runs: WaitingRuns,
    resting: RestingNodes,
    open: OpenWaits,
  ) {
    this.#port = port;
    this.#open = open;
    this.children = new OwnChildren(port, open);
    this.#watches = new NeighbourWatches(port);
    this.#passed = new PassedQuestions(port, this.#watches);
    this.#fences = fences;
    this.#queue = queue;
    this.#runs = runs;
    this.#resting = resting;
    this.#pauses = new Pauses(port, () => port.submit(encodeTaskWait({ kind: "due" })));
  }

  /** Reads what was left from before. */
  start(): void {
    this.children.start();
    eachRow(this.#port, waitTable, waitsRange, (key, value) => {
      const place = placeOf(key);
      const { wanted, rests } = decodeWait(value);
      if (rests) this.#resting.found(place);
      this.#open.add(place);
      if (wanted.kind === "pause") this.#pauses.add({ ...place, dueMs: wanted.dueMs });
      if (wanted.kind === "neighbour") this.#passed.watch(place, wanted);
    });
    this.#pauses.arm();
  }

  close(): void {
    this.#pauses.close();
    this.#watches.close();
    this.children.close();
  }

  apply(turn: Turn, message: Exclude<TaskWaitMessage, ChildStoppedMessage>): void {
    switch (message.kind) {
      case "wait":
        this.#wait(turn, message);
        return;
      case "settle":
        this.#settle(turn, message);
        return;
      case "due":
        for (let due = this.#pauses.takeDue(); due !== undefined; due = this.#pauses.takeDue()) {
          this.#pauseOver(turn, due);
        }
        turn.afterCommit(() => this.#pauses.arm());
        return;
      case "rest":
        this.#resting.apply(turn, message);
        return;
      case "deliver":
        this.#deliver(turn, message);
        return;
      case "outcome":
        this.#outcome(turn, message);
        return;
      case "childAsked":
        this.#childAsked(turn, message);
        return;
      case "childClosed":
        this.#childClosed(turn, message);
    }
  }

  /** A row of the queue goes with the frame in hand: what it waits for does not matter any more. */
  drop(turn: Turn, arrivalNo: number, run: RunMessage): void {
    const open = this.#open.of(arrivalNo);
    // Most have never waited.
    if (open.length === 0 && !this.#resting.isNoted(arrivalNo)) return;
    this.#resting.drop(turn, arrivalNo);
    if (open.length === 0) return;
    for (const index of open) {
      const place = { arrivalNo, index };
      const row = this.#row(turn, place);
      if (row !== undefined) this.#close(turn, place, row, run, undefined);
    }
    turn.afterCommit(() => this.#open.removeAll(arrivalNo));
  }

  /** The function of a row has failed: it does not wait any more. */
  failed(turn: Turn, arrivalNo: number): void {
    this.#resting.drop(turn, arrivalNo);
  }

  /** A node waits from now on. @throws PartitaError NODE_FINISHED */
  #wait(turn: Turn, { arrivalNo, index, digest, wanted }: WaitMessage): void {
    const place = { arrivalNo, index };
    const run = this.#run(turn, arrivalNo);
    if (run === undefined) {
      // Asked for again by its node, which has finished since.
      if (turn.origin.kind === "self") return;
      throw new PartitaError("NODE_FINISHED", { agent: "", node: "", operation: "wait" });
    }
    const before = this.#row(turn, place);
    if (before !== undefined) {
      this.children.begun(turn, arrivalNo, before.wanted);
      this.#close(turn, place, before, run, undefined);
    }
    const waitedFor = waitedForOf(wanted, this.#port.isWeak);
    if (waitedFor === undefined) this.children.begun(turn, arrivalNo, wanted);
    else {
      turn.put(waitTable, waitKey(place), encodeWait({ digest, rests: false, wanted: waitedFor }));
      this.#open.add(place);
    }
    const attempt = attemptOf(run, this.#fences.seen(turn, run.invocationId));
    sendRequest(turn, this.#port, { place, run, attempt }, wanted);
    if (waitedFor?.kind === "pause") {
      const { dueMs } = waitedFor;
      turn.afterCommit(() => {
        this.#pauses.add({ ...place, dueMs });
        this.#pauses.arm();
      });
    }
    if (waitedFor !== undefined) this.#resting.recorded(turn, place);
    if (waitedFor?.kind === "neighbour") {
      turn.afterCommit(() => this.#passed.watch(place, waitedFor));
    }
    if (waitedFor !== undefined && isForOutcome(waitedFor)) {
      turn.afterCommit(() => this.#runs.waitsForChild(arrivalNo));
    }
  }

  /** An answer has come (O2). */
  #deliver(turn: Turn, message: DeliverMessage): void {
    const { invocationId, origin, question, by, value, arrivalNo, index } = message;
    const place = { arrivalNo, index };
    const row = this.#row(turn, place);
    const run = this.#run(turn, arrivalNo);
    const wanted = run === undefined ? undefined : row?.wanted;
    const isPassedOn = row && origin && isFor(row, origin.invocationId);
    if (row && run && asks(row, question)) {
      this.#take(turn, place, row, run, { by, value });
    } else if (isPassedOn && wanted?.kind === "neighbour") {
      this.#passed.answer(turn, place, { ...row, wanted }, origin.question, { by, value });
    } else if (isPassedOn && wanted?.kind === "result") {
      const { agent, child } = wanted;
      const answer = { agent, invocationId: child, question: origin.question, by, value };
      turn.send(this.#home(child), encodeQuestion({ kind: "answer", ...answer }));
    } else {
      // Closed already; unless a power cut has taken the wait, and left the question.
      const closed = { kind: "closed", invocationId, question, by: undefined } as const;
      turn.send(this.#home(invocationId), encodeQuestion(closed));
      this.#tell(turn, by, refusalBytes(staleError(invocationId, question)));
    }
  }

  /** Somebody answers the node's own question: at once, or it is to look at the answer first. */
  #take(
    turn: Turn,
    place: WaitPlace,
    row: WaitRow & { readonly wanted: WaitedAnswer },
    run: RunMessage,
    { by, value }: AnswerRow,
  ): void {
    const { wanted } = row;
    if (!wanted.isChecked) {
      this.#end(turn, place, row, run, value, by);
      return;
    }
    const answerNo = wanted.nextAnswer;
    turn.put(waitTable, answerKey(place, answerNo), encodeAnswer({ by, value }));
    this.#put(turn, place, { ...row, wanted: { ...wanted, nextAnswer: answerNo + 1 } });
    this.#resting.drop(turn, place.arrivalNo);
    const kept = value.slice();
    turn.afterCommit(() => {
      this.#runs.offer(place, row.digest, answerNo, kept);
    });
  }

  /** The node has looked at an answer. */
  #settle(turn: Turn, { kind: _, answerNo, isTaken, bytes, ...place }: SettleMessage): void {
    const row = this.#row(turn, place);
    const run = this.#run(turn, place.arrivalNo);
    const answer = turn.get(waitTable, answerKey(place, answerNo));
    if (row === undefined || run === undefined || answer === undefined) return;
    const { wanted } = row;
    const { by } = decodeAnswer(answer);
    turn.delete(waitTable, answerKey(place, answerNo));
    if (wanted.kind === "neighbour") {
      if (!isTaken) this.#tell(turn, by, bytes);
      const wait = { place, row: { ...row, wanted }, run };
      this.#passed.settled(turn, wait, answerNo, decodeAnswer(answer), isTaken);
      return;
    }
    if (wanted.kind !== "answer") return;
    if (isTaken) {
      this.#end(turn, place, row, run, bytes, by);
      return;
    }
    const firstAnswer = Math.max(wanted.firstAnswer, answerNo + 1);
    this.#put(turn, place, { ...row, wanted: { ...wanted, firstAnswer } });
    this.#tell(turn, by, bytes);
    this.#resting.again(turn, place.arrivalNo);
  }

  #outcome(turn: Turn, { child, bytes, arrivalNo, index }: OutcomeMessage): void {
    const place = { arrivalNo, index };
    const row = this.#row(turn, place);
    const run = this.#run(turn, arrivalNo);
    if (row === undefined || run === undefined || !isFor(row, child)) return;
    const { wanted } = row;
    const isReceipt = wanted.kind === "receipt";
    const hasBegun = wanted.kind === "begin" && decodeStep(bytes).kind !== "refused";
    if (hasBegun) this.children.begun(turn, arrivalNo, wanted);
    const attempt = attemptOf(run, this.#fences.seen(turn, run.invocationId));
    this.#end(turn, place, row, run, isReceipt ? bytes : inAttempt(attempt, bytes), undefined);
  }

  #pauseOver(turn: Turn, place: WaitPlace): void {
    const row = this.#row(turn, place);
    const run = this.#run(turn, place.arrivalNo);
    if (row?.wanted.kind !== "pause" || run === undefined) return;
    this.#end(turn, place, row, run, noBytes, undefined);
  }

  /** A question of an invocation that a node waits for becomes one of its own. */
  #childAsked(turn: Turn, { origin, prompt, arrivalNo, index }: ChildAskedMessage): void {
    const place = { arrivalNo, index };
    const row = this.#row(turn, place);
    const run = this.#run(turn, arrivalNo);
    if (row === undefined || run === undefined || !isFor(row, origin.invocationId)) return;
    this.#passed.asked(turn, { place, row, run }, origin, prompt);
  }

  #childClosed(turn: Turn, { origin, by, arrivalNo, index }: ChildClosedMessage): void {
    const run = this.#run(turn, arrivalNo);
    if (run === undefined) {
      // It was answered all the same: nothing is left here to be closed first.
      if (by !== undefined) this.#tell(turn, by, noBytes);
      return;
    }
    const place = { arrivalNo, index };
    this.#passed.closed(turn, place, this.#row(turn, place), run, { origin, by });
  }

  /** A wait has come to its outcome (O1). */
  #end(
    turn: Turn,
    place: WaitPlace,
    row: WaitRow,
    run: RunMessage,
    outcome: Uint8Array,
    by: AnsweredBy | undefined,
  ): void {
    const { arrivalNo, index } = place;
    const kept = outcome.slice();
    this.#close(turn, place, row, run, by);
    turn.recordOperation(operationId(operationPrefix(run), index + 1), row.digest, kept);
    this.#resting.drop(turn, arrivalNo);
    turn.afterCommit(() => {
      this.#open.remove(place);
      this.#runs.settle(place, row.digest, kept);
    });
  }

  /** A wait goes, with what is open because of it (O3). `by`: whose answer ends it. */
  #close(
    turn: Turn,
    place: WaitPlace,
    row: WaitRow,
    run: RunMessage,
    by: AnsweredBy | undefined,
  ): void {
    const { wanted } = row;
    const { invocationId } = run;
    if (wanted.kind === "answer") {
      const { question } = wanted;
      const home = this.#home(invocationId);
      turn.send(home, encodeQuestion({ kind: "closed", invocationId, question, by }));
    }
    if (wanted.kind === "answer" || wanted.kind === "neighbour") {
      for (const answer of takeAnswers(turn, place, wanted)) {
        const question = this.#passed.askedAs(run, place, wanted, answer);
        this.#tell(turn, answer.by, refusalBytes(staleError(invocationId, question)));
      }
    }
    this.#passed.withdraw(turn, place, row, run);
    turn.delete(waitTable, waitKey(place));
  }

  #tell(turn: Turn, by: AnsweredBy, error: Uint8Array): void {
    turn.send(this.#home(by.invocationId), encodeQuestion({ kind: "answered", by, error }));
  }

  #row(turn: Turn, place: WaitPlace): WaitRow | undefined {
    const row = turn.get(waitTable, waitKey(place));
    return row === undefined ? undefined : decodeWait(row);
  }

  #put(turn: Turn, place: WaitPlace, row: WaitRow): void {
    turn.put(waitTable, waitKey(place), encodeWait(row));
  }

  /** The `run` message of a row; `undefined` when it is gone. */
  #run(turn: Turn, arrivalNo: number): RunMessage | undefined {
    const row = this.#queue.find(turn, arrivalNo);
    return row === undefined ? undefined : decodeRun(row);
  }

  #home(of: InvocationId): number {
    return this.#port.ownerOf(placementOf(of));
  }
}
