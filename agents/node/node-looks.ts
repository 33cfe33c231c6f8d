// Node looks — what one run of a node function asks of other invocations and follows of them,
// without a record: it takes part in nothing, and a run after a crash looks again.
//
// Owns: what of that is under way. Leaves to others: asking (client/), operations as such
// (active-node.ts), the place among running nodes that a run without others has not
// (waiting-runs.ts).
//
// Invariant Q1. A read of a stream is under way from when its next event is asked for until that is
// there: who is busy with the one before waits for nothing.

import type { ChunkStream, StreamEvent } from "../client/stream.js";

/** The streams of an invocation, as it gives them out. */
interface Streams {
  stream(...given: never): ChunkStream;
  streamAll(...given: never): ChunkStream;
  streamSpecific(...given: never): ChunkStream;
}

export class NodeLooks {
  readonly #changed: () => void;
  #asking = 0;
  #following = 0;

  /** `changed`: reads of streams have begun or ended. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Operations of the run that only ask. */
  get asking(): number {
    return this.#asking;
  }

  /** Whether anything is under way. */
  get any(): boolean {
    return this.#asking + this.#following > 0;
  }

  /** What an operation of the run only asks. */
  async ask<T>(begin: () => Promise<T>): Promise<T> {
    this.#asking += 1;
    try {
      return await begin();
    } finally {
      this.#asking -= 1;
    }
  }

  /** A stream as the run follows it. */
  followed(stream: ChunkStream): ChunkStream {
    return new FollowedStream(stream, (next) => this.#follow(next));
  }

  /** The same of all streams of an invocation. */
  allFollowed<Of extends Streams>(of: Of): Of {
    const streams = {
      stream: (...given: never) => this.followed(of.stream(...given)),
      streamAll: (...given: never) => this.followed(of.streamAll(...given)),
      streamSpecific: (...given: never) => this.followed(of.streamSpecific(...given)),
    };
    return { ...of, ...streams };
  }

  async #follow<T>(next: () => Promise<T>): Promise<T> {
    this.#following += 1;
    this.#changed();
    try {
      return await next();
    } finally {
      this.#following -= 1;
      this.#changed();
    }
  }
}

/** Passes a stream on, and tells of each read. */
class FollowedStream implements ChunkStream {
  readonly #stream: ChunkStream;
  readonly #follow: <T>(next: () => Promise<T>) => Promise<T>;

  constructor(stream: ChunkStream, follow: <T>(next: () => Promise<T>) => Promise<T>) {
    this.#stream = stream;
    this.#follow = follow;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void> {
    const events = this.#stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#follow(() => events.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await events.return?.();
    }
  }

  async forEach(listener: (event: StreamEvent) => unknown): Promise<void> {
    for await (const event of this) await listener(event);
  }

  close(): void {
    this.#stream.close();
  }
}
