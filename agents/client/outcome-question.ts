// Outcome question — asking the home task how an invocation stands, and what the answer means.
//
// Owns: turning outcomes into results and errors. Leaves to others: who waits for what
// (outcome-waiters.ts), what home answers (home/invocations.ts).

import { PartitaError } from "../../base/errors.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import { decodeFailure, errorOf, failureDetails } from "../wire/failure.js";
import { formatInvocationId, type InvocationId, placementOf } from "../wire/invocation-id.js";
import { encodeAwait } from "../wire/message.js";
import { decodeReply, type FailedOutcome } from "../wire/outcome.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { Answer, OutcomeWaiters } from "./outcome-waiters.js";

/** What the client of one agent and all of its handles share. */
export interface AgentCalls {
  readonly agent: string;
  readonly definition: AgentDefinition;
  readonly port: ProgramClientPort;
  readonly waiters: OutcomeWaiters;
}

/** Asks the home task how an invocation stands; resolves when it has ended. */
export function askOutcome(
  { agent, port, waiters }: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const home = port.ownerOf(placementOf(id));
  const waiter = waiters.open(id, home, signal);
  port.request(home, encodeAwait({ kind: "await", agent, invocationId: id })).then(
    (bytes) => {
      const reply = decodeReply(bytes);
      if (reply.kind !== "pending") waiter.resolve(reply);
    },
    (error: unknown) => waiter.reject(error),
  );
  return waiter.answer;
}

/**
 * The result that an answer tells of.
 * @throws PartitaError INVOCATION_FAILED, INVOCATION_UNKNOWN
 */
export function resultOf(agent: string, id: InvocationId, answer: Answer): unknown {
  const invocationId = formatInvocationId(id);
  if (answer.kind !== "ended") {
    throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId });
  }
  const { outcome } = answer;
  if (outcome.kind === "result") return decodeMessage(outcome.value);
  throw failed(agent, invocationId, outcome);
}

function failed(agent: string, invocationId: string, outcome: FailedOutcome): PartitaError {
  const { reason, failuresThen } = outcome;
  const failures = outcome.failures.map(decodeFailure);
  const last = failures[failuresThen - 1];
  const details = { agent, invocationId, reason, failures: failures.map(failureDetails) };
  return new PartitaError(
    "INVOCATION_FAILED",
    details,
    last === undefined ? {} : { cause: errorOf(last) },
  );
}
