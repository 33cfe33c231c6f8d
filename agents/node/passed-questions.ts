// Passed-on questions — questions of invocations that a node waits for, which it asks as its own.
//
// Owns: what of them is in the row of a wait, what the home of the node is told, and the way of an
// answer back. Leaves to others: the child's home (home/questions.ts), invocations of other
// topologies (neighbour-watches.ts), when a wait ends (waits.ts).
// Invariants O2 and O3 of waits.ts.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { placementOf } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { anyAttempt, encodeQuestion, passedOnId } from "../wire/question-message.js";
import { questionIdBytes, type QuestionId } from "../wire/question-id.js";
import type { AnsweredBy, QuestionOrigin, WaitPlace } from "../wire/wait-fields.js";
import type { NeighbourWatches, PassedAnswer } from "./neighbour-watches.js";
import {
  type AnswerRow,
  answerKey,
  decodeAnswer,
  encodeAnswer,
  encodeWait,
  type WaitedAnswer,
  type WaitedNeighbour,
  type WaitRow,
  waitKey,
  waitTable,
} from "./wait-rows.js";

/** A wait of one node. */
interface NodeWait {
  readonly place: WaitPlace;
  readonly row: WaitRow;
  readonly run: RunMessage;
}

export class PassedQuestions {
  readonly #port: TaskPort;
  readonly #watches: NeighbourWatches;

  constructor(port: TaskPort, watches: NeighbourWatches) {
    this.#port = port;
    this.#watches = watches;
  }

  /** A question of an invocation that a node waits for becomes one of its own. */
  asked(turn: Turn, wait: NodeWait, origin: QuestionOrigin, prompt: Uint8Array): void {
    const { place, row, run } = wait;
    const { wanted } = row;
    if (wanted.kind === "neighbour") {
      if (wanted.asked.some((one) => isSame(one, origin.question))) return;
      const asked = [...wanted.asked, origin.question];
      put(turn, place, { ...row, wanted: { ...wanted, asked } });
    } else if (wanted.kind !== "result") return;
    else if (!wanted.passesOn) put(turn, place, { ...row, wanted: { ...wanted, passesOn: true } });
    const { invocationId, node } = run;
    const question = passedOnId(run.nodeInvocationId, place, origin);
    const asked = { node, task: this.#port.taskId, ...place, attempt: anyAttempt, origin, prompt };
    turn.send(this.#home(run), encodeQuestion({ kind: "asked", invocationId, question, ...asked }));
  }

  /** It is open no more. `row`: of the wait, if it goes on. */
  closed(
    turn: Turn,
    place: WaitPlace,
    row: WaitRow | undefined,
    run: RunMessage,
    { origin, by }: { readonly origin: QuestionOrigin; readonly by: AnsweredBy | undefined },
  ): void {
    if (row?.wanted.kind === "neighbour") {
      const asked = row.wanted.asked.filter((one) => !isSame(one, origin.question));
      put(turn, place, { ...row, wanted: { ...row.wanted, asked } });
    }
    const { invocationId } = run;
    const question = passedOnId(run.nodeInvocationId, place, origin);
    turn.send(this.#home(run), encodeQuestion({ kind: "closed", invocationId, question, by }));
  }

  /** Somebody answers a question that came from another topology: kept until it is settled. */
  answer(
    turn: Turn,
    place: WaitPlace,
    row: WaitRow & { readonly wanted: WaitedNeighbour },
    question: QuestionId,
    { by, value }: AnswerRow,
  ): void {
    const answerNo = row.wanted.nextAnswer;
    const passed = Buffer.concat([question, value]);
    turn.put(waitTable, answerKey(place, answerNo), encodeAnswer({ by, value: passed }));
    put(turn, place, { ...row, wanted: { ...row.wanted, nextAnswer: answerNo + 1 } });
    turn.afterCommit(() => this.#watches.answer(place, passedAnswer(answerNo, passed)));
  }

  /** The other topology has taken an answer, or refused it; its row is gone. */
  settled(
    turn: Turn,
    { place, row, run }: NodeWait & { readonly row: { readonly wanted: WaitedNeighbour } },
    answerNo: number,
    { by, value }: AnswerRow,
    isTaken: boolean,
  ): void {
    const { child, nextAnswer } = row.wanted;
    let { firstAnswer } = row.wanted;
    while (firstAnswer < nextAnswer && !has(turn, place, firstAnswer)) firstAnswer += 1;
    const changed = { ...row, wanted: { ...row.wanted, firstAnswer } };
    put(turn, place, changed);
    if (!isTaken) return;
    const origin = { invocationId: child, question: passedAnswer(answerNo, value).question };
    this.closed(turn, place, changed, run, { origin, by });
  }

  /** The node's own id of the question that an answer is for. */
  askedAs(
    { nodeInvocationId }: RunMessage,
    place: WaitPlace,
    wanted: WaitedAnswer | WaitedNeighbour,
    { value }: AnswerRow,
  ): QuestionId {
    if (wanted.kind === "answer") return wanted.question;
    const { child: invocationId } = wanted;
    const { question } = passedAnswer(0, value);
    return passedOnId(nodeInvocationId, place, { invocationId, question });
  }

  /** A wait goes: all that it has passed on is open no more. */
  withdraw(turn: Turn, place: WaitPlace, { wanted }: WaitRow, run: RunMessage): void {
    if (wanted.kind === "neighbour") turn.afterCommit(() => this.#watches.end(place));
    const isAsking = wanted.kind === "neighbour" && wanted.asked.length > 0;
    if (!isAsking && !(wanted.kind === "result" && wanted.passesOn)) return;
    const { invocationId } = run;
    const { taskId: task } = this.#port;
    const withdrawn = { kind: "withdrawn", invocationId, task, ...place } as const;
    turn.send(this.#home(run), encodeQuestion(withdrawn));
  }

  /** Watches an invocation of another topology, from the row of a wait for it as committed. */
  watch(place: WaitPlace, wanted: WaitedNeighbour): void {
    const left: PassedAnswer[] = [];
    for (let no = wanted.firstAnswer; no < wanted.nextAnswer; no += 1) {
      const answer = this.#port.get(waitTable, answerKey(place, no));
      if (answer !== undefined) left.push(passedAnswer(no, decodeAnswer(answer).value));
    }
    this.#watches.begin(place, wanted, wanted.asked, left);
  }

  #home({ invocationId }: RunMessage): number {
    return this.#port.ownerOf(placementOf(invocationId));
  }
}

function has(turn: Turn, place: WaitPlace, answerNo: number): boolean {
  return turn.get(waitTable, answerKey(place, answerNo)) !== undefined;
}

function passedAnswer(answerNo: number, bytes: Uint8Array): PassedAnswer {
  const kept = bytes.slice();
  const question = kept.subarray(0, questionIdBytes);
  return { answerNo, question, value: kept.subarray(questionIdBytes) };
}

function put(turn: Turn, place: WaitPlace, row: WaitRow): void {
  turn.put(waitTable, waitKey(place), encodeWait(row));
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
