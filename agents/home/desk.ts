// Desk — where home tasks are asked about invocations by humans' clients and by nodes that wait.
//
// Owns: what has to be known of an invocation's record before a question is heard, and beginning
// invocations for nodes. Leaves to others: questions and callers (questions.ts), records
// (records.ts), beginning one (invocations.ts).

import { PartitaError } from "../../base/errors.js";
import type { Turn } from "../../runtime/task-program.js";
import { decodeCarried, encodeCarried } from "../wire/carried.js";
import { encodeInitiate } from "../wire/message.js";
import { formatInvocationId, type InvocationId } from "../wire/invocation-id.js";
import { encodeQuestionPage, encodeStep, type StepReply } from "../wire/question-list.js";
import type {
  AnswerMessage,
  AskedMessage,
  AttachMessage,
  BeginMessage,
  QuestionMessage,
  StepMessage,
} from "../wire/question-message.js";
import { askerOf } from "../wire/question-id.js";
import { refusalBytes } from "../wire/refusal-bytes.js";
import type { Attempts } from "./attempts.js";
import { type InvocationRecord, outcomeOf } from "./invocation-record.js";
import type { Invocations } from "./invocations.js";
import type { Records } from "./records.js";

/** What `Invocations.begin` and `Turn.once` throw before they change anything. */
const refusals = ["AGENT_UNKNOWN", "MESSAGE_TOO_LARGE", "ID_REUSED", "ID_EXPIRED"] as const;

export class Desk {
  readonly #records: Records;
  readonly #invocations: Invocations;
  readonly #attempts: Attempts;

  constructor(records: Records, invocations: Invocations, attempts: Attempts) {
    this.#records = records;
    this.#invocations = invocations;
    this.#attempts = attempts;
  }

  /** @throws PartitaError INVOCATION_UNKNOWN, QUESTION_STALE, MESSAGE_TOO_LARGE: for clients */
  apply(turn: Turn, message: QuestionMessage): Uint8Array | undefined {
    const { questions } = this.#records;
    switch (message.kind) {
      case "asked":
        this.#asked(turn, message);
        return undefined;
      case "closed":
        questions.closed(turn, message);
        return undefined;
      case "withdrawn":
        questions.withdrawn(turn, message);
        return undefined;
      case "answer":
        this.#answer(turn, message);
        return undefined;
      case "answered":
        questions.answered(turn, message);
        return undefined;
      case "attach":
        this.#attach(turn, message);
        return undefined;
      case "begin":
        this.#begin(turn, message);
        return undefined;
      case "step":
        return encodeStep(this.#step(turn, message));
      case "questions": {
        if (this.#find(turn, message) !== undefined) return questions.page(turn, message);
        return encodeQuestionPage({ isKnown: false, next: 0, questions: [] });
      }
    }
  }

  /** What does not count any more asks nobody: its task is told. */
  #asked(turn: Turn, message: AskedMessage): void {
    const record = this.#records.read(turn, message.invocationId);
    const nodeInvocationId = askerOf(message.question);
    if (this.#attempts.recall(turn, record, { ...message, nodeInvocationId })) return;
    this.#records.questions.asked(turn, message);
  }

  #answer(turn: Turn, message: AnswerMessage): void {
    if (this.#find(turn, message) !== undefined) {
      this.#records.questions.answer(turn, message);
      return;
    }
    const { agent, by } = message;
    const invocationId = formatInvocationId(message.invocationId);
    const unknown = new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId });
    if (turn.origin.kind === "lane") throw unknown;
    this.#records.questions.tell(turn, by, refusalBytes(unknown));
  }

  #attach(turn: Turn, message: AttachMessage): void {
    const record = this.#find(turn, message);
    const reply = standingOf(record);
    const { invocationId, caller } = message;
    const waits = this.#records.questions.attach(turn, invocationId, caller, reply);
    if (waits && record !== undefined && !record.isAwaited) {
      this.#records.write(turn, invocationId, record, { ...record, isAwaited: true });
    }
  }

  #begin(turn: Turn, message: BeginMessage): void {
    const { agent, invocationId, caller } = message;
    const refusal = this.#begun(turn, message);
    if (caller === undefined) return;
    const { questions } = this.#records;
    if (refusal !== undefined) {
      const error = refusalBytes(refusal);
      questions.tellCaller(turn, caller, invocationId, { kind: "refused", error });
    } else if (caller.until === "begun") {
      questions.tellCaller(turn, caller, invocationId, { kind: "pending" });
    } else this.#attach(turn, { kind: "attach", agent, invocationId, caller });
  }

  /**
   * Begins an invocation; one that is known already goes on as it is: a node has begun it before.
   * Under an id that was given to it, it counts as the call of a client who has that id. Returns
   * why it cannot be.
   */
  #begun(turn: Turn, message: BeginMessage): PartitaError | undefined {
    const { agent, invocationId, carried, key, input, call } = message;
    const isKnown = this.#records.read(turn, invocationId) !== undefined;
    const begin = (): void => {
      if (!isKnown) this.#invocations.begin(turn, { agent, invocationId, carried, key, input });
    };
    try {
      if (call === undefined) begin();
      else turn.once(call, asCall(message), begin);
      return undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // What nobody remembers as a call runs, or can still be asked for what it came to.
      return isKnown && PartitaError.is(error, "ID_EXPIRED") ? undefined : error;
    }
  }

  #step(turn: Turn, message: StepMessage): StepReply {
    const reply = standingOf(this.#find(turn, message));
    if (reply.kind !== "pending") return reply;
    const step = this.#records.questions.step(turn, message.invocationId);
    if (step.kind === "pending") this.#records.wait(turn, message.invocationId);
    return step;
  }

  /** The record of an invocation, if it is one of the agent that is asked about. */
  #find(
    turn: Turn,
    { agent, invocationId }: { readonly agent: string; readonly invocationId: InvocationId },
  ): InvocationRecord | undefined {
    const record = this.#records.read(turn, invocationId);
    return record?.agent === agent ? record : undefined;
  }
}

/**
 * Whether an invocation is refused, before anything has changed. All else ends the process, damaged
 * data first of all: told to the node, it would be on record as what has come of its call.
 */
function isRefusal(error: unknown): error is PartitaError {
  return refusals.some((code) => PartitaError.is(error, code));
}

/** The message by which a client makes the same call. */
function asCall({ agent, invocationId, carried, key, input }: BeginMessage): Uint8Array {
  const { metadata } = decodeCarried(carried);
  const uncalled = encodeCarried({ callers: [], isCut: false, metadata });
  const call = { agent, invocationId, subscribe: false, carried: uncalled, key, input };
  return encodeInitiate({ kind: "initiate", ...call });
}

function standingOf(record: InvocationRecord | undefined): StepReply {
  if (record === undefined) return { kind: "unknown" };
  const outcome = outcomeOf(record);
  return outcome === undefined ? { kind: "pending" } : { kind: "ended", outcome };
}
