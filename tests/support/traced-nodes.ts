// The nodes of a trace, as several tests look at them.

import type { NodeTrace } from "../../agents/client/trace.js";
import type { ProgramHarness } from "./program-harness.js";

/** The whole trace of an invocation. */
export async function traced(
  harness: ProgramHarness,
  invocation: { trace(): AsyncIterable<NodeTrace> },
): Promise<readonly NodeTrace[]> {
  const nodes: NodeTrace[] = [];
  const read = async (): Promise<void> => {
    for await (const one of invocation.trace()) nodes.push(one);
  };
  await harness.until(read());
  return nodes;
}

/** The id of one of them, by its node and its message. */
export function idOf(nodes: readonly NodeTrace[], name: string, message?: unknown): string {
  const found = nodes.find(
    (one) => one.node === name && (message === undefined || one.message === message),
  );
  if (found === undefined) throw new Error(`there is no ${name} of ${String(message)}`);
  return found.nodeInvocationId;
}
