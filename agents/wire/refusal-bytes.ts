// Refusal bytes — why an answer to a question was not taken, on its way to whoever gave it.

import { PartitaError } from "../../base/errors.js";
import { decodeFailure, encodeFailure, errorOf } from "./failure.js";
import { formatInvocationId, type InvocationId } from "./invocation-id.js";
import { formatQuestionId, type QuestionId } from "./question-id.js";

/** The bytes of what was thrown; never empty. */
export function refusalBytes(error: unknown): Uint8Array {
  return encodeFailure({ node: "", nodeInvocationId: "", attempt: 0 }, error);
}

/** The error of such bytes. */
export function refusalOf(bytes: Uint8Array): Error {
  return errorOf(decodeFailure(bytes));
}

/** A question is not open any more. */
export function staleError(invocationId: InvocationId, question: QuestionId): PartitaError {
  return new PartitaError("QUESTION_STALE", {
    invocationId: formatInvocationId(invocationId),
    question: formatQuestionId(invocationId, question),
  });
}
