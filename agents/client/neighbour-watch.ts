// Neighbour watch — tells a node of another topology what has become of an invocation it waits for.
//
// Owns: waiting until the invocation has ended, or its open questions differ from those that the
// node knows of. Leaves to others: what the node does then (node/neighbour-watches.ts), who waits
// for which notice (outcome-waiters.ts).

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { type InvocationId, placementOf } from "../wire/invocation-id.js";
import type { FoundQuestion, Watched } from "../wire/neighbour-request.js";
import type { QuestionId } from "../wire/question-id.js";
import { encodeStep, type ListedQuestion } from "../wire/question-list.js";
import { type AgentLine, askOutcome } from "./outcome-question.js";
import { listQuestions } from "./questions.js";

/** `known`: the questions that are told of already. Of many that are open, the oldest are told. */
export async function watchInvocation(
  calls: AgentLine,
  id: InvocationId,
  known: readonly QuestionId[],
  signal: AbortSignal | undefined,
): Promise<Watched> {
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const ended = endOf(calls, id, either);
  const changed = changedQuestions(calls, id, known, either);
  ended.catch(ignore);
  changed.catch(ignore);
  try {
    return await Promise.race([ended, changed]);
  } catch (error) {
    if (PartitaError.is(error, "INVOCATION_UNKNOWN")) return unknownInvocation;
    throw error;
  } finally {
    over.abort();
  }
}

/** What is told of an invocation that the topology does not know. */
export const unknownInvocation: Watched = { ended: encodeStep({ kind: "unknown" }) };

async function endOf(calls: AgentLine, id: InvocationId, signal: AbortSignal): Promise<Watched> {
  const answer = await askOutcome(calls, id, signal);
  return answer.kind === "ended" ? { ended: encodeStep(answer) } : unknownInvocation;
}

async function changedQuestions(
  calls: AgentLine,
  id: InvocationId,
  known: readonly QuestionId[],
  signal: AbortSignal,
): Promise<Watched> {
  const names = new Set(known.map(nameOf));
  const how = { subscribe: true, signal, atMost: limits.neighbourQuestionsMax };
  const home = calls.port.ownerOf(placementOf(id));
  for (;;) {
    // It waits before it asks: the notice may come before the answer.
    const waiter = calls.waiters.openStep(id, home, signal);
    waiter.answer.catch(ignore);
    try {
      const open = await listQuestions(calls, id, how);
      const isSame = open.length === names.size && open.every((one) => isIn(names, one));
      if (!isSame) return { open: open.map((one) => foundOf(names, one)) };
      await waiter.answer;
    } finally {
      waiter.resolve({ kind: "asked" });
    }
  }
}

function foundOf(known: ReadonlySet<string>, one: ListedQuestion): FoundQuestion {
  const { question, prompt } = one;
  return isIn(known, one) ? { question } : { question, prompt };
}

function isIn(known: ReadonlySet<string>, { question }: ListedQuestion): boolean {
  return known.has(nameOf(question));
}

function nameOf(question: QuestionId): string {
  return Buffer.from(question).toString("latin1");
}

function ignore(): void {}
