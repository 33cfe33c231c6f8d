// Node function — one run of a user's function, and what it comes to.

import type { ActiveNode } from "./active-node.js";
import type { NodeEffects } from "./node-effects.js";
import type { NodeDefinition } from "../declare/definition.js";
import { encodeFailure } from "../wire/failure.js";
import { formatNodeId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { decodeMessage } from "../wire/wire-field.js";

/** What the user's function came to. */
type Outcome = { readonly value: unknown } | { readonly error: unknown };

/**
 * Runs a node function to its end, operations that it has not awaited included. One that neither
 * waits nor leaves anything under way costs no promise.
 */
export function runFunction(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
): NodeEffects | Promise<NodeEffects> {
  let outcome: Outcome;
  try {
    const value = node.run(active.context(), decodeMessage(run.message));
    // Whether it can be awaited is asked of what the user has made, which may throw.
    if (isThenable(value)) return settled(run, node, active, value);
    outcome = { value };
  } catch (error) {
    outcome = { error };
  }
  const finishing = active.finish();
  if (finishing === undefined) return effectsOf(run, node, active, outcome);
  return finished(run, node, active, outcome, finishing);
}

async function settled(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
  returned: PromiseLike<unknown>,
): Promise<NodeEffects> {
  let outcome: Outcome;
  try {
    outcome = { value: await returned };
  } catch (error) {
    outcome = { error };
  }
  const finishing = active.finish();
  if (finishing === undefined) return effectsOf(run, node, active, outcome);
  return await finished(run, node, active, outcome, finishing);
}

async function finished(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
  outcome: Outcome,
  finishing: Promise<void>,
): Promise<NodeEffects> {
  try {
    await finishing;
  } catch (error) {
    // What the function itself threw came first.
    return effectsOf(run, node, active, "error" in outcome ? outcome : { error });
  }
  return effectsOf(run, node, active, outcome);
}

function effectsOf(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
  outcome: Outcome,
): NodeEffects {
  if ("error" in outcome) return failureOf(run, active, outcome.error);
  if (node.carry === undefined || node.kind !== "scatter") return active.effects();
  try {
    active.carry(outcome.value, node.carry);
  } catch (error) {
    return failureOf(run, active, error);
  }
  return active.effects();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" && typeof value !== "function") return false;
  return value !== null && "then" in value && typeof value.then === "function";
}

/** What a run comes to that has thrown. */
export function failureOf(run: RunMessage, active: ActiveNode, thrown: unknown): NodeEffects {
  const { node, attempt } = run;
  const failure = { node, nodeInvocationId: formatNodeId(run.nodeInvocationId), attempt };
  return active.failed(encodeFailure(failure, thrown));
}
