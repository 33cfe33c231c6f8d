// Neighbour traces — the trace of an invocation in another topology, read by a node: both ends.

import { assert } from "../../base/invariant.js";
import { ownerOf } from "../../runtime/partition.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import type { AgentDefinition } from "../declare/definition.js";
import { parseInvocationId, placementOf } from "../wire/invocation-id.js";
import { decodeAgentMessage } from "../wire/message.js";
import type { FoundTrace } from "../wire/neighbour-request.js";
import type { NodeTrace } from "./trace.js";
import { type TraceAnswer, traceFrom } from "./trace-client.js";
import type { WaitOptions } from "./waiting.js";

/** Reads it page by page. `ask`: passes on what is asked there. */
export function neighbourTrace(
  agent: string,
  invocationId: string,
  { signal }: WaitOptions,
  ask: (message: Uint8Array) => Promise<unknown>,
): AsyncIterable<NodeTrace> {
  const id = parseInvocationId(agent, invocationId);
  const answered = async (message: Uint8Array): Promise<TraceAnswer> => {
    // cast: the server answers so, with `answerTrace`
    const { page, entry, taskCount } = (await ask(message)) as FoundTrace;
    return { page, entry, ownerOf: (keyHash) => ownerOf(keyHash, taskCount) };
  };
  return { [Symbol.asyncIterator]: () => traceFrom({ agent, ask: answered }, id, signal) };
}

/** The other end. `message`: what a walk asks the home task. */
export async function answerTrace(
  port: ProgramClientPort,
  { entry }: AgentDefinition,
  message: Uint8Array,
): Promise<FoundTrace> {
  const asked = decodeAgentMessage(message);
  assert(asked.kind === "trace", () => `a trace does not ask for ${asked.kind}`);
  const page = await port.request(port.ownerOf(placementOf(asked.invocationId)), message);
  return { page, entry: entry.name, taskCount: port.taskCount };
}
