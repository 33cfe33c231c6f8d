// Streams — the chunks of a home task's invocations: accepted, kept, and given to who follows them.
//
// Owns: which chunks are accepted, what a follower is answered, and when it is told that it is
// worth asking again. Leaves to others: rows (stream-rows.ts), who waits (followers.ts), how far an
// invocation has come (invocation-record.ts), sending and following (node/chunk-sender.ts,
// client/stream-client.ts).
//
// Invariants:
//   S1. A chunk is accepted when the attempt of its run is current, and its index is the successor
//       of the last one of the same run, or 0. Index 0 of another run begins the list anew.
//   S2. Chunks that came before, as those sent again are, change nothing and are acknowledged.
//   S3. A run of an earlier life of its task is refused once a later one has streamed.
//   S4. A follower that has a part of a list which was begun anew gets the new one from its start;
//       one that has nothing yet is not told of what was before.
//   S5. What a follower is answered is read in its turn, and it is registered in the same turn: no
//       change between the two is missed.

import { PartitaError } from "../../base/errors.js";
import { assert } from "../../base/invariant.js";
import { limits } from "../../base/limits.js";
import type { Turn } from "../../runtime/task-program.js";
import {
  formatInvocationId,
  type InvocationId,
  type NodeInvocationId,
  noScope,
} from "../wire/invocation-id.js";
import { decodeNodeRecord } from "../wire/ack.js";
import { laneOf } from "../wire/message.js";
import {
  type ChunksMessage,
  encodeFollowReply,
  encodeStreamsReply,
  type FollowMessage,
  type FollowReply,
  type StreamMessage,
  type StreamState,
  type StreamsMessage,
} from "../wire/stream-message.js";
import { noBytes } from "../wire/wire-field.js";
import { Followers } from "./followers.js";
import { noteExtras, standingOf, type Standing } from "./standing.js";
import {
  addStream,
  readChunk,
  readHead,
  type StreamHead,
  streamAt,
  streamCount,
  writeChunk,
  writeHead,
} from "./stream-rows.js";
import { nodeOf } from "./parts.js";

export class Streams {
  readonly #followers = new Followers();

  apply(turn: Turn, message: StreamMessage): Uint8Array {
    switch (message.kind) {
      case "chunks":
        this.#accept(turn, message);
        return noBytes;
      case "follow":
        return encodeFollowReply(this.#follow(turn, message));
      case "streams":
        return this.#list(turn, message);
    }
  }

  /** A node invocation has finished. */
  nodeEnded(turn: Turn, id: InvocationId, node: NodeInvocationId): void {
    this.#followers.changed(turn, id, node);
  }

  /** The invocation has failed, or its whole tree has finished. */
  ended(turn: Turn, id: InvocationId): void {
    this.#followers.changedAll(turn, id);
  }

  threadExited(thread: number): void {
    this.#followers.threadExited(thread);
  }

  /** @throws PartitaError INVOCATION_RETRIED, INVOCATION_UNKNOWN */
  #accept(turn: Turn, message: ChunksMessage): void {
    const { invocationId: id, nodeInvocationId: node, first, chunks, run } = message;
    const standing = standingOf(turn, id);
    if (standing === undefined) throw unknown(message);
    const before = readHead(turn, id, node);
    const isStale = before !== undefined && before.run.boot > run.boot;
    if (standing.attempt !== message.attempt || isStale) throw retried(message);
    const head = headBefore(before, message);
    if (head !== before && first > 0) throw retried(message);
    assert(first <= head.count, () => `chunk ${first} came behind ${head.count} chunks`);
    const known = head.count - first;
    for (const [index, chunk] of chunks.slice(known).entries()) {
      writeChunk(turn, id, node, head.count + index, chunk);
    }
    const count = Math.max(head.count, first + chunks.length);
    if (head === before && count === head.count) return;
    writeHead(turn, id, node, { ...head, count });
    if (before === undefined) {
      addStream(turn, id, message.node, node);
      noteExtras(turn, id);
    }
    this.#followers.changed(turn, id, node);
    if (before === undefined) this.#followers.began(turn, id);
  }

  #follow(turn: Turn, message: FollowMessage): FollowReply {
    const { invocationId: id, nodeInvocationId: node } = message;
    const { generation } = message;
    const nothing = { generation, from: message.from, chunks: [] };
    const standing = standingOf(turn, id);
    if (standing?.agent !== message.agent) return { ...nothing, state: "unknown" };
    const ended = nodeThatEnded(turn, id, node);
    if (ended !== undefined && ended !== message.node) return { ...nothing, state: "other" };
    const head = readHead(turn, id, node);
    const page = head === undefined ? nothing : pageOf(turn, message, head);
    if (head !== undefined && page.from + page.chunks.length < head.count) {
      return { ...page, state: "more" };
    }
    const state = ended !== undefined ? "completed" : stateOf(standing);
    if (state !== "open") return { ...page, state };
    // Who takes chunks comes again before it waits.
    if (page.chunks.length > 0) return { ...page, state: "more" };
    this.#followers.add(id, node, laneOf(turn).thread);
    return { ...page, state };
  }

  #list(turn: Turn, { invocationId: id, agent, node, from, limit }: StreamsMessage): Uint8Array {
    const standing = standingOf(turn, id);
    if (standing?.agent !== agent) return encodeStreamsReply({ state: "unknown", ids: [] });
    const count = streamCount(turn, id, node);
    const ids: NodeInvocationId[] = [];
    const end = Math.min(count, from + limit, from + limits.streamPageRows);
    for (let no = from; no < end; no += 1) ids.push(streamAt(turn, id, node, no));
    const state = end < count ? "more" : stateOf(standing);
    if (state === "open" && ids.length > 0) return encodeStreamsReply({ state: "more", ids });
    if (state === "open") this.#followers.add(id, noScope, laneOf(turn).thread);
    return encodeStreamsReply({ state, ids });
  }
}

/** The list that chunks are added to (S1). */
function headBefore(before: StreamHead | undefined, message: ChunksMessage): StreamHead {
  const { run } = message;
  if (before !== undefined && before.run.boot === run.boot && before.run.no === run.no) {
    return before;
  }
  return { run, generation: before === undefined ? 0 : before.generation + 1, count: 0 };
}

function stateOf({ failed, finished }: Standing): StreamState {
  if (failed) return "failed";
  return finished ? "ended" : "open";
}

/** What a follower has not got of a list, bounded by count and bytes (S4). */
function pageOf(
  turn: Turn,
  { invocationId: id, nodeInvocationId: node, generation, from }: FollowMessage,
  head: StreamHead,
): Omit<FollowReply, "state"> {
  const start = generation === head.generation ? from : 0;
  const chunks: Uint8Array[] = [];
  const end = Math.min(head.count, start + limits.streamPageRows);
  for (let no = start, bytes = 0; no < end && bytes < limits.pageBytesMax; no += 1) {
    const chunk = readChunk(turn, id, node, no);
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return { generation: head.generation, from: start, chunks };
}

/** The node of a node invocation that has finished. */
function nodeThatEnded(turn: Turn, id: InvocationId, node: NodeInvocationId): string | undefined {
  const row = nodeOf(turn, id, node);
  return row === undefined ? undefined : decodeNodeRecord(row).node;
}

function unknown({ agent, invocationId }: ChunksMessage): PartitaError {
  const text = formatInvocationId(invocationId);
  return new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId: text });
}

function retried({ agent, invocationId, node }: ChunksMessage): PartitaError {
  const details = { agent, node, invocationId: formatInvocationId(invocationId) };
  return new PartitaError("INVOCATION_RETRIED", details);
}
