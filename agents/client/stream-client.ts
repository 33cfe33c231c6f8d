// Stream client — follows chunks: asks the home task for what is new, waits until there is more.
//
// Owns: how far a follower has come, noticing resets, and following all node invocations of a node
// at once. Leaves to others: what home answers (home/streams.ts), who waits for which notice
// (outcome-waiters.ts), what users see (stream.ts).
//
// Invariants:
//   S1. A notice only wakes: what is new comes with the answer to the next question, which says how
//       far this follower has come. Nothing comes twice, nothing is left out.
//   S2. A task that is lost is asked again when it is back.
//   S3. However an iteration ends, nothing waits on its behalf any more.

import { PartitaError } from "../../base/errors.js";
import {
  formatInvocationId,
  formatNodeId,
  type InvocationId,
  type NodeInvocationId,
  noScope,
  placementOf,
} from "../wire/invocation-id.js";
import {
  decodeFollowReply,
  decodeStreamsReply,
  encodeFollowReply,
  encodeStream,
  encodeStreamsReply,
  type FollowMessage,
  type FollowReply,
  type StreamMessage,
  type StreamsMessage,
  type StreamState,
  type StreamsReply,
} from "../wire/stream-message.js";
import { decodeMessage } from "../wire/wire-field.js";
import { type AgentLine, askOutcome, resultOf } from "./outcome-question.js";
import { type Following, merged, type StreamEnd } from "./merged-streams.js";
import type { ChunkStream, StreamEvent } from "./stream.js";
import { waited } from "./waiting.js";

/** What a stream follows. */
export type StreamSubject =
  | { readonly kind: "first"; readonly node: string }
  | { readonly kind: "one"; readonly node: string; readonly id: NodeInvocationId }
  | { readonly kind: "all"; readonly node: string };

/**
 * The stream of an invocation; nothing is asked before it is iterated. `lineOf`: the way to its
 * home for one iteration, until that is over.
 */
export function chunkStream(
  lineOf: (over: AbortSignal) => AgentLine,
  id: InvocationId,
  subject: StreamSubject,
  signal: AbortSignal | undefined,
): ChunkStream {
  const begin = (over: AbortSignal) => {
    return new Follower(lineOf(over), id, subject.node, over).events(subject);
  };
  return new ProgramChunkStream(begin, signal);
}

/** The answer to what a follower elsewhere asks, as soon as it says more than to wait. */
export async function answerFollower(
  line: AgentLine,
  message: FollowMessage | StreamsMessage,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return await new Follower(line, message.invocationId, message.node, signal).answer(message);
}

class ProgramChunkStream implements ChunkStream {
  readonly #begin: (over: AbortSignal) => AsyncGenerator<StreamEvent, void>;
  readonly #signal: AbortSignal | undefined;
  readonly #open = new Set<AbortController>();
  #isClosed = false;

  constructor(
    begin: (over: AbortSignal) => AsyncGenerator<StreamEvent, void>,
    signal: AbortSignal | undefined,
  ) {
    this.#begin = begin;
    this.#signal = signal;
  }

  /** Not over `AbortSignal.any`: Node keeps such a signal for as long as anybody listens to it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void> {
    if (this.#isClosed) return;
    const signal = this.#signal;
    const controller = new AbortController();
    const { signal: over } = controller;
    const abort = (): void => controller.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) abort();
    this.#open.add(controller);
    try {
      for await (const event of this.#begin(over)) {
        if (over.reason === closed) return;
        yield event;
        if (over.reason === closed) return;
      }
    } catch (error) {
      // Closing is no error; a caller's own abort is one to him.
      if (over.reason !== closed) throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(controller);
      controller.abort(closed);
    }
  }

  async forEach(listener: (event: StreamEvent) => unknown): Promise<void> {
    for await (const event of this) await listener(event);
  }

  close(): void {
    this.#isClosed = true;
    for (const controller of this.#open) controller.abort(closed);
  }
}

/** One iteration. */
class Follower {
  readonly #calls: AgentLine;
  readonly #id: InvocationId;
  readonly #node: string;
  readonly #home: number;
  readonly #signal: AbortSignal;
  /** What waits: one listener of the signal for all, since there can be thousands. */
  readonly #waiting = new Set<{ reject(error: unknown): void }>();
  readonly #onAbort = (): void => {
    for (const waiter of this.#waiting) waiter.reject(this.#signal.reason);
  };

  constructor(calls: AgentLine, id: InvocationId, node: string, signal: AbortSignal) {
    this.#calls = calls;
    this.#id = id;
    this.#node = node;
    this.#home = calls.port.ownerOf(placementOf(id));
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  async *events(subject: StreamSubject): AsyncGenerator<StreamEvent, void> {
    try {
      yield* this.#events(subject);
    } finally {
      this.#end();
    }
  }

  /** The signal may live on for long; what others of `merged` wait for must not. */
  #end(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    for (const waiter of this.#waiting) waiter.reject(closed);
  }

  async *#events(subject: StreamSubject): AsyncGenerator<StreamEvent, void> {
    const { agent } = this.#calls;
    const invocationId = formatInvocationId(this.#id);
    switch (yield* this.#following(subject)) {
      case "failed": {
        const answer = await this.#persistently(() =>
          askOutcome(this.#calls, this.#id, this.#signal),
        );
        // Throws, unless it was revived and has its result meanwhile.
        resultOf(agent, this.#id, answer);
        return;
      }
      case "unknown":
        throw new PartitaError("INVOCATION_UNKNOWN", { agent, invocationId });
      case "other": {
        const nodeInvocationId = subject.kind === "one" ? formatNodeId(subject.id) : "";
        const details = { agent, invocationId, node: subject.node, nodeInvocationId };
        throw new PartitaError("NODE_INVOCATION_UNKNOWN", details);
      }
      default:
    }
  }

  /** See `answerFollower`. */
  async answer(message: FollowMessage | StreamsMessage): Promise<Uint8Array> {
    try {
      if (message.kind === "streams") {
        return encodeStreamsReply(await this.#ask(noScope, message, decodeStreamsReply));
      }
      const { nodeInvocationId: topic } = message;
      return encodeFollowReply(await this.#ask(topic, message, decodeFollowReply));
    } finally {
      this.#end();
    }
  }

  #following(subject: StreamSubject): Following {
    switch (subject.kind) {
      case "first":
        return this.#first();
      case "one":
        return this.#one(subject.id);
      case "all":
        return merged(this.#ids(), (id) => this.#one(id));
    }
  }

  async *#first(): Following {
    for (;;) {
      const { state, ids } = await this.#askStreams(0, 1);
      const [first] = ids;
      if (first !== undefined) return yield* this.#one(first);
      if (state !== "more") return state;
    }
  }

  /** The node invocations that stream, in the order of their first chunks. */
  async *#ids(): AsyncGenerator<NodeInvocationId, StreamEnd> {
    for (let known = 0; ; ) {
      const { state, ids } = await this.#askStreams(known, streamsPage);
      yield* ids;
      known += ids.length;
      if (state !== "more") return state;
    }
  }

  async *#one(id: NodeInvocationId): Following {
    const nodeInvocationId = formatNodeId(id);
    for (let generation = 0, next = 0; ; ) {
      const reply = await this.#askFollow(id, generation, next);
      if (reply.generation !== generation) {
        // What came before this follower was there is no reset to it.
        if (next > 0) yield Object.freeze({ kind: "reset", nodeInvocationId });
        generation = reply.generation;
        next = 0;
      }
      for (const chunk of reply.chunks) {
        const value = decodeMessage(chunk);
        yield Object.freeze({ kind: "chunk", nodeInvocationId, index: next, value });
        next += 1;
      }
      if (reply.state === "more") continue;
      if (reply.state === "completed") yield Object.freeze({ kind: "completed", nodeInvocationId });
      return reply.state;
    }
  }

  #askFollow(id: NodeInvocationId, generation: number, from: number): Promise<Told<FollowReply>> {
    const subject = { agent: this.#calls.agent, invocationId: this.#id, node: this.#node };
    const asked = { kind: "follow", ...subject, nodeInvocationId: id, generation, from } as const;
    return this.#ask(id, asked, decodeFollowReply);
  }

  #askStreams(from: number, limit: number): Promise<Told<StreamsReply>> {
    const subject = { agent: this.#calls.agent, invocationId: this.#id, node: this.#node };
    return this.#ask(noScope, { kind: "streams", ...subject, from, limit }, decodeStreamsReply);
  }

  /** Asks until there is an answer that says more than to wait (S1). */
  async #ask<Reply extends { readonly state: StreamState }>(
    topic: NodeInvocationId,
    message: StreamMessage,
    decode: (bytes: Uint8Array) => Reply,
  ): Promise<Told<Reply>> {
    const { port, waiters } = this.#calls;
    return await this.#persistently(async () => {
      for (;;) {
        const waiter = waiters.openStream(this.#id, topic, this.#home);
        this.#waiting.add(waiter);
        try {
          const asked = port.request(this.#home, encodeStream(message)).then(decode);
          const reply = await Promise.race([asked, waiter.answer.then(() => asked)]);
          if (isTold(reply)) return reply;
          await waiter.answer;
        } finally {
          this.#waiting.delete(waiter);
          waiter.resolve({ kind: "streamed" });
        }
      }
    });
  }

  /** Again when the home task is back, if it is lost meanwhile (S2). */
  async #persistently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        return await waited(ask());
      } catch (error) {
        if (!PartitaError.is(error, "TASK_EXITED")) throw error;
        await this.#calls.port.reopened(this.#home);
      }
    }
  }
}

type Told<Reply> = Reply & { readonly state: Exclude<StreamState, "open"> };

function isTold<Reply extends { readonly state: StreamState }>(reply: Reply): reply is Told<Reply> {
  return reply.state !== "open";
}

/** Ids of one answer. */
const streamsPage = 64;

const closed = new Error("the stream was closed");
