// Followers — which threads are to be told when something of an invocation's streams has changed.
//
// Owns: who waits for which topic, in memory, and telling them once. Leaves to others: when a topic
// has changed (streams.ts), asking again (client/stream-client.ts).
//
// Invariants:
//   F1. A thread that has asked, and was told that there is nothing more yet, is told when there
//       is: it is registered in the turn that answers it. Told once, it is forgotten until it asks.
//   F2. While nobody follows anything, a change costs one comparison.

import type { Turn } from "../../runtime/task-program.js";
import {
  formatNodeId,
  type InvocationId,
  invocationName,
  type NodeInvocationId,
  noScope,
} from "../wire/invocation-id.js";
import { encodeNotice } from "../wire/outcome.js";

/** What one thread waits for: one node invocation, or that another one streams. */
interface Topic {
  readonly nodeInvocationId: NodeInvocationId;
  readonly threads: Set<number>;
}

export class Followers {
  /** By name of the invocation, then by the topic's text. */
  readonly #topics = new Map<string, Map<string, Topic>>();

  /** `nodeInvocationId`: `noScope` for the invocation as a whole. */
  add(id: InvocationId, nodeInvocationId: NodeInvocationId, thread: number): void {
    const name = invocationName(id);
    const topics = this.#topics.get(name) ?? new Map<string, Topic>();
    this.#topics.set(name, topics);
    const text = formatNodeId(nodeInvocationId);
    const topic = topics.get(text) ?? { nodeInvocationId, threads: new Set() };
    topics.set(text, topic);
    topic.threads.add(thread);
  }

  /** There is more of one node invocation's stream, or it is over. */
  changed(turn: Turn, id: InvocationId, nodeInvocationId: NodeInvocationId): void {
    if (this.#topics.size === 0) return;
    const name = invocationName(id);
    const topics = this.#topics.get(name);
    const text = formatNodeId(nodeInvocationId);
    const topic = topics?.get(text);
    if (topics === undefined || topic === undefined) return;
    topics.delete(text);
    if (topics.size === 0) this.#topics.delete(name);
    tell(turn, id, topic);
  }

  /** Another node invocation streams. */
  began(turn: Turn, id: InvocationId): void {
    this.changed(turn, id, noScope);
  }

  /** The invocation has failed, or its tree has finished: this concerns all of its streams. */
  changedAll(turn: Turn, id: InvocationId): void {
    if (this.#topics.size === 0) return;
    const name = invocationName(id);
    const topics = this.#topics.get(name);
    if (topics === undefined) return;
    this.#topics.delete(name);
    for (const topic of topics.values()) tell(turn, id, topic);
  }

  threadExited(thread: number): void {
    for (const [name, topics] of this.#topics) {
      for (const [text, { threads }] of topics) {
        threads.delete(thread);
        if (threads.size === 0) topics.delete(text);
      }
      if (topics.size === 0) this.#topics.delete(name);
    }
  }
}

function tell(turn: Turn, invocationId: InvocationId, { nodeInvocationId, threads }: Topic): void {
  const notice = encodeNotice({ kind: "streamed", invocationId, nodeInvocationId });
  for (const thread of threads) turn.notify(thread, notice);
}
