// Questions — what an invocation asks humans: looking at it, waiting for it, answering it.
//
// Owns: these calls, and how questions are shown. Leaves to others: who waits for what
// (outcome-waiters.ts), what home does with answers (home/questions.ts).
// Invariants C1 and C3 of client.ts.

import { PartitaError } from "../../base/errors.js";
import { optionInvalid } from "../../base/options.js";
import {
  formatInvocationId,
  formatNodeId,
  type InvocationId,
  placementOf,
} from "../wire/invocation-id.js";
import {
  askedMsOf,
  askerOf,
  formatQuestionId,
  parseQuestionId,
  type QuestionId,
} from "../wire/question-id.js";
import { decodeQuestionPage, decodeStep, type ListedQuestion } from "../wire/question-list.js";
import { encodeQuestion } from "../wire/question-message.js";
import { refusalOf } from "../wire/refusal-bytes.js";
import { decodeMessage, encodeMessage } from "../wire/wire-field.js";
import type { HumanQuestion } from "./invocation.js";
import type { AgentCalls, AgentLine } from "./outcome-question.js";
import type { Answer } from "./outcome-waiters.js";

/** What is next for an invocation: an answer of the home task about it, or a question. */
export type Step = Answer | { readonly kind: "asks"; readonly question: HumanQuestion };

/** All open questions of an invocation, oldest first. */
export async function openQuestions(
  calls: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<readonly HumanQuestion[]> {
  const listed = await listQuestions(calls, id, { subscribe: false, signal });
  return listed.map((one) => questionOf(id, one));
}

/** The same as they are listed; `subscribe`: whoever waits for a step hears when they change. */
export async function listQuestions(
  { agent, port }: AgentLine,
  id: InvocationId,
  how: {
    readonly subscribe: boolean;
    readonly signal: AbortSignal | undefined;
    /** As many are enough. */
    readonly atMost?: number;
  },
): Promise<readonly ListedQuestion[]> {
  const { signal, atMost = Number.POSITIVE_INFINITY } = how;
  const found: ListedQuestion[] = [];
  const home = port.ownerOf(placementOf(id));
  for (let from = 0; ; ) {
    const subscribe = how.subscribe && from === 0;
    const message = { kind: "questions", agent, invocationId: id, from, subscribe } as const;
    const page = decodeQuestionPage(await port.request(home, encodeQuestion(message)));
    signal?.throwIfAborted();
    if (!page.isKnown) {
      throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: formatInvocationId(id) });
    }
    found.push(...page.questions);
    if (page.next === 0 || found.length >= atMost) return found.slice(0, atMost);
    from = page.next;
  }
}

/** Resolves when the invocation has ended, or asks a human. */
export async function nextStepOf(
  calls: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<Step> {
  for (;;) {
    const step = await askStep(calls, id, signal);
    // It asked when it was looked at: what it asks is looked up, if nobody was quicker.
    if (step.kind !== "asked") return step;
  }
}

/** Answers a question; resolves when the node that asks has taken the answer. */
export async function answerQuestion(
  { agent, port, waiters }: AgentCalls,
  id: InvocationId,
  question: HumanQuestion | string,
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { question: named, value: bytes } = answerOf(id, question, value);
  port.assertWritable();
  const home = port.ownerOf(placementOf(id));
  const { token, waiter } = waiters.openAnswer(home, signal);
  const by = { invocationId: id, answerer: { kind: "client", thread: 0, token } } as const;
  const answer = { agent, invocationId: id, question: named, by, value: bytes };
  port
    .request(home, encodeQuestion({ kind: "answer", ...answer }))
    .catch((error: unknown) => waiter.reject(error));
  const answered = await waiter.answer;
  if (answered.kind === "answered" && answered.error.length > 0) throw refusalOf(answered.error);
}

/**
 * What is sent of an answer.
 * @throws PartitaError QUESTION_UNKNOWN, OPTION_INVALID, VALUE_*
 */
export function answerOf(
  id: InvocationId,
  question: HumanQuestion | string,
  value: unknown,
): { readonly question: QuestionId; readonly value: Uint8Array } {
  const text = typeof question === "object" && question !== null ? question.id : question;
  if (typeof text !== "string") {
    throw optionInvalid("answer", "question", question, "a question, or its id");
  }
  const named = parseQuestionId(id, text);
  return { question: named, value: encodeMessage(value, `answer to question ${text}`) };
}

/** A question as users see it. */
export function questionOf(id: InvocationId, listed: ListedQuestion): HumanQuestion {
  const { question, node, prompt } = listed;
  return Object.freeze({
    id: formatQuestionId(id, question),
    invocationId: formatInvocationId(id),
    node,
    nodeInvocationId: formatNodeId(askerOf(question)),
    prompt: decodeMessage(prompt),
    askedAt: askedMsOf(question),
  });
}

async function askStep(
  { agent, port, waiters }: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<Step> {
  const home = port.ownerOf(placementOf(id));
  const waiter = waiters.openStep(id, home, signal);
  let asked: HumanQuestion | undefined;
  port.request(home, encodeQuestion({ kind: "step", agent, invocationId: id })).then(
    (bytes) => {
      const step = decodeStep(bytes);
      if (step.kind === "asks") {
        asked = questionOf(id, step.asked);
        waiter.resolve({ kind: "asked" });
      } else if (step.kind === "refused") waiter.reject(refusalOf(step.error));
      else if (step.kind !== "pending") waiter.resolve(step);
    },
    (error: unknown) => waiter.reject(error),
  );
  const answer = await waiter.answer;
  return asked !== undefined && answer.kind === "asked"
    ? { kind: "asks", question: asked }
    : answer;
}
