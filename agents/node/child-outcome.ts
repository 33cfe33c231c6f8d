// Child outcome — what the recorded outcome of a wait for an invocation says.

import { assert } from "../../base/invariant.js";
import { resultOf } from "../client/outcome-question.js";
import type { InvocationId } from "../wire/invocation-id.js";
import { readInAttempt } from "../wire/question-list.js";
import { refusalOf } from "../wire/refusal-bytes.js";

/**
 * @throws PartitaError INVOCATION_FAILED, INVOCATION_CANCELLED, INVOCATION_UNKNOWN; why it was not
 *   begun
 */
export function resultIn(agent: string, child: InvocationId, outcome: Uint8Array): unknown {
  const { reply } = readInAttempt(outcome);
  assert(reply.kind !== "asks", "who waits for a result is not told of questions");
  if (reply.kind === "refused") throw refusalOf(reply.error);
  return resultOf(agent, child, reply);
}

/** That an invocation has begun. @throws PartitaError ID_REUSED, ID_EXPIRED: why it has not */
export function assertBegun(outcome: Uint8Array): void {
  const { reply } = readInAttempt(outcome);
  if (reply.kind === "refused") throw refusalOf(reply.error);
}

/**
 * Whether an invocation had come to something else than a result in an attempt before. `outcomes`:
 * what was said to whoever waited for its result or its next step.
 */
export function failedBefore(outcomes: readonly Uint8Array[], attempt: number): boolean {
  return outcomes.some((outcome) => {
    const { attempt: then, reply } = readInAttempt(outcome);
    const isResult = reply.kind === "ended" && reply.outcome.kind === "result";
    return then < attempt && reply.kind !== "asks" && !isResult;
  });
}
