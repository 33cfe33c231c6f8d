// Outcome question — asking the home task how an invocation stands, and what the answer means.
//
// Owns: that, asking it to stop, and turning outcomes into results and errors. Leaves to others:
// who waits for what (outcome-waiters.ts), what home answers (home/invocations.ts, attempts.ts).

import { PartitaError } from "../../base/errors.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import { encodeAttempt } from "../wire/attempt-message.js";
import { decodeFailure, errorOf, failureDetails } from "../wire/failure.js";
import { formatInvocationId, type InvocationId, placementOf } from "../wire/invocation-id.js";
import { encodeAwait } from "../wire/message.js";
import { decodeReply, decodeStanding, type FailedOutcome } from "../wire/outcome.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { Answer, OutcomeWaiters } from "./outcome-waiters.js";

/** What the client of one agent and all of its handles share. */
export interface AgentCalls {
  readonly agent: string;
  readonly definition: AgentDefinition;
  readonly port: ProgramClientPort;
  readonly waiters: OutcomeWaiters;
}

/** The same without the agent's definition. */
export type AgentLine = Omit<AgentCalls, "definition">;

/** Asks the home task how an invocation stands; resolves when it has ended. */
export function askOutcome(
  calls: AgentLine,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  return ask(calls, id, signal, true);
}

/**
 * Whether an invocation has ended.
 * @throws PartitaError INVOCATION_UNKNOWN
 */
export async function askComplete(
  calls: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const answer = await ask(calls, id, signal, false);
  if (answer.kind === "unknown") throw unknown(calls.agent, id);
  return answer.kind === "ended";
}

/**
 * Asks the home task to stop an invocation; resolves when nothing of it runs any more.
 * @throws PartitaError INVOCATION_UNKNOWN
 */
export async function askStop(
  { agent, port, waiters }: AgentCalls,
  id: InvocationId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const home = port.ownerOf(placementOf(id));
  const waiter = waiters.openStop(id, home, signal);
  port
    .request(home, encodeAttempt({ kind: "cancel", agent, invocationId: id, by: undefined }))
    .then(
      (bytes) => {
        const standing = decodeStanding(bytes);
        if (standing === "stopped") waiter.resolve({ kind: "stopped" });
        if (standing === "unknown") waiter.reject(unknown(agent, id));
      },
      (error: unknown) => waiter.reject(error),
    );
  await waiter.answer;
}

/** How an invocation stands; `waits`: not before it has ended. */
function ask(
  { agent, port, waiters }: AgentLine,
  id: InvocationId,
  signal: AbortSignal | undefined,
  waits: boolean,
): Promise<Answer> {
  const home = port.ownerOf(placementOf(id));
  const waiter = waiters.open(id, home, signal);
  const message = encodeAwait({ kind: "await", agent, invocationId: id, subscribe: waits });
  port.request(home, message).then(
    (bytes) => {
      const reply = decodeReply(bytes);
      if (reply.kind !== "pending" || !waits) waiter.resolve(reply);
    },
    (error: unknown) => waiter.reject(error),
  );
  return waiter.answer;
}

/**
 * The result that an answer tells of.
 * @throws PartitaError INVOCATION_FAILED, INVOCATION_CANCELLED, INVOCATION_UNKNOWN
 */
export function resultOf(agent: string, id: InvocationId, answer: Answer): unknown {
  if (answer.kind !== "ended") throw unknown(agent, id);
  const { outcome } = answer;
  if (outcome.kind === "result") return decodeMessage(outcome.value);
  const invocationId = formatInvocationId(id);
  if (outcome.kind === "failed") throw failed(agent, invocationId, outcome);
  throw new PartitaError("INVOCATION_CANCELLED", { agent, invocationId });
}

function unknown(agent: string, id: InvocationId): PartitaError {
  return new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: formatInvocationId(id) });
}

function failed(agent: string, invocationId: string, outcome: FailedOutcome): PartitaError {
  const { reason, failuresThen, failuresLost } = outcome;
  const failures = outcome.failures.map(decodeFailure);
  const last = failures[failuresThen - 1];
  const shown = { failures: failures.map(failureDetails), failuresLost };
  const details = { agent, invocationId, reason, ...shown };
  return new PartitaError(
    "INVOCATION_FAILED",
    details,
    last === undefined ? {} : { cause: errorOf(last) },
  );
}
