// Node function — one run of a user's function, and what it comes to.

import type { ActiveNode } from "./active-node.js";
import type { NodeEffects } from "./node-effects.js";
import type { NodeDefinition } from "../declare/definition.js";
import { encodeFailure } from "../wire/failure.js";
import { formatNodeId } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { decodeMessage } from "../wire/wire-field.js";

/** Runs a node function to its end, operations that it has not awaited included. */
export async function runFunction(
  run: RunMessage,
  node: NodeDefinition,
  active: ActiveNode,
): Promise<NodeEffects> {
  let thrown: { readonly error: unknown } | undefined;
  let returned: unknown;
  try {
    returned = await node.run(active.context(), decodeMessage(run.message));
  } catch (error) {
    thrown = { error };
  }
  try {
    await active.finish();
    if (node.carry !== undefined && node.kind === "scatter") active.carry(returned, node.carry);
  } catch (error) {
    // What the function itself threw came first.
    thrown ??= { error };
  }
  return thrown === undefined ? active.effects() : failureOf(run, active, thrown.error);
}

/** What a run comes to that has thrown. */
export function failureOf(run: RunMessage, active: ActiveNode, thrown: unknown): NodeEffects {
  const { node, attempt } = run;
  const failure = { node, nodeInvocationId: formatNodeId(run.nodeInvocationId), attempt };
  return active.failed(encodeFailure(failure, thrown));
}
