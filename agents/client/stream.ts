// Chunk stream — what nodes stream while they run, as those who follow it see it: the contract.
//
// Owns: the types. Leaves to others: following (stream-client.ts).

/** One chunk: what a node gave to `ctx.chunk`. */
export interface ChunkEvent {
  readonly kind: "chunk";
  readonly nodeInvocationId: string;
  /** 0, 1, 2…, for each node invocation. */
  readonly index: number;
  readonly value: unknown;
}

/**
 * The node invocation was run again, after it threw or after a crash: what was streamed by it so
 * far is void, and its chunks come anew, from index 0 on.
 */
export interface StreamResetEvent {
  readonly kind: "reset";
  readonly nodeInvocationId: string;
}

/** The node invocation has finished: no chunk of it follows. */
export interface StreamCompletedEvent {
  readonly kind: "completed";
  readonly nodeInvocationId: string;
}

export type StreamEvent = ChunkEvent | StreamResetEvent | StreamCompletedEvent;

/**
 * Chunks as they come, from the first one on, whenever the following begins: nothing is lost to who
 * comes late, and he sees no resets from before. It goes on over the death of a task's thread.
 *
 * Each iteration, and each `forEach`, begins anew from the first chunk and goes at its own pace. It
 * ends when what it follows is completed. It throws what `Invocation.result` throws when the
 * invocation fails before, behind all chunks that there were.
 */
export interface ChunkStream extends AsyncIterable<StreamEvent> {
  /**
   * The same as a callback: calls `listener` for one event after the other, each time waiting for
   * what it returns, and resolves when the stream has ended or was closed. What the listener throws
   * ends it and is thrown.
   * @throws as iterations do
   */
  forEach(listener: (event: StreamEvent) => unknown): Promise<void>;

  /** Ends every iteration, without an error. The node is not concerned. Closing twice is fine. */
  close(): void;
}
