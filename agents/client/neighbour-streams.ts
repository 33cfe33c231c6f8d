// Neighbour streams — chunks of an invocation in another topology, followed by a node.
//
// A node follows them as every client does (stream-client.ts); only what it asks goes over to the
// other topology, which answers when there is more to say than to wait.
// Owns: that way, at both ends. Leaves to others: following, and what home tasks answer.

import { PartitaError } from "../../base/errors.js";
import type { ProgramClientPort } from "../../runtime/task-program.js";
import { type InvocationId, parseNodeId } from "../wire/invocation-id.js";
import { decodeAgentMessage } from "../wire/message.js";
import { encodeReply } from "../wire/outcome.js";
import { type AgentLine, askOutcome } from "./outcome-question.js";
import { OutcomeWaiters } from "./outcome-waiters.js";
import type { ChunkStream } from "./stream.js";
import { answerFollower, chunkStream, type StreamSubject } from "./stream-client.js";
import type { WaitOptions } from "./waiting.js";

/** What a follower needs of the node. */
export interface FollowingNode {
  readonly agent: string;
  readonly port: Pick<ProgramClientPort, "now" | "random">;
  /** Passes on what is asked; answered when there is something to say. */
  ask(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** The three kinds of streams of an invocation over there. */
export function neighbourStreams(following: FollowingNode, id: InvocationId, invocationId: string) {
  const { agent, port } = following;
  const lineOf = (over: AbortSignal): AgentLine => {
    const far: ProgramClientPort = {
      taskCount: 1,
      ownerOf: () => 0,
      now: () => port.now(),
      random: () => port.random(),
      assertWritable() {},
      request: (_, message) => following.ask(message, over),
      reopened: async () => {},
      onNotice() {},
      onLost() {},
    };
    return { agent, port: far, waiters: new OutcomeWaiters(far) };
  };
  const follow = (subject: StreamSubject, { signal }: WaitOptions): ChunkStream =>
    chunkStream(lineOf, id, subject, signal);
  return {
    stream: (node: string, options: WaitOptions = {}) => follow({ kind: "first", node }, options),
    streamAll: (node: string, options: WaitOptions = {}) => follow({ kind: "all", node }, options),
    streamSpecific: (node: string, nodeInvocationId: string, options: WaitOptions = {}) => {
      const one = parseNodeId(nodeInvocationId);
      if (one !== undefined) return follow({ kind: "one", node, id: one }, options);
      const details = { agent, invocationId, node, nodeInvocationId };
      throw new PartitaError("NODE_INVOCATION_UNKNOWN", details);
    },
  };
}

/** The other end: what a follower has asked. @throws PartitaError NODE_UNKNOWN */
export async function answerFromAfar(
  line: AgentLine,
  nodes: ReadonlyMap<string, unknown>,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const message = decodeAgentMessage(bytes);
  if (message.kind === "await") {
    const answer = await askOutcome(line, message.invocationId, signal);
    return encodeReply(answer.kind === "ended" ? answer : { kind: "unknown" });
  }
  const isFollower = message.kind === "follow" || message.kind === "streams";
  if (!isFollower) throw new TypeError(`followers do not ask for ${message.kind}`);
  if (nodes.has(message.node)) return await answerFollower(line, message, signal);
  const { agent, node } = message;
  throw new PartitaError("NODE_UNKNOWN", { agent, node, known: [...nodes.keys()] });
}
