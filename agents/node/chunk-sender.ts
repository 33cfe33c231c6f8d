// Chunk sender — the chunks of one run of a node on their way to the home task.
//
// Owns: their numbers, the window of those that are not acknowledged, and what is sent at once.
// Leaves to others: sending a request until it is answered (the port), what home does with it
// (home/streams.ts), that a node does not end before its chunks are durable (active-node.ts).
//
// Invariants:
//   C1. Chunks leave in the order in which they were given; one request is on the way at a time,
//       and takes with it all that have gathered meanwhile, within a bound of bytes.
//   C2. `add` resolves while fewer than `chunksUnacknowledgedMax` chunks, and about as many bytes
//       as `chunkBytesUnacknowledgedMax` says, are not acknowledged: a full window slows the node.
//   C3. What home refuses, it refuses for all that follows: later chunks are rejected unsent.

import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import { placementOf } from "../wire/invocation-id.js";
import type { RunMessage } from "../wire/message.js";
import { encodeStream } from "../wire/stream-message.js";

/** That of one run of a node. */
export function chunkSender(port: TaskPort, run: RunMessage): ChunkSender {
  const { agent, invocationId, nodeInvocationId, node, attempt } = run;
  const subject = { agent, invocationId, nodeInvocationId, node, attempt };
  // Two runs of one life are told apart by chance: their number is nothing that anybody counts.
  const number = { boot: port.boot.count, no: Math.floor(port.random() * 2 ** 32) };
  const home = port.ownerOf(placementOf(invocationId));
  return new ChunkSender((first, chunks) =>
    port.ask(home, encodeStream({ kind: "chunks", ...subject, run: number, first, chunks })),
  );
}

export class ChunkSender {
  readonly #send: (first: number, chunks: readonly Uint8Array[]) => Promise<unknown>;
  /** Not acknowledged, oldest first. */
  #window: Uint8Array[] = [];
  #windowBytes = 0;
  /** The index of the oldest of them. */
  #first = 0;
  #refused: { readonly error: unknown } | undefined;
  #sending: Promise<void> | undefined;
  #waiting: (() => void)[] = [];

  constructor(send: (first: number, chunks: readonly Uint8Array[]) => Promise<unknown>) {
    this.#send = send;
  }

  /** Takes a chunk at once; resolves when there is room for another (C2). */
  async add(chunk: Uint8Array): Promise<void> {
    this.#assertAccepted();
    this.#window.push(chunk);
    this.#windowBytes += chunk.length;
    this.#sending ??= this.#sendAll();
    while (this.#isFull) await this.#nextAnswer();
    this.#assertAccepted();
  }

  /** Resolves when every chunk is durable; rejects with what home has refused them with. */
  async drained(): Promise<void> {
    await this.#sending;
    this.#assertAccepted();
  }

  get #isFull(): boolean {
    if (this.#refused !== undefined) return false;
    const { chunksUnacknowledgedMax, chunkBytesUnacknowledgedMax } = limits;
    return (
      this.#window.length >= chunksUnacknowledgedMax ||
      this.#windowBytes >= chunkBytesUnacknowledgedMax
    );
  }

  /** Never rejects. */
  async #sendAll(): Promise<void> {
    // What a function gives without a pause goes together.
    await undefined;
    while (this.#window.length > 0 && this.#refused === undefined) {
      const chunks = firstOf(this.#window, limits.chunkRequestBytesMax);
      try {
        await this.#send(this.#first, chunks);
      } catch (error) {
        this.#refused = { error };
      }
      this.#window = this.#window.slice(chunks.length);
      for (const chunk of chunks) this.#windowBytes -= chunk.length;
      this.#first += chunks.length;
      for (const wake of this.#waiting.splice(0)) wake();
    }
    this.#sending = undefined;
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #assertAccepted(): void {
    if (this.#refused !== undefined) throw this.#refused.error;
  }
}

/** As many as take about that many bytes, at least one. */
function firstOf(chunks: readonly Uint8Array[], bytesMax: number): readonly Uint8Array[] {
  let bytes = 0;
  const end = chunks.findIndex((chunk) => {
    bytes += chunk.length;
    return bytes > bytesMax;
  });
  return chunks.slice(0, end === -1 ? chunks.length : Math.max(1, end));
}
