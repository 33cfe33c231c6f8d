// Roots — the first node invocation of an invocation: sent when it begins, and again when an update
// of its agent restarts it.

import type { TaskPort, Turn } from "../../runtime/task-program.js";
import { hashKey } from "../../store/key-hash.js";
import { encodeDynamicKey } from "../../store/tuple-key.js";
import type { AgentDefinition } from "../declare/definition.js";
import { type InvocationId, noScope, rootNodeId } from "../wire/invocation-id.js";
import { decodeRun, encodeRun, type RunMessage } from "../wire/message.js";
import { decodeMessage } from "../wire/wire-field.js";
import { originOf } from "./parts.js";
import { originKey, treeTable } from "./tree.js";

/** What an invocation begins with. */
type Origin = Pick<RunMessage, "agent" | "invocationId" | "node" | "carried" | "key" | "message">;

/** Sends the entry its message and returns it, to be kept: it has the original input. */
export function startRoot(turn: Turn, port: TaskPort, origin: Origin, attempt: number): Uint8Array {
  const { invocationId, key } = origin;
  const nodeInvocationId = rootNodeId(invocationId, attempt);
  const { agent, node, carried, message } = origin;
  const run: RunMessage = {
    kind: "run",
    agent,
    invocationId,
    node,
    nodeInvocationId,
    scope: noScope,
    attempt,
    carried,
    key,
    message,
  };
  const bytes = encodeRun(run);
  turn.send(key === undefined ? port.taskId : port.ownerOf(hashKey(key)), bytes);
  return bytes;
}

/**
 * The same in a later attempt, with the entry that the agent has now.
 * Throws what the key function of that entry throws at an input that was made for another one.
 */
export function restartRoot(
  turn: Turn,
  port: TaskPort,
  { entry }: AgentDefinition,
  id: InvocationId,
  attempt: number,
): void {
  const origin = originOf(turn, id, rootNodeId(id, 0));
  if (origin === undefined) throw new Error("its input is gone");
  const first = decodeRun(origin);
  const key = entry.key && encodeDynamicKey(entry.key(decodeMessage(first.message)));
  const run = startRoot(turn, port, { ...first, node: entry.name, key }, attempt);
  turn.put(treeTable, originKey(id, rootNodeId(id, attempt)), run, true);
}
