// Sub forks — forks that a node makes of invocations.
//
// The id of the call is noted before home hears of it, and begins one fork however often it comes
// (B1, B2 of neighbour-agents.ts, where the same is done with calls of another topology).
// Owns: that order, and what a retry does with a fork that has failed. Leaves to others: making it
// (client/fork-client.ts), waiting for it (sub-agents.ts).

import { newCallId } from "../../runtime/call-id.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { checksum } from "../../store/checksum.js";
import { beginFork, type ForkChanges, type ForkOptions } from "../client/fork-client.js";
import type { AgentCalls } from "../client/outcome-question.js";
import { formatInvocationId, type InvocationId, parseInvocationId } from "../wire/invocation-id.js";
import { encodeMessage } from "../wire/wire-field.js";
import type { ActiveNode } from "./active-node.js";
import { failedBefore } from "./child-outcome.js";
import { NotedSteps } from "./noted-steps.js";

/** What a node forks. */
interface ForkCall {
  readonly active: ActiveNode;
  readonly port: TaskPort;
  /** The attempt of the node's invocation. */
  readonly attempt: number;
  readonly calls: AgentCalls;
  readonly parent: InvocationId;
  readonly changes: ForkChanges;
  readonly options: ForkOptions;
  /** What a fork came to, as earlier runs were told. */
  outcomesOf(fork: InvocationId): readonly Uint8Array[];
}

/**
 * Takes the places of a fork in the journal; what it returns begins it, once for all runs of the
 * node, and resolves with its id.
 */
export function forkOnce(call: ForkCall): () => Promise<InvocationId> {
  const { active, port, attempt, calls, parent, changes, options, outcomesOf } = call;
  const begin = (id: string | undefined): Promise<InvocationId> =>
    beginFork(calls, parent, changes, id === undefined ? options : { ...options, id });
  // It has a name of its own, under which home knows it.
  if (options.id !== undefined) return () => begin(undefined);
  const { agent } = calls;
  const given = checksum(encodeMessage(changes, `changes of a fork of agent "${agent}"`));
  const of = `${formatInvocationId(parent)} #${given.toString(16)}`;
  const steps = new NotedSteps(active, port, "fork");
  const nameIn = (what: "call" | "begun", begun: number): string => `${what} ${begun} of ${of}`;
  let begun = attempt;
  for (let earlier = attempt; earlier >= 0 && active.journal.isReplayed; earlier -= 1) {
    if (steps.noted(nameIn("call", earlier), 0) === undefined) continue;
    const known = steps.noted(nameIn("begun", earlier), 1);
    const outcomes = known === undefined ? [] : outcomesOf(idIn(agent, known));
    if (!failedBefore(outcomes, attempt)) begun = earlier;
    break;
  }
  const called = steps.place(nameIn("call", begun));
  const forked = steps.place(nameIn("begun", begun));
  return async () => {
    const noted = await steps.keep(called, agent, async () => newCallId(port));
    const id = await steps.keep(forked, agent, async () => {
      active.assertWrites();
      return formatInvocationId(await begin(String(noted)));
    });
    return idIn(agent, id);
  };
}

function idIn(agent: string, noted: unknown): InvocationId {
  return parseInvocationId(agent, String(noted));
}
