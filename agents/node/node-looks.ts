// Node looks — what one run of a node function asks of other invocations and follows of them,
// without a record: it takes part in nothing, and a run after a crash looks again.
//
// Owns: what of that is under way, and since when it counts as a wait. Leaves to others: asking
// (client/), operations as such (active-node.ts), the place among running nodes that a run without
// others has not (waiting-runs.ts), refusing who waits behind it (key-lines.ts).
//
// Invariants:
//   Q1. A read of a stream is under way from when its next event is asked for until that is there:
//       who is busy with the one before waits for nothing.
//   Q2. A run that may block others counts as one that waits for what it follows when a read takes
//       `followPatienceMs`. Before, an event may be on its way that lets it leave the stream.

import { PartitaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { TaskPort } from "../../runtime/task-program.js";
import type { ChunkStream, StreamEvent } from "../client/stream.js";
import type { InvocationId } from "../wire/invocation-id.js";

/** What a run needs to know of an invocation that it follows. */
export interface FollowedChild {
  readonly child: InvocationId;
  /** The stream ends no earlier than the invocation. */
  readonly isWhole: boolean;
}

/** What a run's looks need of it. */
export interface LookParts {
  readonly port: TaskPort;
  /** It may hold a key, or one of its callers, that others wait for in line. */
  readonly mayBlock: boolean;
  /** Reads of streams have begun or ended. */
  readonly changed: () => void;
  /** The run waits for one more invocation (Q2). */
  readonly waitsForChild: () => void;
}

/** The streams of an invocation, as it gives them out. */
interface Streams {
  stream(...given: never): ChunkStream;
  streamAll(...given: never): ChunkStream;
  streamSpecific(...given: never): ChunkStream;
}

export class NodeLooks {
  readonly #parts: LookParts;
  #asking = 0;
  #following = 0;
  readonly #awaited = new Set<FollowedChild>();

  constructor(parts: LookParts) {
    this.#parts = parts;
  }

  /** What it follows and waits for (Q2). */
  get awaited(): readonly FollowedChild[] {
    return [...this.#awaited];
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

  /** A stream as the run follows it. `before`: what each read waits for first. */
  followed(
    stream: ChunkStream,
    child?: FollowedChild,
    before: () => Promise<void> = nothing,
  ): ChunkStream {
    return new FollowedStream(stream, (next) => {
      return this.#follow(async () => {
        await before();
        return await next();
      }, child);
    });
  }

  /**
   * Resolves when the home of an invocation that the run has begun knows it: what begins it takes
   * another way than questions do. Gives up after `childUnknownMs`: it may be forgotten already.
   */
  async known(ask: () => Promise<unknown>): Promise<void> {
    for (let [pauseMs, leftMs] = [1, limits.childUnknownMs]; leftMs > 0; pauseMs *= 2) {
      try {
        await ask();
        return;
      } catch (error) {
        if (!PartitaError.is(error, "INVOCATION_UNKNOWN")) throw error;
      }
      leftMs -= pauseMs;
      await new Promise<void>((resolve) => void this.#parts.port.after(pauseMs, resolve));
    }
  }

  /** The same of all streams of an invocation. */
  allFollowed<Of extends Streams>(of: Of, child: InvocationId): Of {
    const whole = { child, isWhole: true };
    const streams = {
      stream: (...given: never) => this.followed(of.stream(...given)),
      streamAll: (...given: never) => this.followed(of.streamAll(...given), whole),
      streamSpecific: (...given: never) => this.followed(of.streamSpecific(...given)),
    };
    return { ...of, ...streams };
  }

  /** While `begin` asks, it goes on only with what becomes of `child` (Q2). */
  async expects<T>(child: FollowedChild, begin: () => Promise<T>): Promise<T> {
    const over = this.#expect(child);
    try {
      return await begin();
    } finally {
      over?.();
    }
  }

  async #follow<T>(next: () => Promise<T>, child: FollowedChild | undefined): Promise<T> {
    const { changed } = this.#parts;
    this.#following += 1;
    const over = this.#expect(child);
    changed();
    try {
      return await next();
    } finally {
      this.#following -= 1;
      over?.();
      changed();
    }
  }

  /** See Q2. Returns what ends it. */
  #expect(child: FollowedChild | undefined): (() => void) | undefined {
    const { mayBlock, port, waitsForChild } = this.#parts;
    if (!mayBlock || child === undefined) return undefined;
    // The same stream may be followed twice.
    const awaited = { ...child };
    const patience = port.after(limits.followPatienceMs, () => {
      this.#awaited.add(awaited);
      waitsForChild();
    });
    return () => {
      patience.cancel();
      this.#awaited.delete(awaited);
    };
  }
}

async function nothing(): Promise<void> {}

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
