// Invocation handle — one run of an agent, as its client hands it out.
//
// Owns: asking the home task how an invocation stands, and turning outcomes into results and
// errors. Leaves to others: the contract of each method (invocation.ts), who waits for what
// (outcome-waiters.ts), what an invocation does (execution.ts).
// Invariants C1 and C3 of client.ts.

import { PartitaError } from "../../base/errors.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import { decodeFailure, errorOf, failureDetails } from "../wire/failure.js";
import { formatInvocationId, type InvocationId, placementOf } from "../wire/invocation-id.js";
import { encodeAwait } from "../wire/message.js";
import { decodeReply, type FailedOutcome } from "../wire/outcome.js";
import { decodeMessage } from "../wire/wire-field.js";
import type { Invocation } from "./invocation.js";
import type { Answer, OutcomeWaiters } from "./outcome-waiters.js";
import { checkWaitOptions, type WaitOptions, waited } from "./waiting.js";

/** What the client of one agent and all of its handles share. */
export interface AgentCalls {
  readonly agent: string;
  readonly port: ProgramClientPort;
  readonly waiters: OutcomeWaiters;
}

export class InvocationHandle implements Invocation<unknown> {
  readonly id: string;
  readonly #id: InvocationId;
  readonly #calls: AgentCalls;

  constructor(calls: AgentCalls, id: InvocationId) {
    this.id = formatInvocationId(id);
    this.#id = id;
    this.#calls = calls;
  }

  async result(options: WaitOptions = {}): Promise<unknown> {
    checkWaitOptions("result", options);
    const answer = await waited(askOutcome(this.#calls, this.#id, options.signal));
    return resultOf(this.#calls.agent, this.#id, answer);
  }
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
